#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/hardware/gpu_catalog.h"
#include "core/store/store.h"
#include "planner/v1/cluster_service.pb.h"
#include "services/bookings/bookings.h"

namespace planner::server {

// ClusterService's logic as functions of a store, and of the bookings where it changes what can be booked: what its handlers
// answer with. A change that takes away what is booked is made all the same: the reservations that it touches are marked.

absl::StatusOr<v1::Cluster> CreateCluster(const v1::CreateClusterRequest& request, const hardware::GpuCatalog& gpus,
                                          bookings::Bookings& bookings);
absl::StatusOr<v1::Cluster> GetCluster(const v1::GetClusterRequest& request, absl::Time now, store::Store& store);
absl::StatusOr<v1::ListClustersResponse> ListClusters(const v1::ListClustersRequest& request, absl::Time now,
                                                      store::Store& store);
absl::StatusOr<v1::Cluster> UpdateCluster(const v1::UpdateClusterRequest& request, const hardware::GpuCatalog& gpus,
                                          bookings::Bookings& bookings);
absl::Status DeleteCluster(const v1::DeleteClusterRequest& request, store::Store& store, bookings::Bookings& bookings);

/// A stored cluster as it is shown at `now`. DATA_LOSS where it cannot be read.
absl::StatusOr<v1::Cluster> ClusterFromRecord(const store::Record& record, absl::Time now);

/// Creates a cluster of the configuration where the store has none of its name. `field` is its path there.
absl::Status SeedCluster(std::string_view field, const v1::Cluster& cluster, const hardware::GpuCatalog& gpus,
                         store::Store& store);

}  // namespace planner::server
