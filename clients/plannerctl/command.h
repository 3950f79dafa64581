#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "clients/plannerctl/exit_code.h"
#include "clients/plannerctl/session.h"

namespace CLI {
class App;
}

namespace planner::plannerctl {

/// What a parsed command line does.
using Action = std::function<absl::StatusOr<ExitCode>(Session&)>;

// Each adds a command with its flags to `root`. When the command line names the command, parsing
// puts what it does into `chosen`, which must outlive the parsing.
void AddEstimateCommand(CLI::App& root, Action& chosen);
void AddCountCommand(CLI::App& root, Action& chosen);
void AddValidateCommand(CLI::App& root, Action& chosen);
void AddGpuCommand(CLI::App& root, Action& chosen);
void AddModelCommand(CLI::App& root, Action& chosen);
void AddPrecisionCommand(CLI::App& root, Action& chosen);
void AddCounterCommand(CLI::App& root, Action& chosen);
void AddClusterCommand(CLI::App& root, Action& chosen);
void AddPlanCommand(CLI::App& root, Action& chosen);
void AddRunCommand(CLI::App& root, Action& chosen);
void AddSlurmCommand(CLI::App& root, Action& chosen);
void AddKubernetesCommand(CLI::App& root, Action& chosen);
void AddVersionCommand(CLI::App& root, Action& chosen);
void AddCompletionCommand(CLI::App& root, Action& chosen);

}  // namespace planner::plannerctl
