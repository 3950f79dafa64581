#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

namespace planner::cli {

/// What a program that has ended left behind.
struct Outcome {
  int exit_code = -1;  ///< 128 + the signal's number if a signal ended it.
  std::string out, err;
};

/// Where a program's standard output goes.
enum class Output {
  kCollected,
  kClosedPipe,  ///< A pipe that nobody reads any more.
  kFullDisk,    ///< /dev/full
};

/// Runs a program to its end. `variables` are added to an environment that only has PATH and HOME;
/// `input` is its whole standard input.
Outcome RunProgram(const std::vector<std::string>& command, const std::string& input = "",
                   const std::map<std::string, std::string>& variables = {}, Output output = Output::kCollected);

/// A plannerd with a state of its own, on a free TCP port and on a Unix socket, both in loopback.
class Daemon {
 public:
  /// Starts it and waits until it says that it listens. Aborts the test program if it does not.
  explicit Daemon(const std::string& folder);
  /// Stops it by SIGTERM.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  const std::string& tcp_address() const { return tcp_address_; }    ///< "127.0.0.1:40123"
  const std::string& unix_address() const { return unix_address_; }  ///< "unix:/…/plannerd.sock"

 private:
  pid_t pid_ = -1;
  int log_ = -1;
  std::string tcp_address_, unix_address_;
  std::thread drain_;
};

}  // namespace planner::cli
