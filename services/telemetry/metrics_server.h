#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/telemetry/page.h"

class CivetServer;

namespace planner::telemetry {

/// Serves /metrics over HTTP until it is destroyed, compressed for whoever takes gzip, as Prometheus does; every other path is 404.
class MetricsServer {
 public:
  /// `address` is HOST:PORT; port 0 picks a free one. `metrics` is asked with every scrape. UNAVAILABLE:
  /// the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address, std::shared_ptr<const PageSource> metrics);
  ~MetricsServer();

  /// With the port that was bound.
  const std::string& address() const { return address_; }

 private:
  class Handler;
  MetricsServer();

  std::unique_ptr<Handler> handler_;
  std::unique_ptr<CivetServer> server_;  ///< Ends before its handler.
  std::string address_;
};

}  // namespace planner::telemetry
