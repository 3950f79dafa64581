#pragma once

#include "services/bookings/bookings.h"
#include "services/server/live_streams.h"
#include "services/server/progress_writer.h"
#include "services/telemetry/page.h"
#include "services/utilization/utilization.h"

namespace planner::server {

/// What waits in this process, and who stays connected: planner_queue_length{queue}, planner_rpc_active_streams{kind}.
class QueueMetrics : public telemetry::PageSource {
 public:
  /// All must outlive it.
  QueueMetrics(bookings::Bookings& bookings, ProgressWriter& progress, utilization::Utilization& utilization, LiveStreams& watches,
               LiveStreams& reports, LiveStreams& progress_streams)
      : bookings_(bookings),
        progress_(progress),
        utilization_(utilization),
        watches_(watches),
        reports_(reports),
        progress_streams_(progress_streams) {}
  void Write(telemetry::Page& page) const override;

 private:
  bookings::Bookings& bookings_;
  ProgressWriter& progress_;
  utilization::Utilization& utilization_;
  LiveStreams& watches_;
  LiveStreams& reports_;
  LiveStreams& progress_streams_;
};

}  // namespace planner::server
