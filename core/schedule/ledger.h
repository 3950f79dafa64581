#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "core/cluster/calendar.h"
#include "core/cluster/host_list.h"
#include "core/schedule/earliest_start.h"

namespace planner::schedule {

using cluster::NodeRange;

/// GPUs of nodes that cannot be used otherwise in [start, end): a reservation, a job, maintenance, a broken node.
struct Use {
  std::vector<NodeRange> nodes;
  int gpus_per_node = 8;  ///< Of each of them; all: the whole node.
  Micros start = std::numeric_limits<Micros>::min();
  Micros end = kForever;  ///< After start.
};

/// Who has which node of a pool when: what bookings are made in. A booking has its nodes from the moment it is made, so that it is
/// certain that each of them is free throughout: enough free nodes at every moment would not do, since a job cannot change its
/// nodes. Uses may overlap (a node that breaks while it is booked). Not safe for concurrent use.
class Ledger {
 public:
  /// `nodes_per_rack` 0: all nodes are equally near. `uses` are as if added one by one, but at a tenth of the cost.
  Ledger(int64_t nodes, int gpus_per_node, int64_t nodes_per_rack = 0, const std::vector<Use>& uses = {});

  /// Nodes beyond the pool's are left out. Time: by the nodes of the use, and the logarithm of what they have.
  void Add(const Use& use);
  /// Of a use that was added.
  void Remove(const Use& use);

  /// Whether the GPUs are free on every one of the nodes, throughout; not on nodes beyond the pool's.
  bool IsFree(const Use& use) const;
  /// Whether nodes of the use, which was added, have more GPUs in use at some moment of it than there are.
  bool IsOverbooked(const Use& use) const;

  /// Nodes that are free in [start, end), by rising index; empty if there are not enough. Whole nodes come from one rack if any rack
  /// has enough (of these the one that has the fewest), else from as few racks as possible; among them from the tightest gaps in
  /// time. GPUs of a node come from the node that has the fewest left. A large pool is not looked through to the end for the best:
  /// 512 nodes more than are wanted are enough to choose from. Time: by the nodes that are free then, not by the bookings.
  std::vector<NodeRange> Place(const Shape& shape, Micros start, Micros end) const;

  /// As a value for planning, which has most of the one before in it. The same one until something changes.
  std::shared_ptr<const cluster::Calendar> View() const;

  int64_t node_count() const { return static_cast<int64_t>(nodes_.size()); }
  int gpus_per_node() const { return gpus_per_node_; }

 private:
  struct Item {
    Micros start;
    Micros end;
    int gpus;
    Micros latest_end;  ///< Of this one and those before it.
    friend bool operator<(const Item& a, const Item& b) {
      return std::tie(a.start, a.end, a.gpus) < std::tie(b.start, b.end, b.gpus);
    }
  };
  using Items = std::vector<Item>;  ///< Sorted.
  struct Node {
    Items items;
    int32_t shared_items = 0;  ///< Those of less than the node.
  };
  using Gap = std::pair<Micros, Micros>;
  /// A gap that a node has lost (-1) or won (1).
  struct GapChange {
    Gap gap;
    int32_t node;
    int sign;
    friend auto operator<=>(const GapChange&, const GapChange&) = default;
  };
  /// A node that can be had.
  struct Candidate {
    Micros slack;  ///< How much of the gap around the job it leaves.
    int32_t index;
    friend auto operator<=>(const Candidate&, const Candidate&) = default;
  };

  /// The first item that has not ended by `time`, or comes after one that has not.
  static Items::const_iterator FirstAfter(const Items& items, Micros time);
  /// A node's gaps that meet [start, end) or touch it.
  static absl::InlinedVector<Gap, 4> GapsAround(const Items& items, Micros start, Micros end);
  std::vector<cluster::Step> FreeSteps(const Items& items) const;
  static int64_t MostUsed(const Items& items, Micros start, Micros end);
  /// Nodes that are free in [start, end): all, or enough of them to choose from.
  std::vector<Candidate> FreeNodes(size_t wanted, Micros start, Micros end) const;
  std::vector<NodeRange> PlaceWhole(int64_t count, Micros start, Micros end) const;
  std::vector<NodeRange> PlaceShared(int gpus, Micros start, Micros end) const;
  int32_t RackOf(int32_t node) const { return static_cast<int32_t>(node / nodes_per_rack_); }
  /// visit(index, Node) of those of the use's nodes that there are.
  template <typename Visit>
  void ForEachNode(const Use& use, const Visit& visit);
  /// Changes the items of the use's nodes by change(Node), and all that follows from them.
  template <typename Change>
  void ChangeNodes(const Use& use, const Change& change);
  /// Puts what is free of a node that jobs share into shared_.
  void ShowShared(int32_t index);
  void ChangeGaps(std::vector<GapChange> changes);

  const int gpus_per_node_;
  const int64_t nodes_per_rack_;
  std::vector<Node> nodes_;
  absl::flat_hash_map<Gap, std::vector<int32_t>> nodes_by_gap_;  ///< By rising index.
  cluster::Openings by_start_{cluster::Openings::Order::kByStart};
  cluster::Openings by_end_{cluster::Openings::Order::kByEnd};
  /// Each one made anew when it changes, so that views can have it, too.
  absl::btree_map<int32_t, std::shared_ptr<const std::vector<cluster::Step>>> shared_;
  mutable std::shared_ptr<const cluster::Calendar> view_;
};

}  // namespace planner::schedule
