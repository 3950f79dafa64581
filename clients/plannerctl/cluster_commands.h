#pragma once

#include "clients/plannerctl/command.h"

namespace planner::plannerctl {

// Parts of `plannerctl cluster`, each in a file of its own: each adds its commands to the noun.

/// `reserve`, `release`, `reservations`.
void AddReservationCommands(CLI::App& noun, Action& chosen);
/// `watch`.
void AddClusterWatchCommand(CLI::App& noun, Action& chosen);
/// `import`.
void AddClusterImportCommand(CLI::App& noun, Action& chosen);
/// `import kubernetes`.
void AddKubernetesImportCommand(CLI::App& import, Action& chosen);
/// `utilization`, `report-utilization`.
void AddUtilizationCommands(CLI::App& noun, Action& chosen);

}  // namespace planner::plannerctl
