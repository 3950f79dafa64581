#include "core/schedule/ledger.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace planner::schedule {
namespace {

using cluster::Calendar;
using cluster::Step;

constexpr Micros kBeginning = std::numeric_limits<Micros>::min();

/// A gap of a century is as good as one without an end.
constexpr Micros kCentury = int64_t{100} * 365 * 86400 * 1'000'000;

Micros Span(Micros from, Micros to) {
  return from == kBeginning || to == kForever ? kCentury : std::min(kCentury, to - from);
}

/// Nodes beyond those wanted that are chosen from: to look at all of a large pool would take a millisecond and gain little.
constexpr size_t kEnough = 512;

/// Adds rising indices to rising ones, or takes them out.
void Change(std::vector<int32_t>& nodes, const std::vector<int32_t>& by, bool adds) {
  std::vector<int32_t> changed;
  changed.reserve(nodes.size() + (adds ? by.size() : 0));
  adds ? std::merge(nodes.begin(), nodes.end(), by.begin(), by.end(), std::back_inserter(changed))
       : std::set_difference(nodes.begin(), nodes.end(), by.begin(), by.end(), std::back_inserter(changed));
  nodes = std::move(changed);
}

}  // namespace

Ledger::Ledger(int64_t nodes, int gpus_per_node, int64_t nodes_per_rack, const std::vector<Use>& uses)
    : gpus_per_node_(gpus_per_node), nodes_per_rack_(nodes_per_rack), nodes_(static_cast<size_t>(nodes)) {
  for (const Use& use : uses) {
    ForEachNode(use, [&](int32_t, Node& node) {
      node.items.push_back({use.start, use.end, use.gpus_per_node, use.end});
      node.shared_items += use.gpus_per_node < gpus_per_node_ ? 1 : 0;
    });
  }
  std::vector<GapChange> all;
  for (int32_t i = 0; i < nodes; ++i) {
    Node& node = nodes_[static_cast<size_t>(i)];
    std::sort(node.items.begin(), node.items.end());
    Micros latest = kBeginning;
    for (Item& item : node.items) item.latest_end = latest = std::max(latest, item.end);
    for (const Gap& gap : GapsAround(node.items, kBeginning, kForever)) all.push_back({gap, i, 1});
    ShowShared(i);
  }
  ChangeGaps(std::move(all));
}

Ledger::Items::const_iterator Ledger::FirstAfter(const Items& items, Micros time) {
  return std::partition_point(items.begin(), items.end(), [&](const Item& item) { return item.latest_end <= time; });
}

absl::InlinedVector<Ledger::Gap, 4> Ledger::GapsAround(const Items& items, Micros start, Micros end) {
  absl::InlinedVector<Gap, 4> gaps;
  // A gap ends where an item starts.
  auto item = std::partition_point(items.begin(), items.end(), [&](const Item& one) { return one.start < start; });
  Micros free_from = item == items.begin() ? kBeginning : std::prev(item)->latest_end;
  for (; item != items.end() && free_from <= end; ++item) {
    if (item->start > free_from) gaps.emplace_back(free_from, item->start);
    free_from = std::max(free_from, item->end);
  }
  if (item == items.end() && free_from <= end && free_from < kForever) gaps.emplace_back(free_from, kForever);
  return gaps;
}

std::vector<Step> Ledger::FreeSteps(const Items& items) const {
  std::vector<Step> changes;
  changes.reserve(2 * items.size());
  for (const Item& item : items) {
    changes.push_back({item.start, -item.gpus});
    if (item.end != kForever) changes.push_back({item.end, item.gpus});
  }
  std::sort(changes.begin(), changes.end(), [](const Step& a, const Step& b) { return a.start < b.start; });
  std::vector<Step> steps = {{kBeginning, gpus_per_node_}};
  int64_t free = gpus_per_node_;
  for (const Step& change : changes) {
    free += change.level;
    if (steps.back().start == change.start) {
      steps.back().level = free;
    } else {
      steps.push_back({change.start, free});
    }
  }
  return steps;
}

void Ledger::ChangeGaps(std::vector<GapChange> changes) {
  // Nodes of one booking mostly have the same gaps.
  std::sort(changes.begin(), changes.end());
  std::vector<cluster::Opening> openings;
  for (auto change = changes.begin(); change != changes.end();) {
    const Gap gap = change->gap;
    std::vector<int32_t> lost, won;
    for (; change != changes.end() && change->gap == gap; ++change) (change->sign < 0 ? lost : won).push_back(change->node);
    std::vector<int32_t>& nodes = nodes_by_gap_[gap];
    if (!lost.empty()) Change(nodes, lost, false);
    if (!won.empty()) Change(nodes, won, true);
    if (nodes.empty()) nodes_by_gap_.erase(gap);
    const int64_t more = static_cast<int64_t>(won.size()) - static_cast<int64_t>(lost.size());
    if (more != 0) openings.push_back({gap.first, gap.second, more});
  }
  by_start_.Apply(openings);
  std::sort(openings.begin(), openings.end(), [](const cluster::Opening& a, const cluster::Opening& b) {
    return std::tie(a.end, a.start) < std::tie(b.end, b.start);
  });
  by_end_.Apply(openings);
}

