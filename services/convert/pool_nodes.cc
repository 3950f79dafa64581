#include "services/convert/pool_nodes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/time.h"

namespace planner::convert {
namespace {

using cluster::HostList;
using cluster::NodeRange;

/// Nodes that are spoken for.
class Taken {
 public:
  explicit Taken(int64_t nodes) : taken_(static_cast<size_t>(nodes), false) {}

  void Add(const std::vector<NodeRange>& ranges) {
    for (const NodeRange& range : ranges) {
      for (int32_t i = range.first; i <= range.last; ++i) taken_[static_cast<size_t>(i)] = true;
    }
  }
  /// Whether any of them is.
  bool Has(const std::vector<NodeRange>& ranges) const {
    for (const NodeRange& range : ranges) {
      for (int32_t i = range.first; i <= range.last; ++i) {
        if (taken_[static_cast<size_t>(i)]) return true;
      }
    }
    return false;
  }
  /// The first (or last) `count` others, which are taken then; fewer if there are not so many.
  std::vector<NodeRange> Take(int64_t count, bool from_the_end) {
    std::vector<int32_t> indices;
    const auto size = static_cast<int64_t>(taken_.size());
    for (int64_t i = 0; i < size && static_cast<int64_t>(indices.size()) < count; ++i) {
      const int64_t index = from_the_end ? size - 1 - i : i;
      if (!taken_[static_cast<size_t>(index)]) indices.push_back(static_cast<int32_t>(index));
    }
    std::sort(indices.begin(), indices.end());
    const std::vector<NodeRange> ranges = cluster::ToRanges(indices);
    Add(ranges);
    return ranges;
  }

