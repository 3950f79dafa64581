#pragma once

#include "clients/plannerctl/command.h"

namespace planner::plannerctl {

// Parts of `plannerctl kubernetes` that have a file of their own.

/// `kueue`.
void AddKueueCommand(CLI::App& noun, Action& chosen);

}  // namespace planner::plannerctl
