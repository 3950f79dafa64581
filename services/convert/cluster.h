#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/cluster/snapshot.h"
#include "core/hardware/gpu_catalog.h"
#include "planner/v1/cluster.pb.h"

namespace planner::convert {

/// A validated cluster as it is stored: its name without prefix, every GPU type by its own name, and what
/// was left out of the pools and the currency filled in; without etag and times, which the store keeps.
/// NOT_FOUND or INVALID_ARGUMENT (two pools of one name) with paths that begin with `field`. `stored` is what it takes the place of;
/// null: it is new. A pool that an older version has stored with more than is allowed by now may stay as it is, or get less.
absl::StatusOr<v1::Cluster> NormalizedCluster(std::string_view field, const v1::Cluster& cluster,
                                              const hardware::GpuCatalog& gpus, const v1::Cluster* stored = nullptr);

/// The pools of a stored cluster as planning sees them. Pools of a type that the catalogue no longer has
/// are left out.
std::vector<cluster::Pool> PoolsOf(const v1::Cluster& cluster, const hardware::GpuCatalog& gpus);

}  // namespace planner::convert
