#pragma once

#include <string>
#include <vector>

#include "clients/plannerctl/exit_code.h"
#include "clients/plannerctl/session.h"

namespace planner::plannerctl {

/// A whole run of plannerctl: parses `arguments` (without the program's name), does what they say,
/// prints the answer to `environment.out` and everything else to `environment.err`. Flags may be
/// written with "-" or "_", global ones before or after the command.
ExitCode Run(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace planner::plannerctl
