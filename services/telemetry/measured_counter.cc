#include "services/telemetry/measured_counter.h"

#include <prometheus/gauge.h>

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
    : counter_(counter), clock_(clock), duration_seconds_(MakeHistogram(counter, registry)) {
  prometheus::BuildGauge()
      .Name("planner_plugin_up")
      .Help("Whether the counter can be asked.")
      .Register(registry)
      .Add({{"counter", counter.Info().name}})
      .Set(1);
}

absl::StatusOr<counting::CostReport> MeasuredCounter::Count(const counting::CountRequest& request) const {
  const absl::Time start = clock_.Now();
  absl::StatusOr<counting::CostReport> report = counter_.Count(request);
  duration_seconds_.Observe(absl::ToDoubleSeconds(clock_.Now() - start));
  return report;
}

}  // namespace planner::telemetry
