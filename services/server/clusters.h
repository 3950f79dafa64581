#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/hardware/gpu_catalog.h"
#include "core/store/store.h"
#include "planner/v1/cluster_service.pb.h"

namespace planner::server {

// ClusterService's logic as functions of a store: what its handlers answer with.

absl::StatusOr<v1::Cluster> CreateCluster(const v1::CreateClusterRequest& request, const hardware::GpuCatalog& gpus,
                                          store::Store& store);
absl::StatusOr<v1::Cluster> GetCluster(const v1::GetClusterRequest& request, store::Store& store);
absl::StatusOr<v1::ListClustersResponse> ListClusters(const v1::ListClustersRequest& request, store::Store& store);
absl::StatusOr<v1::Cluster> UpdateCluster(const v1::UpdateClusterRequest& request, const hardware::GpuCatalog& gpus,
                                          store::Store& store);
absl::Status DeleteCluster(const v1::DeleteClusterRequest& request, store::Store& store);

/// Creates a cluster of the configuration where the store has none of its name. `field` is its path there.
absl::Status SeedCluster(std::string_view field, const v1::Cluster& cluster, const hardware::GpuCatalog& gpus,
                         store::Store& store);

}  // namespace planner::server
