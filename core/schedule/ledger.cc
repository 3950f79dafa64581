#include "core/schedule/ledger.h"

#include <algorithm>
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

/// A node that can be had.
struct Candidate {
  Micros slack;
  int32_t index;
  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

/// The tightest `count` of them, by index.
std::vector<NodeRange> Tightest(std::vector<Candidate> candidates, size_t count) {
  std::nth_element(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(count) - 1, candidates.end());
  std::vector<int32_t> indices;
  for (size_t i = 0; i < count; ++i) indices.push_back(candidates[i].index);
  std::sort(indices.begin(), indices.end());
  return cluster::ToRanges(indices);
}

}  // namespace

Ledger::Ledger(int64_t nodes, int gpus_per_node, int64_t nodes_per_rack)
    : gpus_per_node_(gpus_per_node), nodes_per_rack_(nodes_per_rack), nodes_(static_cast<size_t>(nodes)) {
  if (nodes == 0) return;
  by_start_[{kBeginning, kForever}] = nodes;
  by_end_[{kForever, kBeginning}] = nodes;
}

std::vector<Ledger::Gap> Ledger::GapsOf(const Node& node) const {
  std::vector<Gap> gaps;
  Micros free_from = kBeginning;
  for (const Item& item : node) {
    if (item.start > free_from) gaps.emplace_back(free_from, item.start);
    free_from = std::max(free_from, item.end);
  }
  if (free_from < kForever) gaps.emplace_back(free_from, kForever);
  return gaps;
}

