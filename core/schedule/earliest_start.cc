#include "core/schedule/earliest_start.h"

#include <algorithm>

namespace planner::schedule {
namespace {

using cluster::Calendar;
using cluster::Opening;
using cluster::Quota;
using cluster::Step;

/// Starts that a quota allows. Steps are looked at when they are asked for, each once: a tenant may have tens of thousands, and the
/// answer mostly is near.
class QuotaStarts {
 public:
  QuotaStarts(const Quota& quota, const Request& request)
      : steps_(quota.used), most_used_(quota.max_gpus - request.shape.gpus()), duration_(request.duration) {
    const auto after = std::upper_bound(steps_.begin(), steps_.end(), request.not_before,
                                        [](Micros time, const Step& step) { return time < step.start; });
    next_ = static_cast<size_t>(after - steps_.begin());
    if (next_ > 0) --next_;
  }

  /// The first one from `start`, which is not before the request's not_before, on; kForever if there is none.
  Micros From(Micros start) {
    if (most_used_ < 0) return kForever;
    while (start != kForever) {
      while (next_ < steps_.size() && (too_high_.empty() || too_high_.back().to <= start)) Look();
      const auto met =
          std::partition_point(too_high_.begin(), too_high_.end(), [&](const Stretch& one) { return one.to <= start; });
      if (met == too_high_.end() || (met->from > start && met->from - start >= duration_)) break;
      start = met->to;
    }
    return start;
  }

 private:
  /// [from, to), in which the use is too high.
  struct Stretch {
    Micros from;
    Micros to;
  };

  void Look() {
    const Step& step = steps_[next_++];
    if (step.level > most_used_)
      too_high_.push_back({step.start, next_ < steps_.size() ? steps_[next_].start : kForever});
  }

  const std::vector<Step>& steps_;
  const int64_t most_used_;  ///< By others.
  const Micros duration_;
  size_t next_ = 0;
  std::vector<Stretch> too_high_;
};

/// Starts that all quotas allow.
class AllowedStarts {
 public:
  explicit AllowedStarts(const Request& request) {
    for (const Quota* quota : request.quotas) quotas_.emplace_back(*quota, request);
  }

  /// As QuotaStarts.
  Micros From(Micros start) {
    for (Micros before = -1; before != start;) {
      before = start;
      for (QuotaStarts& quota : quotas_) start = quota.From(start);
    }
    return start;
  }

 private:
  std::vector<QuotaStarts> quotas_;
};

/// The latest start in an opening.
Micros LastStart(const Opening& opening, Micros duration) { return opening.end - duration; }

std::optional<Micros> WholeNodes(const Calendar& calendar, const Request& request, AllowedStarts& allowed) {
  const Micros duration = request.duration;
  Micros start = allowed.From(request.not_before);
  if (start > request.not_after || start > cluster::kForever - duration) return std::nullopt;
  // Most requests fit at once, and few openings show it.
  int64_t nodes = 0;
  calendar.by_start.VisitAround(start, start + duration, [&](const Opening& one) {
    nodes += one.nodes;
    return nodes < request.shape.nodes;
  });
  if (nodes >= request.shape.nodes) return start;
  // Later on, free nodes are those plus what has begun less what it is too late in, as far as it is long enough; what was too late
  // even at first is in neither.
  const auto counts = [&, first = start](const Opening& one) {
    return LastStart(one, duration) >= std::max(one.start, first);
  };
  auto begins = calendar.by_start.PartitionPoint([&](const Opening& one) { return one.start <= start; });
  auto ends = calendar.by_end.PartitionPoint([&](const Opening& one) { return LastStart(one, duration) < start; });
  while (true) {
    // Only an opening that begins can help.
    while (begins != calendar.by_start.end() && !counts(*begins)) ++begins;
    if (begins == calendar.by_start.end()) return std::nullopt;
    start = allowed.From(begins->start);
    if (start > request.not_after || start == kForever) return std::nullopt;
    for (; begins != calendar.by_start.end() && begins->start <= start; ++begins) {
      if (counts(*begins)) nodes += begins->nodes;
    }
    for (; ends != calendar.by_end.end() && LastStart(*ends, duration) < start; ++ends) {
      if (counts(*ends)) nodes -= ends->nodes;
    }
    if (nodes >= request.shape.nodes) return start;
  }
}

/// The first start on one node that is shared, by `not_after`.
std::optional<Micros> SharedNode(const std::vector<Step>& free, const Request& request, AllowedStarts& allowed,
                                 Micros not_after) {
  Micros since = kForever;  // Enough has been free from then on.
  // The first step begins with time itself.
  const auto after = std::upper_bound(free.begin(), free.end(), request.not_before,
                                      [](Micros time, const Step& step) { return time < step.start; });
  for (auto i = static_cast<size_t>(after - free.begin()) - 1; i < free.size(); ++i) {
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
  AllowedStarts allowed(request);
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
