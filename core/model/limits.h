#pragma once

#include <cstdint>

namespace planner::model {

/// Layers that a description may have in all, so that no request makes the daemon expand without end.
inline constexpr int64_t kMaxLayers = 100'000;

}  // namespace planner::model
