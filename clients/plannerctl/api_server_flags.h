#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "clients/kubernetes/api_server.h"
#include "clients/plannerctl/session.h"

namespace planner::plannerctl {

/// Which API server of Kubernetes is asked, and how it is known.
struct ApiServerFlags {
  std::string server, token_file, ca_file;
};

/// --api-server, --token-file, --ca-file; `flags` must outlive the command.
void AddApiServerFlags(CLI::App& command, ApiServerFlags& flags);

/// What the flags say; without any, the server of the pod that this is. INVALID_ARGUMENT: this is no pod.
absl::StatusOr<kubernetes::ApiServerOptions> ApiServerOf(const ApiServerFlags& flags, const Session& session);

}  // namespace planner::plannerctl
