#include "tests/faults/replica.h"

#include <grpcpp/create_channel.h>

#include <csignal>

namespace planner::faults {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

}  // namespace

Replica::Replica(const std::string& folder, std::vector<std::string> flags) {
  const std::string address = "unix:" + folder + "/socket";
  command_ = {PLANNERD_PATH, "--listen", address, "--metrics_listen", "off", "--state_dir", folder + "/state"};
  command_.insert(command_.end(), flags.begin(), flags.end());
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  channel_ = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

bool Replica::Start() {
  process_ = std::make_unique<support::ChildProcess>(support::ChildOptions{command_, ""});
  return process_->WaitForOutput("event=ready", kPatience);
}

void Replica::Kill() {
  process_->Signal(SIGKILL);
  process_->Wait();
}

int Replica::Stop() {
  process_->Signal(SIGTERM);
  return process_->Wait();
}

}  // namespace planner::faults
