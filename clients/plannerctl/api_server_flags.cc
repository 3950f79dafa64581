#include "clients/plannerctl/api_server_flags.h"

#include "clients/plannerctl/flag_value.h"
#include "fmt/format.h"

namespace planner::plannerctl {

void AddApiServerFlags(CLI::App& command, ApiServerFlags& flags) {
  AddFlag(command, "--api-server", flags.server, "http:// or https:// address; http://127.0.0.1:8001 with kubectl proxy [the pod's own]", "URL");
  AddFlag(command, "--token-file", flags.token_file, "Bearer token for --api-server [none]", "FILE");
  AddFlag(command, "--ca-file", flags.ca_file, "PEM: who signs the certificate of --api-server [those that this machine trusts]", "FILE");
}

absl::StatusOr<kubernetes::ApiServerOptions> ApiServerOf(const ApiServerFlags& flags, const Session& session) {
  if (!flags.server.empty()) {
    return kubernetes::ApiServerOptions{.url = flags.server, .token_file = flags.token_file, .ca_file = flags.ca_file};
  }
  const auto pod = kubernetes::ApiServerOptions::OfPod([&](const std::string& name) { return session.Variable(name).value_or(""); });
  if (!pod.ok()) return absl::InvalidArgumentError(fmt::format("--api-server: {}", std::string(pod.status().message())));
  return pod;
}

}  // namespace planner::plannerctl