template <typename Visit>
void Ledger::ForEachNode(const Use& use, const Visit& visit) {
  for (const NodeRange& range : use.nodes) {
    for (int32_t i = range.first; i <= std::min<int64_t>(range.last, node_count() - 1); ++i) visit(i, nodes_[static_cast<size_t>(i)]);
  }
}

void Ledger::ShowShared(int32_t index) {
  const Node& node = nodes_[static_cast<size_t>(index)];
  if (node.shared_items > 0) {
    shared_[index] = std::make_shared<const std::vector<Step>>(FreeSteps(node.items));
  } else {
    shared_.erase(index);
  }
}

template <typename Change>
void Ledger::ChangeNodes(const Use& use, const Change& change) {
  view_.reset();
  std::vector<GapChange> changes;
  ForEachNode(use, [&](int32_t i, Node& node) {
    const auto before = GapsAround(node.items, use.start, use.end);
    change(node);
    const auto after = GapsAround(node.items, use.start, use.end);
    // A gap that only touches the use has stayed as it was.
    for (const Gap& gap : before) {
      if (std::find(after.begin(), after.end(), gap) == after.end()) changes.push_back({gap, i, -1});
    }
    for (const Gap& gap : after) {
      if (std::find(before.begin(), before.end(), gap) == before.end()) changes.push_back({gap, i, 1});
    }
    ShowShared(i);
  });
  ChangeGaps(std::move(changes));
}

void Ledger::Add(const Use& use) {
  const Item added{use.start, use.end, use.gpus_per_node, use.end};
  ChangeNodes(use, [&](Node& node) {
    auto item = node.items.insert(std::upper_bound(node.items.begin(), node.items.end(), added), added);
    if (item != node.items.begin()) item->latest_end = std::max(item->latest_end, std::prev(item)->latest_end);
    const Micros latest = item->latest_end;
    for (++item; item != node.items.end() && item->latest_end < latest; ++item) item->latest_end = latest;
    node.shared_items += added.gpus < gpus_per_node_ ? 1 : 0;
  });
}

void Ledger::Remove(const Use& use) {
  const Item removed{use.start, use.end, use.gpus_per_node, use.end};
  ChangeNodes(use, [&](Node& node) {
    const auto found = std::lower_bound(node.items.begin(), node.items.end(), removed);
    if (found == node.items.end() || removed < *found) return;
    auto item = node.items.erase(found);
    Micros latest = item == node.items.begin() ? kBeginning : std::prev(item)->latest_end;
    for (; item != node.items.end() && item->latest_end != std::max(latest, item->end); ++item) {
      item->latest_end = latest = std::max(latest, item->end);
    }
    node.shared_items -= removed.gpus < gpus_per_node_ ? 1 : 0;
  });
}

int64_t Ledger::MostUsed(const Items& items, Micros start, Micros end) {
  // The use is highest where some item begins, or at the start. Few items meet any one moment.
  const auto used_at = [&](Micros time) {
    int64_t used = 0;
    for (auto item = FirstAfter(items, time); item != items.end() && item->start <= time; ++item) {
      if (item->end > time) used += item->gpus;
    }
    return used;
  };
  int64_t most = used_at(start);
  for (auto item = FirstAfter(items, start); item != items.end() && item->start < end; ++item) {
    if (item->start > start) most = std::max(most, used_at(item->start));
  }
  return most;
}

bool Ledger::IsFree(const Use& use) const {
  for (const NodeRange& range : use.nodes) {
    if (range.first < 0 || range.last >= node_count()) return false;
    for (int64_t i = range.first; i <= range.last; ++i) {
      if (MostUsed(nodes_[static_cast<size_t>(i)].items, use.start, use.end) + use.gpus_per_node > gpus_per_node_) return false;
    }
  }
  return true;
}

bool Ledger::IsOverbooked(const Use& use) const {
  for (const NodeRange& range : use.nodes) {
    if (range.first < 0 || range.last >= node_count()) return true;
    for (int64_t i = range.first; i <= range.last; ++i) {
      if (MostUsed(nodes_[static_cast<size_t>(i)].items, use.start, use.end) > gpus_per_node_) return true;
    }
  }
  return false;
}

