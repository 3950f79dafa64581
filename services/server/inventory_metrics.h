#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "services/bookings/bookings.h"
#include "services/telemetry/page.h"

namespace planner::server {

/// The clusters as they are when they are asked for; nothing where the store cannot be read: planner_cluster_gpus{cluster,gpu_type,state},
/// planner_cluster_booked_gpus{cluster,gpu_type,horizon}, planner_cluster_inventory_timestamp_seconds{cluster}. What is booked ahead is
/// counted anew once a minute, or when something was booked: 50,000 reservations need not be gone through with every scrape.
class InventoryMetrics : public telemetry::PageSource {
 public:
  /// Both must outlive it.
  InventoryMetrics(bookings::Bookings& bookings, const base::Clock& clock) : bookings_(bookings), clock_(clock) {}
  void Write(telemetry::Page& page) const override;

 private:
  /// By cluster and GPU type: for each horizon.
  using Booked = std::map<std::string, std::map<std::string, std::vector<double>>>;

  const Booked& BookedOf(bookings::Calendars& calendars, bookings::Micros now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bookings::Bookings& bookings_;
  const base::Clock& clock_;
  mutable base::Mutex mutex_;
  mutable Booked booked_ ABSL_GUARDED_BY(mutex_);
  mutable int64_t booked_version_ ABSL_GUARDED_BY(mutex_) = -1;
  mutable bookings::Micros booked_minute_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace planner::server
