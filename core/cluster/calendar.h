#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/cluster/openings.h"

namespace planner::cluster {

/// The first microsecond that is not before `time`; kForever for the infinite future.
inline Micros ToMicros(absl::Time time) {
  if (time == absl::InfiniteFuture()) return kForever;
  const Micros floor = absl::ToUnixMicros(time);
  return absl::FromUnixMicros(floor) < time ? floor + 1 : floor;
}
inline absl::Time FromMicros(Micros micros) {
  return micros == kForever ? absl::InfiniteFuture() : absl::FromUnixMicros(micros);
}

/// From `start` to the next step `level` GPUs are free (of a node), or in use (by a tenant).
struct Step {
  Micros start = 0;
  int64_t level = 0;

  friend bool operator==(const Step&, const Step&) = default;
};

/// When the nodes of a pool are free: a value that never changes, made by schedule::Ledger and asked by
/// schedule::EarliestStart. Every node is in the openings, once for each time in which it is wholly free.
struct Calendar {
  int64_t node_count = 0;
  int gpus_per_node = 8;
  Openings by_start{Openings::Order::kByStart};
  Openings by_end{Openings::Order::kByEnd};  ///< The same ones.
  /// Of each node that jobs of less than a node share, at some time: its free GPUs, by rising start, from the beginning of
  /// time on.
  std::vector<std::shared_ptr<const std::vector<Step>>> shared_nodes;
};

/// What a tenant may have at any one time, and what of it is promised already.
struct Quota {
  std::string tenant;
  std::string pool;  ///< Empty: of all pools together.
  int64_t max_gpus = 0;
  std::vector<Step> used;  ///< GPUs in use, by rising start; nothing before the first.
};

}  // namespace planner::cluster
