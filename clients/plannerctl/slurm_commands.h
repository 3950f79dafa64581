#pragma once

#include "clients/plannerctl/command.h"

namespace planner::plannerctl {

// Parts of `plannerctl slurm`, each in a file of its own.

/// `submit-check`.
void AddSubmitCheckCommand(CLI::App& noun, Action& chosen);
/// `serve`, `check-policy`.
void AddSlurmServeCommands(CLI::App& noun, Action& chosen);
/// `job-started`, `job-ended`.
void AddSlurmJobCommands(CLI::App& noun, Action& chosen);

}  // namespace planner::plannerctl
