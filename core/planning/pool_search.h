#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/calibration/calibration.h"
#include "core/cluster/snapshot.h"
#include "core/hardware/precision.h"
#include "core/perf/counted_time.h"
#include "core/perf/utilization.h"
#include "core/planning/card_counts.h"
#include "core/planning/corrections.h"
#include "core/planning/layout_choice.h"
#include "core/planning/step_model.h"
#include "core/planning/workload.h"

namespace planner::planning {

/// What an answer must keep to, and what it is for.
struct Limits {
  static constexpr double kNone = std::numeric_limits<double>::infinity();
  double deadline_seconds = kNone;  ///< Of training.
  double finish_seconds = kNone;    ///< Of waiting and training: from the snapshot's time on.
  double budget = kNone;
  /// Longest training that an answer may have: 10,000 years, or to the end of the year 9999.
  double longest_seconds = kNone;
  /// kUnspecified: the fewest cards (by doublings) that finish within kUnaskedDeadlineSeconds, or else the fastest.
  Goal goal = Goal::kUnspecified;

  bool limited() const { return deadline_seconds < kNone || finish_seconds < kNone || budget < kNone; }
  /// The longest training that a deadline leaves, if it can start at once.
  double training_seconds() const { return std::min(deadline_seconds, finish_seconds); }
};

/// Without a limit, a goal or a number of cards: a month from the earliest start that is asked for. Of a job that is to start in 31 days
/// and takes 20 all is in time.
inline constexpr double kUnaskedDeadlineSeconds = 30 * 86400.0;

enum class Verdict { kMeets, kNoLayout, kMemory, kDeadline, kBudget, kTooLong, kNotFree };

/// A number of cards, tried.
struct Trial {
  Verdict verdict = Verdict::kNoLayout;
  int64_t gpus = 0;
  LayoutChoice::Fit layout;  ///< For kMemory what comes closest; meaningless for kNoLayout.
  calibration::Correction correction;  ///< Of what is predicted; step_seconds and its parts have it.
  double predicted_step_seconds = 0;   ///< Without it.
  double step_seconds = 0;
  perf::StepTime step;       ///< Where the step-time model tells the time.
  perf::CountedWait wait;    ///< Within step_seconds, where counts tell it.
  double total_seconds = 0;  ///< 0: no data set.
  absl::Time start;          ///< When so many cards are free for so long.
  double wait_seconds = 0;   ///< From the snapshot's time until then.
  double delay_seconds = 0;  ///< From the earliest start that is asked for until then.
  double gpu_hours = 0;
  double cost = 0;  ///< 0: no price.
};

/// A 90 % interval as factors of what is expected.
struct TimeInterval {
  double low = 1;
  double high = 1;
};

/// What a pool's calendar is asked: whose job it is, and from when on.
struct Waiting {
  absl::Time now;             ///< The snapshot's.
  absl::Time earliest_start;  ///< Not before `now`.
  std::vector<const cluster::Quota*> quotas;  ///< Borrowed, of the pool's.
};

/// A pool, ready to be tried. Not safe for concurrent use.
struct PoolContext {
  const Workload& work;  ///< Borrowed, with `pool`, for the life of the context.
  const cluster::Pool& pool;
  Limits limits;
  Waiting waiting;
  CardRange range;
  parallel::LayoutSpace space;
  hardware::Peak peak;
  /// Times and ranks layouts of transformers; where a utilization is given it only ranks them.
  std::optional<StepModel> step_model;
  /// Where no step-time model tells the time. Low and high equal the ratio where it was given.
  perf::Utilization utilization;
  std::optional<perf::Machine>
      machine;  ///< Of counted models that are no transformers: for what waits between their cards.
  Corrections corrections;  ///< By measured runs. Of a given utilization: none.

  /// The preferred layout of so many cards, and whether it keeps the limits.
  Trial Try(int64_t gpus);
  /// When so many cards are free for so long, and the tenant may have them; nullopt: never, as far as is known.
  std::optional<absl::Time> StartOf(int64_t gpus, double seconds) const;
  /// Cards below which LeastCardsForMemory do not suffice, or the deadline cannot be met without any recomputation.
  int64_t LeastCards() const { return std::max(LeastCardsForMemory(), LeastCardsFor(limits.training_seconds())); }
  /// Cards below which states alone exceed the memory.
  int64_t LeastCardsForMemory() const;
  /// Cards below which the data set cannot be done in so many seconds, without any recomputation unless it is fixed.
  int64_t LeastCardsFor(double seconds) const;
  /// 90 % interval of a trial's time, relative to it, corrected as the time is; nothing is uncertain about a given utilization.
  TimeInterval IntervalOf(const Trial& trial) const;
  bool time_is_modelled() const { return step_model.has_value() && !work.ratio_is_given; }
  /// "A100-SXM-80GB", or "main/a100 (A100-SXM-80GB)".
  std::string Name() const;
};

/// NOT_FOUND where the card has no peak for the precision. `learned` is borrowed for the life of the context; null: nothing.
absl::StatusOr<PoolContext> MakePoolContext(const Workload& work, const cluster::Pool& pool, const JobSpec& job,
                                            const Limits& limits, absl::Time now,
                                            const calibration::Calibration* learned = nullptr);

/// What a pool has to offer.
struct PoolAnswer {
  std::vector<Trial> options;  ///< All meet the limits; best first. At most 1 + `alternatives`.
  std::string limited_by;  ///< Of the first option: "memory", "deadline", "budget", "batch", "cards", or LargestPart.
  std::string next_better;        ///< Why the next better number of cards is not possible; empty where nothing rules it out.
  std::string infeasible_reason;  ///< Where there is no option: by how much.
};

/// Tries numbers of cards by the goal:
/// - fewest: every offered number from the least possible on, 256 of them that have layouts, then by doublings, the last of
///   which is narrowed down by halving;
/// - fastest: one by one downwards from the most, 256 of them, then by halves; where they have to be waited for, as many as are
///   free at once, and halves, as long as they may finish sooner; and fewer that a given batch is shared out over better;
/// - cheapest: by doublings, then up to 128 numbers from an eighth of the best to eight times as many;
/// - no goal: by doublings. There and for the cheapest one by one only if no doubling does.
/// Alternatives are twice (fastest: half) as many cards each.
PoolAnswer SearchPool(PoolContext& context, int alternatives);

/// What takes the largest part of a trial's step: "compute" (products, attention, element-wise work, recomputation, optimizer), or what the
/// cards wait for: "launch", "tensor parallel", "context parallel", "expert parallel", "pipeline" (bubble and sends), "data parallel". "compute"
/// where the time follows from a utilization alone. 40 % compute, 45 % bubble: "pipeline".
std::string LargestPart(const PoolContext& context, const Trial& trial);

/// Whether `a` is better than `b` for the goal; `priced` tells which of them have a cost. A strict weak order.
bool Better(const Trial& a, bool a_priced, const Trial& b, bool b_priced, Goal goal);

}  // namespace planner::planning
