#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "plugins/libtorch/archive/limits.h"

namespace planner::libtorch {

/// Checks TorchScript source text before torch's recursive compiler sees it: lengths of lines, nesting of brackets and blocks,
/// operators of one expression, and operators and methods that a file may not have unless the limits allow them. Reads tokens
/// only; a text that is no TorchScript otherwise is torch's to refuse. `name` is the member's, for messages.
absl::Status CheckCode(std::string_view name, std::string_view text, const ArchiveLimits& limits);

}  // namespace planner::libtorch
