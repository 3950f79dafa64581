#include "services/telemetry/rpc_probe.h"

#include <string>

namespace planner::telemetry {
namespace {

/// From what a warm estimate takes to the longest deadline.
const prometheus::Histogram::BucketBoundaries& Buckets() {
  static const prometheus::Histogram::BucketBoundaries kBuckets = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03,
                                                                   0.1,    0.3,    1,     3,     10,   30};
  return kBuckets;
}

prometheus::Gauge& MakeGauge(const char* name, const char* help, prometheus::Registry& registry) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

RpcProbe::RpcProbe(prometheus::Registry& registry, std::span<const std::string_view> methods)
    : active_calls_(MakeGauge("planner_rpc_active_calls", "Calls that are worked on now.", registry)),
      active_calls_limit_(
          MakeGauge("planner_rpc_active_calls_limit", "max_concurrent_calls: the surplus is refused with RESOURCE_EXHAUSTED.", registry)) {
  auto& requests = prometheus::BuildCounter()
                       .Name("planner_rpc_requests_total")
                       .Help("Calls that were answered, by gRPC code.")
                       .Register(registry);
  auto& durations = prometheus::BuildHistogram()
                        .Name("planner_rpc_duration_seconds")
                        .Help("Time from a call's arrival to its answer.")
                        .Register(registry);
  for (const std::string_view name : methods) {
    Method& method = methods_[name];
    method.duration_seconds = &durations.Add({{"method", std::string(name)}}, Buckets());
    for (size_t code = 0; code < kCodes; ++code) {
      const std::string text = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
      method.requests_total[code] = &requests.Add({{"method", std::string(name)}, {"code", text}});
    }
  }
}

void RpcProbe::Record(std::string_view method, absl::StatusCode code, absl::Duration duration) {
  const auto found = methods_.find(method);
  const auto index = static_cast<size_t>(code);
  if (found == methods_.end() || index >= kCodes) return;
  found->second.duration_seconds->Observe(absl::ToDoubleSeconds(duration));
  found->second.requests_total[index]->Increment();
}

}  // namespace planner::telemetry
