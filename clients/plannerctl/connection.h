#pragma once

#include "absl/status/statusor.h"
#include "clients/plannerctl/session.h"

namespace planner::plannerctl {

/// A connection to the plannerds at `flags.server`; if that is empty, to a planner that is built in this
/// process, whose state is in `flags.state_dir` (empty: the default of services/app).
absl::StatusOr<Connection> OpenConnection(const GlobalFlags& flags);

}  // namespace planner::plannerctl
