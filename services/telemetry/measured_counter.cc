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

void WritePlugins(const std::vector<counting::CounterInfo>& counters, const std::map<std::string, int64_t>& restarts, Page& page) {
  page.Family("planner_plugin_up", "Whether the counter can be asked.", Page::Type::kGauge);
  for (const counting::CounterInfo& counter : counters) page.Sample(LabelText({{"counter", counter.name}}), int64_t{counter.up});
  page.Family("planner_plugin_restarts_total", "Starts of a plugin after the first.", Page::Type::kCounter);
  for (const counting::CounterInfo& counter : counters) {
    const auto found = restarts.find(counter.name);
    page.Sample(LabelText({{"counter", counter.name}}), found == restarts.end() ? 0 : found->second);
  }
}

}  // namespace planner::telemetry
