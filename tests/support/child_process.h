#pragma once

#include <sys/types.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"

namespace planner::support {

struct ChildOptions {
  std::vector<std::string> command;  ///< Program (a path) and arguments.
  std::string user;                  ///< Whom it runs as; empty: as we do. Only root may choose.
};

/// A process that ends with the object, and with the thread that has made it. Its output is read all the time, so that it never waits
/// for a reader.
class ChildProcess {
 public:
  explicit ChildProcess(const ChildOptions& options);
  /// Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Whether `text` has been written, within `at_most` and before the output has ended.
  bool WaitForOutput(const std::string& text, absl::Duration at_most);
  /// The first 64 KiB of what was written on standard output and error, and the last.
  std::string output();

  void Signal(int signal) const;
  /// Waits for its end and that of its output. The exit code, or minus the signal that has ended it; -1: it was never started.
  int Wait();

 private:
  void ReadOutput();

  pid_t pid_ = -1;
  int exit_code_ = -1;
  int output_fd_ = -1;
  base::Mutex mutex_;
  base::Condition changed_;
  std::string head_ ABSL_GUARDED_BY(mutex_);
  std::string tail_ ABSL_GUARDED_BY(mutex_);
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread reader_;
};

}  // namespace planner::support
