#pragma once

#include <string>

namespace planner::libtorch {

/// Forbids this process every path, and where the kernel's Landlock can do it every TCP port (ABI 4) and signals and abstract
/// sockets of others (ABI 6). no_new_privs must be set. Returns what is missing, empty if nothing is.
std::string EnterLandlock();

}  // namespace planner::libtorch
