#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/plugin_host/plugin_spec.h"

namespace planner::plugin_host {

/// Whether HOST of HOST:PORT is this machine's loopback: localhost, 127.0.0.0/8, [::1].
bool IsLoopback(const std::string& address);

/// A channel of its own to "unix:PATH", or to the address of the spec, with its TLS. FAILED_PRECONDITION: a PEM file cannot be read.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectPlugin(const std::string& target, const PluginSpec& spec,
                                                             const HostOptions& options);

/// FAILED_PRECONDITION unless grpc.health.v1.Health answers SERVING. The context has the deadline.
absl::Status CheckHealth(grpc::Channel& channel, grpc::ClientContext& context);

}  // namespace planner::plugin_host
