#include "services/telemetry/measured_counter.h"

namespace planner::telemetry {
namespace {

prometheus::Histogram& MakeHistogram(const counting::Counter& counter, prometheus::Registry& registry) {
  const prometheus::Histogram::BucketBoundaries buckets = {0.00001, 0.0001, 0.001, 0.01, 0.1, 1, 10};
  return prometheus::BuildHistogram()
      .Name("planner_count_duration_seconds")
      .Help("Time to count one model.")
      .Register(registry)
      .Add({{"counter", counter.Info().name}}, buckets);
}

}  // namespace

MeasuredCounter::MeasuredCounter(const counting::Counter& counter, prometheus::Registry& registry,
                                 const base::Clock& clock)
    : counter_(counter), clock_(clock), duration_seconds_(MakeHistogram(counter, registry)) {}

absl::StatusOr<counting::CostReport> MeasuredCounter::Count(const counting::CountRequest& request) const {
  const absl::Time start = clock_.Now();
  absl::StatusOr<counting::CostReport> report = counter_.Count(request);
  duration_seconds_.Observe(absl::ToDoubleSeconds(clock_.Now() - start));
  return report;
}

prometheus::MetricFamily PluginUp(const std::vector<counting::CounterInfo>& counters) {
  prometheus::MetricFamily family;
  family.name = "planner_plugin_up";
  family.help = "Whether the counter can be asked.";
  family.type = prometheus::MetricType::Gauge;
  for (const counting::CounterInfo& counter : counters) {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    metric.label = {{"counter", counter.name}};
    metric.gauge.value = counter.up ? 1 : 0;
  }
  return family;
}

}  // namespace planner::telemetry
