#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "services/plugin_host/plugin_spec.h"

namespace planner::plugin_host {

/// A plugin's process: started with posix_spawn in a group of its own, with nothing open but its three standard streams, an
/// environment of a few harmless variables, and a socket folder that only its user can enter. A thread reads what it writes and
/// reaps it, so that it never blocks on a full pipe and never becomes a zombie. Whatever of its group is alive when it ends is
/// killed. It ends with its host, even one that is killed: its standard input is then closed. Thread-safe.
class PluginProcess {
 public:
  /// `log` gets the lines of its streams, `on_exit` is called once when it has ended; both from the thread that watches it.
  /// FAILED_PRECONDITION: the program cannot be started.
  static absl::StatusOr<std::unique_ptr<PluginProcess>> Spawn(const PluginSpec& spec, std::function<void(std::string)> log,
                                                              std::function<void()> on_exit);
  /// Closes its standard input and sends SIGTERM, SIGKILL after `patience`; reaps it and removes its socket folder.
  ~PluginProcess();
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;

  /// The gRPC target that it serves. FAILED_PRECONDITION: it ended before, said something else, or nothing in time.
  absl::StatusOr<std::string> AwaitHandshake(absl::Duration timeout);

  /// SIGKILL to its whole group. Does not wait.
  void Kill();
  /// Waits for its end: "exit code 3", "signal 11 (Segmentation fault)".
  std::string AwaitEnd();
  bool running();
  pid_t pid() const { return pid_; }
  void set_patience(absl::Duration patience) { patience_ = patience; }

 private:
  struct Descriptors {
    int input = -1;   ///< The end that is written to.
    int output = -1;  ///< The ends that are read.
    int error = -1;
    int process = -1;  ///< A pidfd.
  };

  PluginProcess(std::string folder, std::function<void(std::string)> log, std::function<void()> on_exit);
  absl::Status Start(const PluginSpec& spec);
  void Watch();
  /// What a stream has to give now; false at its end.
  bool ReadOutput(int descriptor, const std::function<void(std::string_view)>& take);
  void TakeOutput(std::string_view bytes);
  std::string socket_path() const { return folder_ + "/plugin.sock"; }

  const std::string folder_;
  const std::function<void(std::string)> log_;
  const std::function<void()> on_exit_;
  absl::Duration patience_ = absl::Seconds(2);
  pid_t pid_ = -1;
  Descriptors files_;
  std::thread watcher_;

  base::Mutex mutex_;
  base::Condition changed_;
  std::string first_line_ ABSL_GUARDED_BY(mutex_);
  bool first_line_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::string ending_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::plugin_host
