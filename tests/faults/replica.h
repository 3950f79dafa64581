#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace planner::faults {

/// A plannerd at a socket, which can be killed and started again there.
class Replica {
 public:
  /// Not started yet. `folder` gets its socket and its state.
  Replica(const std::string& folder, std::vector<std::string> flags);

  /// Whether it is ready, for which it waits.
  bool Start();
  void Kill();
  /// SIGTERM; the exit code.
  int Stop();

  /// To it, wherever it is in its lives; comes back within half a second of its start.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  /// Of its last life.
  std::string output() { return process_ == nullptr ? "" : process_->output(); }

 private:
  std::vector<std::string> command_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<support::ChildProcess> process_;
};

}  // namespace planner::faults
