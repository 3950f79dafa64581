#include <CLI/CLI.hpp>

#include "clients/plannerctl/slurm_commands.h"

namespace planner::plannerctl {

void AddSlurmCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = *root.add_subcommand("slurm", "What Slurm's plugins and hooks ask and tell")->require_subcommand(1);
  AddSubmitCheckCommand(noun, chosen);
  AddSlurmServeCommands(noun, chosen);
  AddSlurmJobCommands(noun, chosen);
}

}  // namespace planner::plannerctl