 private:
  std::vector<bool> taken_;
};

absl::StatusOr<HostList> NamesOf(const std::string& field, const v1::NodePool& pool) {
  if (pool.node_names().empty()) return HostList::Numbered(pool.name(), pool.node_count());
  const absl::StatusOr<HostList> names = HostList::Parse(pool.node_names());
  if (!names.ok()) {
    const absl::string_view message = names.status().message();
    return base::InvalidField(field + ".node_names", {message.data(), message.size()});
  }
  if (names->size() != pool.node_count()) {
    return base::InvalidField(
        field + ".node_names",
        fmt::format("must be as many as there are nodes: names={} node_count={}", names->size(), pool.node_count()));
  }
  return names;
}

absl::StatusOr<std::vector<NodeRange>> Named(const std::string& field, const HostList& names, const std::string& text) {
  absl::StatusOr<std::vector<NodeRange>> nodes = names.Find(text);
  if (nodes.ok()) return nodes;
  const absl::string_view message = nodes.status().message();
  return base::InvalidField(field + ".nodes", {message.data(), message.size()}, "UNKNOWN_NODE");
}

std::string WithReason(std::string_view what, const std::string& reason) {
  return reason.empty() ? std::string(what) : fmt::format("{} ({})", what, reason);
}

cluster::Micros End(bool known, const google::protobuf::Timestamp& time) {
  return known ? cluster::ToMicros(TimeFromProto(time)) : cluster::kForever;
}

constexpr cluster::Micros kBeginning = std::numeric_limits<cluster::Micros>::min();

absl::Status AddConditions(const std::string& field, const v1::NodePool& pool, PoolNodes& nodes, Taken& not_ready) {
  std::vector<std::vector<NodeRange>> named(static_cast<size_t>(pool.node_conditions_size()));
  Taken conditioned(pool.node_count());
  for (int i = 0; i < pool.node_conditions_size(); ++i) {
    const v1::NodeCondition& condition = pool.node_conditions(i);
    if (condition.nodes().empty()) continue;
    ASSIGN_OR_RETURN(named[static_cast<size_t>(i)],
                     Named(fmt::format("{}.node_conditions[{}]", field, i), nodes.names, condition.nodes()));
    if (conditioned.Has(named[static_cast<size_t>(i)])) {
      return base::InvalidField(fmt::format("{}.node_conditions[{}].nodes", field, i),
                                "names a node that another condition names");
    }
    conditioned.Add(named[static_cast<size_t>(i)]);
  }
  for (int i = 0; i < pool.node_conditions_size(); ++i) {
    const v1::NodeCondition& condition = pool.node_conditions(i);
    std::vector<NodeRange>& ranges = named[static_cast<size_t>(i)];
    if (condition.nodes().empty()) ranges = conditioned.Take(condition.node_count(), /*from_the_end=*/true);
    if (condition.state() == v1::NodeCondition::READY || ranges.empty()) continue;
    not_ready.Add(ranges);
    const cluster::Micros end = End(condition.has_until_time(), condition.until_time());
    NodeBlock& block = nodes.blocks.emplace_back();
    block.use = schedule::Use{ranges, pool.gpus_per_node(), kBeginning, end};
    block.what = WithReason(v1::NodeCondition::State_Name(condition.state()), condition.reason());
    block.kind = condition.state() == v1::NodeCondition::DRAINED ? NodeBlock::Kind::kDrained : NodeBlock::Kind::kDown;
  }
  return absl::OkStatus();
}

absl::Status AddOccupations(const std::string& field, const v1::NodePool& pool, PoolNodes& nodes, Taken& taken) {
  std::vector<std::vector<NodeRange>> named(static_cast<size_t>(pool.occupations_size()));
  for (int i = 0; i < pool.occupations_size(); ++i) {
    if (pool.occupations(i).nodes().empty()) continue;
    ASSIGN_OR_RETURN(named[static_cast<size_t>(i)],
                     Named(fmt::format("{}.occupations[{}]", field, i), nodes.names, pool.occupations(i).nodes()));
    taken.Add(named[static_cast<size_t>(i)]);
  }
  for (int i = 0; i < pool.occupations_size(); ++i) {
    const v1::Occupation& occupation = pool.occupations(i);
    const std::string at = fmt::format("{}.occupations[{}]", field, i);
    if (occupation.has_gpus_per_node() && occupation.gpus_per_node() > pool.gpus_per_node()) {
      return base::InvalidField(at + ".gpus_per_node",
                                fmt::format("must be at most the pool's: gpus_per_node={} pool={}",
                                            occupation.gpus_per_node(), pool.gpus_per_node()));
    }
    std::vector<NodeRange>& ranges = named[static_cast<size_t>(i)];
    if (occupation.nodes().empty()) ranges = taken.Take(occupation.node_count(), /*from_the_end=*/false);
    if (ranges.empty()) continue;
    const int gpus = occupation.has_gpus_per_node() ? occupation.gpus_per_node() : pool.gpus_per_node();
    const cluster::Micros end = End(occupation.has_release_time(), occupation.release_time());
    NodeBlock& block = nodes.blocks.emplace_back();
    block.use = schedule::Use{ranges, gpus, kBeginning, end};
    block.kind = NodeBlock::Kind::kInUse;
    block.what = WithReason("in use", occupation.description());
    block.tenant = occupation.tenant();
    block.plan = occupation.plan();
    block.index = i;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PoolNodes> NodesOf(std::string_view field, const v1::Cluster& cluster, int index) {
  const v1::NodePool& pool = cluster.node_pools(index);
  const std::string at = fmt::format("{}.node_pools[{}]", field, index);
  PoolNodes nodes;
  ASSIGN_OR_RETURN(nodes.names, NamesOf(at, pool));
  Taken taken(pool.node_count());
  RETURN_IF_ERROR(AddConditions(at, pool, nodes, taken));
  RETURN_IF_ERROR(AddOccupations(at, pool, nodes, taken));
  for (int i = 0; i < cluster.maintenance_windows_size(); ++i) {
    const v1::MaintenanceWindow& window = cluster.maintenance_windows(i);
    if (!window.node_pool().empty() && window.node_pool() != pool.name()) continue;
    std::vector<NodeRange> ranges = {{0, static_cast<int32_t>(pool.node_count() - 1)}};
    if (!window.nodes().empty()) {
      ASSIGN_OR_RETURN(ranges, Named(fmt::format("{}.maintenance_windows[{}]", field, i), nodes.names, window.nodes()));
    }
    NodeBlock& block = nodes.blocks.emplace_back();
    block.use =
        schedule::Use{std::move(ranges), pool.gpus_per_node(), cluster::ToMicros(TimeFromProto(window.start_time())),
                      cluster::ToMicros(TimeFromProto(window.end_time()))};
    block.kind = NodeBlock::Kind::kMaintenance;
    block.what = WithReason("in maintenance", window.description());
  }
  return nodes;
}

absl::Status CheckOccupations(std::string_view field, const v1::NodePool& pool, const PoolNodes& nodes) {
  // All of them are in use now: they overlap, whenever they are released.
  std::vector<int> used(static_cast<size_t>(pool.node_count()), 0);
  for (const NodeBlock& block : nodes.blocks) {
    if (block.kind != NodeBlock::Kind::kInUse) continue;
    for (const NodeRange& range : block.use.nodes) {
      for (int32_t node = range.first; node <= range.last; ++node) {
        int& of_node = used[static_cast<size_t>(node)];
        of_node += block.use.gpus_per_node;
        if (of_node <= pool.gpus_per_node()) continue;
        return base::InvalidField(fmt::format("{}.occupations[{}].gpus_per_node", field, block.index),
                                  fmt::format("occupations use more GPUs of {} than it has: used={} gpus_per_node={}",
                                              nodes.names.Text({{node, node}}), of_node, pool.gpus_per_node()));
      }
    }
  }
  return absl::OkStatus();
}

void SetStatus(absl::Time now, v1::Cluster& cluster) {
  const cluster::Micros moment = cluster::ToMicros(now);
  for (int i = 0; i < cluster.node_pools_size(); ++i) {
    v1::NodePoolStatus& status = *cluster.mutable_node_pools(i)->mutable_status();
    status.set_ready_node_count(cluster.node_pools(i).node_count());
    const absl::StatusOr<PoolNodes> nodes = NodesOf("cluster", cluster, i);
    if (!nodes.ok()) continue;
    for (const NodeBlock& block : nodes->blocks) {
      if (block.use.start > moment || block.use.end <= moment) continue;
      const int64_t count = cluster::CountOf(block.use.nodes);
      if (block.kind == NodeBlock::Kind::kDown) status.set_down_node_count(status.down_node_count() + count);
      if (block.kind == NodeBlock::Kind::kDrained) status.set_drained_node_count(status.drained_node_count() + count);
      if (block.kind == NodeBlock::Kind::kInUse) {
        status.set_used_gpu_count(status.used_gpu_count() + count * block.use.gpus_per_node);
      }
    }
    status.set_ready_node_count(status.ready_node_count() - status.down_node_count() - status.drained_node_count());
  }
}

}  // namespace planner::convert
