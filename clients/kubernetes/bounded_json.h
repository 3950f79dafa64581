#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/status/statusor.h"

namespace planner::kubernetes {

/// A JSON object that a stranger has sent. INVALID_ARGUMENT at `field`: no JSON, no object, or nested deeper than 100 levels, which parsers
/// that call themselves would take too long for, or crash on.
absl::StatusOr<nlohmann::json> ParseObject(std::string_view text, std::string_view field);

}  // namespace planner::kubernetes
