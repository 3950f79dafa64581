#pragma once

#include <string>

namespace planner::libtorch {

/// Lets through only the system calls that counting on the meta device makes; reading and writing open descriptors, memory,
/// threads, time. Others fail with EPERM; those that only an attack makes (another program, sockets, other processes' memory,
/// namespaces, kernel interfaces) kill the process by SIGSYS. no_new_privs must be set. Returns what is missing, empty if
/// nothing is.
std::string EnterSystemCallFilter();

}  // namespace planner::libtorch
