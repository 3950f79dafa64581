#include "core/schedule/earliest_start.h"

#include <algorithm>
#include <limits>

namespace planner::schedule {
namespace {

using cluster::Calendar;
using cluster::Opening;
using cluster::Quota;
using cluster::Step;

/// Starts that quotas allow.
class AllowedStarts {
 public:
  explicit AllowedStarts(const Request& request) {
    for (const Quota* quota : request.quotas) Add(*quota, request);
    std::sort(forbidden_.begin(), forbidden_.end());
    // Joined, so that ends rise too.
    size_t last = 0;
    for (size_t i = 1; i < forbidden_.size(); ++i) {
      if (forbidden_[i].from <= forbidden_[last].to) {
        forbidden_[last].to = std::max(forbidden_[last].to, forbidden_[i].to);
      } else {
        forbidden_[++last] = forbidden_[i];
      }
    }
    if (!forbidden_.empty()) forbidden_.resize(last + 1);
  }

  /// The first one from `start` on; kForever if there is none.
  Micros From(Micros start) const {
    const auto next = std::upper_bound(forbidden_.begin(), forbidden_.end(), start,
                                       [](Micros time, const Forbidden& one) { return time < one.to; });
    return next != forbidden_.end() && next->from <= start ? next->to : start;
  }

 private:
  /// [from, to).
  struct Forbidden {
    Micros from = 0;
    Micros to = 0;
    friend auto operator<=>(const Forbidden&, const Forbidden&) = default;
  };

  /// A use too high in [x, y) forbids the starts from which the job would meet it: (x - duration, y).
  void Add(const Quota& quota, const Request& request) {
    const int64_t most_used = quota.max_gpus - request.shape.gpus();
    if (most_used < 0) forbidden_.push_back({std::numeric_limits<Micros>::min(), kForever});
    for (size_t i = 0; i < quota.used.size(); ++i) {
      if (quota.used[i].level <= most_used) continue;
      const Micros end = i + 1 < quota.used.size() ? quota.used[i + 1].start : kForever;
      // What is in use from the beginning of time on has no start to count back from.
      const Micros start = quota.used[i].start;
      forbidden_.push_back({start < 0 ? start : start - request.duration + 1, end});
    }
  }

  std::vector<Forbidden> forbidden_;
};

/// The latest start in an opening.
Micros LastStart(const Opening& opening, Micros duration) { return opening.end - duration; }

std::optional<Micros> WholeNodes(const Calendar& calendar, const Request& request, const AllowedStarts& allowed) {
  const Micros duration = request.duration;
  // Free nodes at `start` are those of openings that have begun less those of openings in which it is too late, as far as these
  // are long enough; what is too late even for not_before is in neither.
  const auto counts = [&](const Opening& one) {
    return LastStart(one, duration) >= std::max(one.start, request.not_before);
  };
  auto begins = calendar.by_start.begin();
  auto ends = std::partition_point(calendar.by_end.begin(), calendar.by_end.end(),
                                   [&](const Opening& one) { return LastStart(one, duration) < request.not_before; });
  int64_t nodes = 0;
  Micros start = request.not_before;
  while (true) {
    start = allowed.From(start);
    if (start > request.not_after || start == kForever) return std::nullopt;
    for (; begins != calendar.by_start.end() && begins->start <= start; ++begins) {
      if (counts(*begins)) nodes += begins->nodes;
    }
    for (; ends != calendar.by_end.end() && LastStart(*ends, duration) < start; ++ends) {
      if (counts(*ends)) nodes -= ends->nodes;
    }
    if (nodes >= request.shape.nodes) return start;
    // Only an opening that begins can help.
    while (begins != calendar.by_start.end() && !counts(*begins)) ++begins;
    if (begins == calendar.by_start.end()) return std::nullopt;
    start = begins->start;
  }
}

/// The first start on one node that is shared, by `not_after`.
std::optional<Micros> SharedNode(const std::vector<Step>& free, const Request& request, const AllowedStarts& allowed,
                                 Micros not_after) {
  Micros since = kForever;  // Enough has been free from then on.
  for (size_t i = 0; i < free.size(); ++i) {
    if (free[i].level >= request.shape.gpus_per_node) {
      if (since == kForever) since = std::max(free[i].start, request.not_before);
      if (i + 1 < free.size() && free[i + 1].level >= request.shape.gpus_per_node) continue;
      const Micros end = i + 1 < free.size() ? free[i + 1].start : kForever;
      const Micros start = allowed.From(since);
      if (start <= not_after && start <= end - request.duration) return start;
    } else {
      since = kForever;
      if (free[i].start > not_after) return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

Shape ShapeOf(int64_t gpus, int gpus_per_node) {
  if (gpus < gpus_per_node) return {1, static_cast<int>(gpus)};
  return {(gpus + gpus_per_node - 1) / gpus_per_node, gpus_per_node};
}

std::optional<Micros> EarliestStart(const Calendar& calendar, const Request& request) {
  const AllowedStarts allowed(request);
  std::optional<Micros> best = WholeNodes(calendar, request, allowed);
  if (request.shape.gpus_per_node >= calendar.gpus_per_node) return best;
  for (const auto& node : calendar.shared_nodes) {
    // Only what is earlier is of interest.
    const Micros not_after = best ? *best - 1 : request.not_after;
    if (not_after < request.not_before) break;
    if (const std::optional<Micros> start = SharedNode(*node, request, allowed, not_after)) best = start;
  }
  return best;
}

}  // namespace planner::schedule
