#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace planner::app {

/// One daemon a state folder that has the records (with PostgreSQL several may share one): an flock on its `plannerd.lock`, which the kernel gives up with the process, however it ends. plannerctl in
/// process does not take it: what it keeps is in SQLite, which several programs may share. Movable, not copyable.
class StateLock {
 public:
  /// Creates the folder where it is missing. FAILED_PRECONDITION: another plannerd has it; PERMISSION_DENIED: the file cannot be opened.
  static absl::StatusOr<StateLock> Take(const std::string& state_dir);

  StateLock(StateLock&& other) noexcept : file_(other.file_) { other.file_ = -1; }
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int file) : file_(file) {}

  int file_;
};

}  // namespace planner::app
