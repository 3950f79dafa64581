#pragma once

#include "absl/time/time.h"

namespace planner::plannerctl {

/// For commands that serve others until they are told to end: waits for `at_most`, and says whether SIGTERM or SIGINT has come. From the first
/// call on these signals do nothing else, so that what is under way can be answered before the program ends; a second one ends it at once.
bool WaitForStopSignal(absl::Duration at_most);

}  // namespace planner::plannerctl