std::vector<Ledger::Candidate> Ledger::FreeNodes(size_t wanted, Micros start, Micros end) const {
  std::vector<Candidate> free;
  // Where one rack may do, one that does is looked for to the end.
  const bool may_be_together = nodes_per_rack_ > 0 && static_cast<int64_t>(wanted) <= nodes_per_rack_;
  bool is_together = !may_be_together;
  std::vector<size_t> of_rack(may_be_together ? static_cast<size_t>(RackOf(static_cast<int32_t>(nodes_.size()) - 1)) + 1 : 0);
  by_start_.VisitAround(start, end, [&](const cluster::Opening& opening) {
    const Micros slack = Span(opening.start, start) + Span(end, opening.end);
    for (const int32_t node : nodes_by_gap_.at({opening.start, opening.end})) {
      free.push_back({slack, node});
      if (!is_together) is_together = ++of_rack[static_cast<size_t>(RackOf(node))] >= wanted;
      if (is_together && free.size() >= wanted + kEnough) return false;
    }
    return true;
  });
  return free;
}

std::vector<NodeRange> Ledger::PlaceWhole(int64_t count, Micros start, Micros end) const {
  const auto wanted = static_cast<size_t>(count);
  std::vector<Candidate> free = FreeNodes(wanted, start, end);
  if (free.size() < wanted) return {};
  std::vector<int32_t> indices;
  // The tightest ones, or the first of those that are equally tight.
  const auto take = [&](std::vector<Candidate>& from, size_t nodes) {
    std::nth_element(from.begin(), from.begin() + static_cast<ptrdiff_t>(nodes) - 1, from.end());
    for (size_t i = 0; i < nodes; ++i) indices.push_back(from[i].index);
  };
  if (nodes_per_rack_ <= 0) {
    take(free, wanted);
  } else {
    std::vector<std::vector<Candidate>> racks(static_cast<size_t>(RackOf(static_cast<int32_t>(nodes_.size()) - 1)) + 1);
    for (const Candidate& one : free) racks[static_cast<size_t>(RackOf(one.index))].push_back(one);
    // The fullest racks first, until one has all of what is left; then the one with the least.
    std::stable_sort(racks.begin(), racks.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    for (size_t i = 0, left = wanted; left > 0; ++i) {
      if (racks[i].size() >= left) {
        size_t least = i;
        while (least + 1 < racks.size() && racks[least + 1].size() >= left) ++least;
        // Of equal ones the first.
        while (least > i && racks[least - 1].size() == racks[least].size()) --least;
        take(racks[least], left);
        break;
      }
      left -= racks[i].size();
      take(racks[i], racks[i].size());
    }
  }
  std::sort(indices.begin(), indices.end());
  return cluster::ToRanges(indices);
}

std::vector<NodeRange> Ledger::PlaceShared(int gpus, Micros start, Micros end) const {
  std::optional<std::pair<int64_t, int32_t>> fullest;  // Free GPUs, node.
  size_t found = 0;
  for (const auto& [index, shared] : shared_) {
    const std::vector<Step>& steps = *shared;
    auto step = std::prev(std::upper_bound(steps.begin(), steps.end(), start,
                                           [](Micros time, const Step& one) { return time < one.start; }));
    int64_t free = gpus_per_node_;
    for (; step != steps.end() && step->start < end && free >= gpus; ++step) free = std::min(free, step->level);
    if (free < gpus) continue;
    if (!fullest || free < fullest->first) fullest = {free, index};
    if (fullest->first == gpus || ++found == kEnough) break;
  }
  if (fullest && fullest->first < gpus_per_node_) return {{fullest->second, fullest->second}};
  return PlaceWhole(1, start, end);
}

std::vector<NodeRange> Ledger::Place(const Shape& shape, Micros start, Micros end) const {
  return shape.gpus_per_node < gpus_per_node_ ? PlaceShared(shape.gpus_per_node, start, end)
                                              : PlaceWhole(shape.nodes, start, end);
}

std::shared_ptr<const Calendar> Ledger::View() const {
  if (view_ != nullptr) return view_;
  auto calendar = std::make_shared<Calendar>();
  calendar->node_count = node_count();
  calendar->gpus_per_node = gpus_per_node_;
  calendar->by_start = by_start_;
  calendar->by_end = by_end_;
  calendar->shared_nodes.reserve(shared_.size());
  for (const auto& [index, steps] : shared_) calendar->shared_nodes.push_back(steps);
  view_ = std::move(calendar);
  return view_;
}

}  // namespace planner::schedule
