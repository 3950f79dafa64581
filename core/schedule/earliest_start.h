#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/cluster/calendar.h"

namespace planner::schedule {

using cluster::kForever;
using cluster::Micros;

/// The nodes that a number of GPUs takes: below a node's, GPUs of one node; from there on whole nodes.
struct Shape {
  int64_t nodes = 1;
  int gpus_per_node = 8;  ///< Of each of them.

  int64_t gpus() const { return nodes * gpus_per_node; }
};

/// Nodes of 8: 4 GPUs are 4 of one node, 12 are two nodes.
Shape ShapeOf(int64_t gpus, int gpus_per_node);

/// What is asked of a calendar.
struct Request {
  Shape shape;
  Micros duration = 1;          ///< Above 0, at most 10,000 years.
  Micros not_before = 0;        ///< From 1970 on.
  Micros not_after = kForever;  ///< A later start is of no use.
  /// That the tenant must keep to, of this pool or of all; the caller picks them. Borrowed.
  std::vector<const cluster::Quota*> quotas;
};

/// The first moment from which so many nodes are free for the whole duration, each of them throughout, and no quota is exceeded.
/// Nothing that is in the calendar moves for it: that is backfill which delays no reservation. nullopt: there is none up to
/// not_after. Time: one pass over the openings up to the answer, by start and by end at once; nothing is sorted or allocated for
/// each opening.
///
/// 4 nodes, two of them free from 0 to 10 and all from 20 on: 2 nodes for 10 start at 0; 2 for 11 and 3 for 1 start at 20.
std::optional<Micros> EarliestStart(const cluster::Calendar& calendar, const Request& request);

}  // namespace planner::schedule
