#pragma once

#include "absl/status/status.h"

namespace planner::plannerctl {

/// The same error of somebody else than the planner (a program, another server): it is not to be taken for one of reaching the planner, with whose
/// address it would be shown.
absl::Status OfSomebodyElse(absl::Status status);
bool IsOfSomebodyElse(const absl::Status& status);

}  // namespace planner::plannerctl
