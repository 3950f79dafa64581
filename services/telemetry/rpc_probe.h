#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <atomic>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace planner::telemetry {

/// planner_rpc_requests_total{method,code} and planner_rpc_duration_seconds{method}. The methods are a
/// closed set, given once; the codes are those of gRPC. Thread-safe; recording takes no look-up of labels.
class RpcProbe {
 public:
  /// The registry must outlive the probe.
  RpcProbe(prometheus::Registry& registry, std::span<const std::string_view> methods);

  /// One finished call of one of the methods.
  void Record(std::string_view method, absl::StatusCode code, absl::Duration duration);

 private:
  static constexpr size_t kCodes = 17;
  struct Method {
    prometheus::Histogram* duration_seconds = nullptr;
    /// Made with the first call that ends so: most codes never occur.
    std::array<std::atomic<prometheus::Counter*>, kCodes> requests_total{};
  };

  prometheus::Family<prometheus::Counter>& requests_;
  std::map<std::string_view, Method> methods_;
};

}  // namespace planner::telemetry
