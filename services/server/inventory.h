#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/cluster/snapshot.h"
#include "core/hardware/gpu_catalog.h"
#include "core/store/store.h"
#include "planner/v1/estimate.pb.h"

namespace planner::server {

/// One stored cluster, ready for planning.
struct InventoryCluster {
  std::string id;        ///< "main"
  std::string etag;      ///< Of the version that was read.
  std::string currency;  ///< "USD"
  std::vector<cluster::Pool> pools;
};

/// The clusters as planning sees them. They are read from the store only after something has been written
/// there, by this process or another, so that an estimate costs one look at the store's version. Thread-safe.
class Inventory {
 public:
  /// All must outlive it.
  Inventory(store::Store& store, const hardware::GpuCatalog& gpus, const base::Clock& clock)
      : store_(store), gpus_(gpus), clock_(clock) {}

  /// All clusters by name, as they are now.
  absl::StatusOr<std::shared_ptr<const std::vector<InventoryCluster>>> Current();

  /// What a request may use: the pools of its cluster; else its GPU types without an end of cards; else the
  /// pools of all clusters; else, where there are none, the four usual types. NOT_FOUND for unknown names,
  /// with the request's field.
  absl::StatusOr<cluster::Snapshot> SnapshotFor(const v1::Resources& resources);

 private:
  absl::StatusOr<std::vector<InventoryCluster>> Read();

  store::Store& store_;
  const hardware::GpuCatalog& gpus_;
  const base::Clock& clock_;
  base::Mutex mutex_;
  int64_t version_ ABSL_GUARDED_BY(mutex_) = -1;
  std::shared_ptr<const std::vector<InventoryCluster>> clusters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::server
