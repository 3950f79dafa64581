#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::libtorch {

struct SandboxOptions {
  /// Address space beyond what the process has at this moment. 0: no limit.
  int64_t memory_bytes = 0;
  /// Processor seconds beyond what the process has used. SIGXCPU ends it. 0: no limit.
  int64_t cpu_seconds = 0;
  /// Open descriptors beside 0, 1 and 2, numbered below this.
  int64_t max_descriptors = 16;
  /// Processes and threads of its user; counts only where it has a user of its own.
  int64_t max_threads = 64;
  /// Descriptors that stay open, beside 0, 1 and 2. All others are closed.
  std::vector<int> kept_descriptors;
  /// The user and group that a process started by root becomes; no other process may have it.
  uid_t user = 0;
  /// The process whose end must end this one too; 0: none.
  pid_t parent = 0;
  /// Fails where a measure is missing, instead of going on without it.
  bool require_all_measures = false;
};

struct SandboxReport {
  /// What is not in force here, and why: "landlock: not in this kernel (Function not implemented)". Empty: all is.
  std::vector<std::string> missing_measures;
};

/// Closes all descriptors but these and 0, 1 and 2, which become /dev/null. FAILED_PRECONDITION if that cannot be.
absl::Status KeepOnly(std::vector<int> descriptors);

/// Takes from this process, for good, all that counting a model does not need. To be called in a process that was just forked,
/// has one thread and will be thrown away. In this order, each a measure of its own that may be missing on a kernel:
/// - descriptors: 0, 1, 2 become /dev/null; all but the kept ones are closed
/// - rlimits: memory, processor time, no file may grow, descriptors, no core dump
/// - namespaces: network, mounts, IPC, host name, control groups; without root inside a user namespace
/// - user: `user` for root; else the user namespace stands for it, without capabilities
/// - privileges: none new; not dumpable, so no other process of the user may trace it; ends with its parent
/// - landlock: no path, no TCP port, no signal to others
/// - seccomp: system calls of an allow-list; others fail with EPERM, dangerous ones kill; clone makes threads only
/// FAILED_PRECONDITION where a measure is missing and all are required, or where going on would be unsafe.
absl::StatusOr<SandboxReport> EnterSandbox(const SandboxOptions& options);

}  // namespace planner::libtorch