std::vector<Step> Ledger::FreeSteps(const Node& node) const {
  std::vector<Step> changes;
  for (const Item& item : node) {
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

template <typename Change>
void Ledger::ForEachNode(const Use& use, const Change& change) {
  view_.reset();
  std::vector<std::pair<Gap, int64_t>> changes;
  for (const NodeRange& range : use.nodes) {
    for (int64_t i = range.first; i <= std::min<int64_t>(range.last, node_count() - 1); ++i) {
      Node& node = nodes_[static_cast<size_t>(i)];
      const std::vector<Gap> before = GapsOf(node);
      change(node);
      Micros latest = kBeginning;
      for (Item& item : node) item.latest_end = latest = std::max(latest, item.end);
      const std::vector<Gap> after = GapsOf(node);
      // Only what is around the use differs.
      const auto [same_before, same_after] = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
      for (auto gap = same_before; gap != before.end(); ++gap) changes.emplace_back(*gap, -1);
      for (auto gap = same_after; gap != after.end(); ++gap) changes.emplace_back(*gap, 1);
      const bool shared =
          std::any_of(node.begin(), node.end(), [&](const Item& item) { return item.gpus < gpus_per_node_; });
      if (shared) {
        shared_[static_cast<int32_t>(i)] = std::make_shared<const std::vector<Step>>(FreeSteps(node));
      } else {
        shared_.erase(static_cast<int32_t>(i));
      }
    }
  }
  // Nodes of one booking mostly have the same gaps.
  std::sort(changes.begin(), changes.end());
  for (size_t i = 0; i < changes.size();) {
    const Gap gap = changes[i].first;
    int64_t delta = 0;
    for (; i < changes.size() && changes[i].first == gap; ++i) delta += changes[i].second;
    if (delta == 0) continue;
    if ((by_start_[gap] += delta) == 0) by_start_.erase(gap);
    const Gap turned = {gap.second, gap.first};
    if ((by_end_[turned] += delta) == 0) by_end_.erase(turned);
  }
}

void Ledger::Add(const Use& use) {
  const Item item{use.start, use.end, use.gpus_per_node, use.end};
  ForEachNode(use, [&](Node& node) { node.insert(std::upper_bound(node.begin(), node.end(), item), item); });
}

void Ledger::Remove(const Use& use) {
  const Item item{use.start, use.end, use.gpus_per_node, use.end};
  ForEachNode(use, [&](Node& node) {
    const auto found = std::lower_bound(node.begin(), node.end(), item);
    if (found != node.end() && !(item < *found)) node.erase(found);
  });
}

int64_t Ledger::MostUsed(const Node& node, Micros start, Micros end) const {
  // The use is highest where some item begins, or at the start. Few items meet any one moment.
  const auto used_at = [&](Micros time) {
    int64_t used = 0;
    for (const Item& item : node) {
      if (item.start > time) break;
      if (item.end > time) used += item.gpus;
    }
    return used;
  };
  int64_t most = used_at(start);
  for (const Item& item : node) {
    if (item.start >= end) break;
    if (item.start > start && item.end > start) most = std::max(most, used_at(item.start));
  }
  return most;
}

bool Ledger::IsFree(const Use& use) const {
  for (const NodeRange& range : use.nodes) {
    if (range.first < 0 || range.last >= node_count()) return false;
    for (int64_t i = range.first; i <= range.last; ++i) {
      if (MostUsed(nodes_[static_cast<size_t>(i)], use.start, use.end) + use.gpus_per_node > gpus_per_node_)
        return false;
    }
  }
  return true;
}

bool Ledger::IsOverbooked(const Use& use) const {
  for (const NodeRange& range : use.nodes) {
    if (range.first < 0 || range.last >= node_count()) return true;
    for (int64_t i = range.first; i <= range.last; ++i) {
      if (MostUsed(nodes_[static_cast<size_t>(i)], use.start, use.end) > gpus_per_node_) return true;
    }
  }
  return false;
}

std::optional<Micros> Ledger::SlackIn(const Node& node, Micros start, Micros end) {
  const auto after = std::partition_point(node.begin(), node.end(), [&](const Item& item) { return item.start < end; });
  const Micros free_from = after == node.begin() ? kBeginning : std::prev(after)->latest_end;
  if (free_from > start) return std::nullopt;
  return Span(free_from, start) + Span(end, after == node.end() ? kForever : after->start);
}

std::vector<NodeRange> Ledger::PlaceWhole(int64_t count, Micros start, Micros end) const {
  const auto wanted = static_cast<size_t>(count);
  std::vector<Candidate> all;
  // Where one rack may do, one that does is looked for to the end.
  bool is_together = nodes_per_rack_ <= 0 || count > nodes_per_rack_;
  size_t rack_begins = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_per_rack_ > 0 && static_cast<int64_t>(i) % nodes_per_rack_ == 0) rack_begins = all.size();
    if (const std::optional<Micros> slack = SlackIn(nodes_[i], start, end)) {
      all.push_back({*slack, static_cast<int32_t>(i)});
    }
    is_together = is_together || all.size() - rack_begins >= wanted;
    if (is_together && all.size() >= wanted + kEnough) break;
  }
  if (all.size() < wanted) return {};
  if (nodes_per_rack_ <= 0) return Tightest(std::move(all), wanted);

  // The candidates are by rising index: racks are stretches of them.
  struct Rack {
    size_t begin;
    size_t end;
    size_t size() const { return end - begin; }
  };
  std::vector<Rack> racks;
  for (size_t begin = 0; begin < all.size();) {
    const int64_t rack = all[begin].index / nodes_per_rack_;
    size_t end_of_rack = begin;
    while (end_of_rack < all.size() && all[end_of_rack].index / nodes_per_rack_ == rack) ++end_of_rack;
    racks.push_back({begin, end_of_rack});
    begin = end_of_rack;
  }
  std::vector<int32_t> indices;
  const auto take = [&](const Rack& rack, size_t nodes) {
    const std::vector<Candidate> ours(all.begin() + static_cast<ptrdiff_t>(rack.begin),
                                      all.begin() + static_cast<ptrdiff_t>(rack.end));
    for (const NodeRange& range : Tightest(ours, nodes)) {
      for (int32_t i = range.first; i <= range.last; ++i) indices.push_back(i);
    }
  };
  // The fullest racks first, until one has all of what is left; then the one with the least.
  std::stable_sort(racks.begin(), racks.end(), [](const Rack& a, const Rack& b) { return a.size() > b.size(); });
  for (size_t i = 0, left = wanted; left > 0; ++i) {
    if (racks[i].size() >= left) {
      size_t least = i;
      while (least + 1 < racks.size() && racks[least + 1].size() >= left) ++least;
      // Of equal ones the first.
      while (least > i && racks[least - 1].size() == racks[least].size()) --least;
      take(racks[least], left);
      break;
    }
    take(racks[i], racks[i].size());
    left -= racks[i].size();
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
  calendar->by_start.reserve(by_start_.size());
  for (const auto& [gap, nodes] : by_start_) calendar->by_start.push_back({gap.first, gap.second, nodes});
  calendar->by_end.reserve(by_end_.size());
  for (const auto& [gap, nodes] : by_end_) calendar->by_end.push_back({gap.second, gap.first, nodes});
  calendar->shared_nodes.reserve(shared_.size());
  for (const auto& [index, steps] : shared_) calendar->shared_nodes.push_back(steps);
  view_ = std::move(calendar);
  return view_;
}

}  // namespace planner::schedule
