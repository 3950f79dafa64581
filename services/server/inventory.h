#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/cluster/snapshot.h"
#include "core/hardware/gpu_catalog.h"
#include "planner/v1/estimate.pb.h"
#include "services/bookings/bookings.h"

namespace planner::server {

/// The clusters as planning sees them. An estimate costs one look at the store's version where nothing has been written since the
/// one before. Thread-safe.
class Inventory {
 public:
  /// All must outlive it.
  Inventory(bookings::Bookings& bookings, const hardware::GpuCatalog& gpus, const base::Clock& clock)
      : bookings_(bookings), gpus_(gpus), clock_(clock) {}

  /// All clusters by name, as they are now.
  absl::StatusOr<std::shared_ptr<const bookings::Bookings::Views>> Current() { return bookings_.Current(clock_.Now()); }

  /// What a request may use: the pools of its cluster; else its GPU types without an end of cards; else the
  /// pools of all clusters; else, where there are none, the four usual types. NOT_FOUND for unknown names,
  /// with the request's field.
  absl::StatusOr<cluster::Snapshot> SnapshotFor(const v1::Resources& resources);

 private:
  bookings::Bookings& bookings_;
  const hardware::GpuCatalog& gpus_;
  const base::Clock& clock_;
};

}  // namespace planner::server
