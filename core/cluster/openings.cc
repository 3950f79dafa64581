#include "core/cluster/openings.h"

#include <algorithm>
#include <tuple>

namespace planner::cluster {
namespace {

/// Openings of a chunk: small enough to be copied for a change, large enough for few pointers.
constexpr size_t kMost = 128;
/// Below, a chunk joins its neighbour.
constexpr size_t kLeast = kMost / 4;

}  // namespace

bool Openings::Less(const Opening& a, const Opening& b) const {
  return order_ == Order::kByStart ? std::tie(a.start, a.end) < std::tie(b.start, b.end)
                                   : std::tie(a.end, a.start) < std::tie(b.end, b.start);
}

std::vector<Opening> Openings::Changed(const std::vector<Opening>& openings, const Opening* change, const Opening* end) const {
  std::vector<Opening> changed;
  changed.reserve(openings.size() + static_cast<size_t>(end - change));
  auto opening = openings.begin();
  for (; change != end; ++change) {
    for (; opening != openings.end() && Less(*opening, *change); ++opening) changed.push_back(*opening);
    Opening sum = *change;
    if (opening != openings.end() && !Less(*change, *opening)) sum.nodes += (opening++)->nodes;
    if (sum.nodes != 0) changed.push_back(sum);
  }
  changed.insert(changed.end(), opening, openings.end());
  return changed;
}

void Openings::Replace(size_t chunk, std::vector<Opening> openings) {
  size_ += openings.size();
  if (!chunks_.empty()) {
    size_ -= chunks_[chunk]->openings.size();
    if (openings.size() < kLeast && chunk + 1 < chunks_.size()) {
      const std::vector<Opening>& next = chunks_[chunk + 1]->openings;
      openings.insert(openings.end(), next.begin(), next.end());
      chunks_.erase(chunks_.begin() + static_cast<ptrdiff_t>(chunk) + 1);
    }
    chunks_.erase(chunks_.begin() + static_cast<ptrdiff_t>(chunk));
  }
  // Equal parts, so that none is too small.
  const size_t parts = (openings.size() + kMost - 1) / kMost;
  Chunks made;
  for (size_t part = 0; part < parts; ++part) {
    const auto at = [&](size_t number) { return openings.begin() + static_cast<ptrdiff_t>(openings.size() * number / parts); };
    auto one = std::make_shared<Chunk>();
    one->openings.assign(at(part), at(part + 1));
    one->latest_end = one->openings.front().end;
    for (const Opening& opening : one->openings) one->latest_end = std::max(one->latest_end, opening.end);
    made.push_back(std::move(one));
  }
  chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(chunk), made.begin(), made.end());
}

void Openings::Apply(const std::vector<Opening>& changes) {
  const Opening* const end = changes.data() + changes.size();
  for (const Opening* change = changes.data(); change != end;) {
    // The first chunk that does not end before the change; what comes after all goes to the last one.
    const auto found = std::partition_point(chunks_.begin(), chunks_.end(),
                                            [&](const auto& one) { return Less(one->openings.back(), *change); });
    const auto chunk = std::min(static_cast<size_t>(found - chunks_.begin()), chunks_.empty() ? 0 : chunks_.size() - 1);
    const Opening* ours = change + 1;
    while (ours != end && (chunk + 1 >= chunks_.size() || !Less(chunks_[chunk]->openings.back(), *ours))) ++ours;
    Replace(chunk, Changed(chunks_.empty() ? std::vector<Opening>() : chunks_[chunk]->openings, change, ours));
    change = ours;
  }
}

bool operator==(const Openings& a, const Openings& b) {
  return a.order_ == b.order_ && a.size_ == b.size_ && std::equal(a.begin(), a.end(), b.begin());
}

void Openings::VisitAround(Micros start, Micros end, const std::function<bool(const Opening&)>& visit) const {
  // The first one that begins too late; all before it have begun.
  const auto too_late = std::partition_point(chunks_.begin(), chunks_.end(),
                                             [&](const auto& one) { return one->openings.front().start <= start; });
  for (auto chunk = too_late; chunk != chunks_.begin();) {
    --chunk;
    if ((*chunk)->latest_end < end) continue;
    const std::vector<Opening>& all = (*chunk)->openings;
    for (auto opening = all.rbegin(); opening != all.rend(); ++opening) {
      if (opening->start <= start && opening->end >= end && !visit(*opening)) return;
    }
  }
}

}  // namespace planner::cluster
