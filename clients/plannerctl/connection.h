#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "clients/plannerctl/session.h"

namespace planner::plannerctl {

/// A connection to the plannerd at `server`; if that is empty, to a planner that is built in this
/// process, whose state is in `state_dir` (empty: the default of services/app), its records in the database `postgresql` if that is
/// not empty.
absl::StatusOr<Connection> OpenConnection(const std::string& server, const std::string& state_dir, const std::string& postgresql);

}  // namespace planner::plannerctl
