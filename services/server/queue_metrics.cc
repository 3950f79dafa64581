#include "services/server/queue_metrics.h"

namespace planner::server {

using telemetry::LabelText;
using telemetry::Page;

void QueueMetrics::Write(Page& page) const {
  const auto sample = [&](const char* label, const char* value, size_t count) {
    page.Sample(LabelText({{label, value}}), static_cast<int64_t>(count));
  };
  page.Family("planner_queue_length", "What waits to be written: bookings, reports of runs, summaries of utilization.", Page::Type::kGauge);
  sample("queue", "bookings", bookings_.waiting());
  sample("queue", "progress", progress_.waiting());
  sample("queue", "utilization", utilization_.waiting());
  page.Family("planner_rpc_active_streams", "Streams that watch plans or clusters, and those that report utilization or progress.", Page::Type::kGauge);
  sample("kind", "watch", watches_.size());
  sample("kind", "report_utilization", reports_.size());
  sample("kind", "report_progress", progress_streams_.size());
}

}  // namespace planner::server
