#pragma once

namespace planner::plannerctl {

/// "0.1.0": the version of this build.
inline constexpr const char* kVersion = PLANNER_VERSION;

}  // namespace planner::plannerctl
