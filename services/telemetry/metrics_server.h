#pragma once

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace planner::telemetry {

/// Serves /metrics over HTTP until it is destroyed; every other path is 404.
class MetricsServer {
 public:
  /// `address` is HOST:PORT; port 0 picks a free one. `metrics` is asked with every scrape. UNAVAILABLE:
  /// the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& address,
                                                              std::shared_ptr<prometheus::Collectable> metrics);

  /// With the port that was bound.
  const std::string& address() const { return address_; }

 private:
  MetricsServer() = default;
  std::shared_ptr<prometheus::Collectable> metrics_;
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string address_;
};

}  // namespace planner::telemetry
