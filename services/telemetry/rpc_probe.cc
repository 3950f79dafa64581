#include "services/telemetry/rpc_probe.h"

namespace planner::telemetry {
namespace {

/// From what a warm estimate takes to the longest deadline.
const prometheus::Histogram::BucketBoundaries& Buckets() {
  static const prometheus::Histogram::BucketBoundaries kBuckets = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03,
                                                                   0.1,    0.3,    1,     3,     10,   30};
  return kBuckets;
}

}  // namespace

RpcProbe::RpcProbe(prometheus::Registry& registry, std::span<const std::string_view> methods)
    : requests_(prometheus::BuildCounter()
                    .Name("planner_rpc_requests_total")
                    .Help("Calls that were answered, by gRPC code.")
                    .Register(registry)) {
  auto& durations = prometheus::BuildHistogram()
                        .Name("planner_rpc_duration_seconds")
                        .Help("Time from a call's arrival to its answer.")
                        .Register(registry);
  for (const std::string_view method : methods) {
    methods_[method].duration_seconds = &durations.Add({{"method", std::string(method)}}, Buckets());
  }
}

void RpcProbe::Record(std::string_view method, absl::StatusCode code, absl::Duration duration) {
  const auto found = methods_.find(method);
  const auto index = static_cast<size_t>(code);
  if (found == methods_.end() || index >= kCodes) return;
  found->second.duration_seconds->Observe(absl::ToDoubleSeconds(duration));
  std::atomic<prometheus::Counter*>& cached = found->second.requests_total[index];
  prometheus::Counter* counter = cached.load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Add gives the same counter to whoever asks with the same labels, so a race is harmless.
    counter = &requests_.Add({{"method", std::string(method)}, {"code", absl::StatusCodeToString(code)}});
    cached.store(counter, std::memory_order_release);
  }
  counter->Increment();
}

}  // namespace planner::telemetry
