#include "services/telemetry/metrics_server.h"

#include <CivetServer.h>

#include <exception>
#include <string_view>

#include "fmt/format.h"

namespace planner::telemetry {
namespace {

/// The HTTP server takes "/metrics" for the beginning of a path; only the path itself is there.
int RefuseOtherPaths(mg_connection* connection) {
  constexpr int kGoOn = 0;
  constexpr int kNotFound = 404;
  const mg_request_info* request = mg_get_request_info(connection);
  if (request->local_uri != nullptr && std::string_view(request->local_uri) == "/metrics") return kGoOn;
  mg_send_http_error(connection, kNotFound, "%s", "metrics are at /metrics");
  return kNotFound;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address,
                                                                    std::shared_ptr<prometheus::Collectable> metrics) {
  std::unique_ptr<MetricsServer> server(new MetricsServer);
  try {
    CivetCallbacks callbacks;
    callbacks.begin_request = RefuseOtherPaths;
    // One thread: a scrape every few seconds is all there is.
    server->exposer_ = std::make_unique<prometheus::Exposer>(address, 1, &callbacks);
  } catch (const std::exception&) {
    return absl::UnavailableError(fmt::format("metrics_listen: cannot be bound: address={}", address));
  }
  const std::vector<int> ports = server->exposer_->GetListeningPorts();
  if (ports.empty()) return absl::UnavailableError(fmt::format("metrics_listen: cannot be bound: address={}", address));
  server->address_ = fmt::format("{}:{}", address.substr(0, address.rfind(':')), ports.front());
  server->exposer_->RegisterCollectable(metrics);
  server->metrics_ = std::move(metrics);  // The exposer only holds a weak pointer.
  return server;
}

}  // namespace planner::telemetry
