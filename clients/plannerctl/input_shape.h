#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "planner/v1/model.pb.h"

namespace planner::plannerctl {

/// One `--input`: sizes with the batch first, and an element type if it is not the model's own:
/// "1x3x224x224", "8x128:int64". INVALID_ARGUMENT for anything else.
absl::StatusOr<v1::TensorShape> ParseInputShape(std::string_view text);

}  // namespace planner::plannerctl
