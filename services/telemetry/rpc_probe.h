#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <map>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace planner::telemetry {

/// planner_rpc_requests_total{method,code}, planner_rpc_duration_seconds{method}, planner_rpc_active_calls and its limit. The methods are a
/// closed set, given once; the codes are those of gRPC, each counted from 0: an alert sees the first call that ends so. Thread-safe;
/// recording takes no look-up of labels.
class RpcProbe {
 public:
  /// The registry must outlive the probe.
  RpcProbe(prometheus::Registry& registry, std::span<const std::string_view> methods);

  /// One finished call of one of the methods.
  void Record(std::string_view method, absl::StatusCode code, absl::Duration duration);

  void SetLimit(int max_concurrent_calls) { active_calls_limit_.Set(max_concurrent_calls); }
  /// A call is worked on from here on, until here.
  void CallBegins() { active_calls_.Increment(); }
  void CallEnds() { active_calls_.Decrement(); }

 private:
  static constexpr size_t kCodes = 17;
  struct Method {
    prometheus::Histogram* duration_seconds = nullptr;
    std::array<prometheus::Counter*, kCodes> requests_total{};
  };

  prometheus::Gauge& active_calls_;
  prometheus::Gauge& active_calls_limit_;
  std::map<std::string_view, Method> methods_;
};

}  // namespace planner::telemetry
