#include <algorithm>

#include "services/bookings/cluster_calendar.h"
#include "services/convert/time.h"

namespace planner::bookings {
namespace {

using Kind = convert::NodeBlock::Kind;

/// What is said of a node at one moment.
struct Node {
  int64_t used = 0;
  int64_t booked = 0;
  bool is_down = false;
  bool is_in_maintenance = false;
  bool is_drained = false;
};

template <typename Say>
void ForEach(const std::vector<cluster::NodeRange>& ranges, std::vector<Node>& nodes, const Say& say) {
  for (const cluster::NodeRange& range : ranges) {
    const auto end = std::min<int64_t>(range.last, static_cast<int64_t>(nodes.size()) - 1);
    for (int64_t i = range.first; i <= end; ++i) say(nodes[static_cast<size_t>(i)]);
  }
}

void Say(const convert::NodeBlock& block, std::vector<Node>& nodes) {
  ForEach(block.use.nodes, nodes, [&](Node& node) {
    switch (block.kind) {
      case Kind::kDown:
        node.is_down = true;
        break;
      case Kind::kDrained:
        node.is_drained = true;
        break;
      case Kind::kInUse:
        node.used += block.use.gpus_per_node;
        break;
      case Kind::kMaintenance:
        node.is_in_maintenance = true;
        break;
    }
  });
}

void AddNode(const Node& node, int64_t gpus, Cards& cards) {
  if (node.is_down) {
    cards.down += gpus;
    return;
  }
  const int64_t used = std::min(gpus, node.used);
  const int64_t booked = std::min(gpus - used, node.booked);
  const int64_t rest = gpus - used - booked;
  cards.used += used;
  cards.booked += booked;
  (node.is_in_maintenance ? cards.maintenance : node.is_drained ? cards.drained : cards.free) += rest;
}

bool HoldsAt(const schedule::Use& use, Micros now) { return use.start <= now && now < use.end; }

Micros EndOf(const v1::Reservation& reservation) { return cluster::ToMicros(convert::TimeFromProto(reservation.end_time())); }

}  // namespace

std::map<std::string, Cards> ClusterCalendar::CardsAt(Micros now) const {
  std::map<std::string, Cards> by_type;
  for (const PoolState& pool : pools_) {
    std::vector<Node> nodes(static_cast<size_t>(pool.ledger.node_count()));
    for (const convert::NodeBlock& block : pool.nodes.blocks) {
      if (HoldsAt(block.use, now) && !IsBooked(block, pool.pool.name)) Say(block, nodes);
    }
    for (auto at = bookings_.begin(); at != bookings_.end() && at->first.first <= now; ++at) {
      const v1::Reservation& reservation = at->second.reservation;
      if (reservation.node_pool() != pool.pool.name || EndOf(reservation) <= now) continue;
      const schedule::Use use = UseOf(reservation, pool);
      ForEach(use.nodes, nodes, [&](Node& node) { node.booked += use.gpus_per_node; });
    }
    Cards& cards = by_type[pool.pool.gpu.name];
    for (const Node& node : nodes) AddNode(node, pool.ledger.gpus_per_node(), cards);
  }
  return by_type;
}

std::map<std::string, std::vector<double>> ClusterCalendar::MeanBooked(Micros now, std::span<const Micros> spans) const {
  std::map<std::string, std::vector<double>> by_type;
  std::map<std::string, std::vector<double>*> by_pool;
  for (const PoolState& pool : pools_) {
    std::vector<double>& means = by_type[pool.pool.gpu.name];
    means.resize(spans.size(), 0);
    by_pool[pool.pool.name] = &means;
  }
  const Micros latest = now + (spans.empty() ? 0 : *std::max_element(spans.begin(), spans.end()));
  for (auto at = bookings_.begin(); at != bookings_.end() && at->first.first < latest; ++at) {
    const v1::Reservation& reservation = at->second.reservation;
    const auto means = by_pool.find(reservation.node_pool());
    if (means == by_pool.end()) continue;
    const Micros start = std::max(now, at->first.first);
    const Micros end = EndOf(reservation);
    for (size_t i = 0; i < spans.size(); ++i) {
      const Micros held = std::min(end, now + spans[i]) - start;
      if (held > 0) (*means->second)[i] += static_cast<double>(reservation.gpu_count()) * static_cast<double>(held) / static_cast<double>(spans[i]);
    }
  }
  return by_type;
}

}  // namespace planner::bookings
