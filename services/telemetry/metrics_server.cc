#include "services/telemetry/metrics_server.h"

#include <exception>

#include "fmt/format.h"

namespace planner::telemetry {

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address,
                                                                    std::shared_ptr<prometheus::Collectable> metrics) {
  std::unique_ptr<MetricsServer> server(new MetricsServer);
  try {
    // One thread: a scrape every few seconds is all there is.
    server->exposer_ = std::make_unique<prometheus::Exposer>(address, 1);
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
