#pragma once

#include <string>

#include "absl/status/status.h"

namespace planner::app {

/// Makes way for a listening socket at `path`: removes a socket file that a dead process has left behind.
/// INVALID_ARGUMENT: its folder does not exist (a mistyped one is not to be made up); UNAVAILABLE: somebody
/// listens there; FAILED_PRECONDITION: the path is something else than a socket.
absl::Status ClearSocketFile(const std::string& path);

/// Removes the file if it is a socket.
void RemoveSocketFile(const std::string& path);

}  // namespace planner::app
