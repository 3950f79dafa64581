#include "core/planning/pool_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "core/base/status_macros.h"
#include "core/perf/counted_time.h"
#include "core/planning/infeasible.h"
#include "core/planning/run_kind.h"
#include "core/planning/text.h"
#include "core/schedule/earliest_start.h"
#include "fmt/format.h"

namespace planner::planning {
namespace {

/// Numbers with layouts that are tried one by one before going on by doublings, and those looked at for having layouts.
constexpr int kFineTrials = 256;
constexpr int kFineNumbers = 8192;

/// Whether the walk over the numbers of cards still goes one by one.
class Fine {
 public:
  bool AfterTrial(Verdict verdict) {
    if (verdict != Verdict::kNoLayout) ++trials_;
    ++numbers_;
    return trials_ < kFineTrials && numbers_ < kFineNumbers;
  }

 private:
  int trials_ = 0;
  int numbers_ = 0;
};

int64_t WholeCards(double cards) {
  return static_cast<int64_t>(std::ceil(std::clamp(cards, 1.0, static_cast<double>(kMostCards))));
}

/// Whether a trial finishes in the time that a person waits for without having said so.
bool InTime(const Trial& trial) { return trial.delay_seconds + trial.total_seconds <= kUnaskedDeadlineSeconds; }

/// Between `too_few` cards, which do not do, and those of `enough`, which do: halves the gap until neighbours differ, then
/// looks at the numbers just below, since what numbers can do is not quite monotonic (they divide the batch or not).
Trial FewestBetween(PoolContext& context, int64_t too_few, Trial enough) {
  while (true) {
    const int64_t cards = context.range.AtLeast(too_few + (enough.gpus - too_few + 1) / 2);
    if (cards >= enough.gpus) break;
    Trial trial = context.Try(cards);
    if (trial.verdict == Verdict::kMeets) {
      enough = std::move(trial);
    } else {
      too_few = cards;
    }
  }
  constexpr int kNeighbours = 64;
  int64_t cards = enough.gpus;
  for (int i = 0; i < kNeighbours; ++i) {
    cards = context.range.AtMost(cards - 1);
    if (cards == 0) break;
    if (Trial trial = context.Try(cards); trial.verdict == Verdict::kMeets) enough = std::move(trial);
  }
  return enough;
}

/// The trial with the fewest cards that meets the limits: one by one from the least possible on, then by doublings, the
/// last of which is narrowed down.
std::optional<Trial> Fewest(PoolContext& context, FailedTrials& failed) {
  int64_t cards = context.range.AtLeast(std::max(context.range.least, context.LeastCards()));
  // Not even all of them can do: they are tried for the reason's sake.
  if (cards == 0) cards = context.range.most;
  bool one_by_one = true;
  int64_t too_few = 0;
  for (Fine fine; cards != 0;) {
    Trial trial = context.Try(cards);
    if (trial.verdict == Verdict::kMeets) return one_by_one ? trial : FewestBetween(context, too_few, std::move(trial));
    failed.Add(trial);
    if (cards == context.range.most) break;
    too_few = cards;
    one_by_one = fine.AfterTrial(trial.verdict);
    const int64_t next = context.range.AtLeast(one_by_one ? cards + 1 : 2 * cards);
    cards = next != 0 ? next : context.range.most;
  }
  return std::nullopt;
}

/// Cards of whole nodes that are free from the earliest start on for so long.
int64_t FreeAtOnce(const PoolContext& context, double seconds) {
  constexpr double kMicrosPerSecond = 1e6;
  const cluster::Micros start = cluster::ToMicros(context.waiting.earliest_start);
  const auto duration = static_cast<cluster::Micros>(seconds * kMicrosPerSecond);
  int64_t nodes = 0;
  for (const cluster::Opening& opening : context.pool.calendar->by_start) {
    if (opening.start > start) break;
    if (opening.end - duration >= start) nodes += opening.nodes;
  }
  return nodes * context.range.per_node;
}

/// Fewer cards that finish before `best`, which has to be waited for: as many as are free at once, and halves of them and of the
/// best, until even at once they would be too late.
Trial SoonerWithFewer(PoolContext& context, const Trial& most) {
  Trial best = most;
  const auto halve = [&](int64_t cards) {
    for (cards = context.range.AtMost(cards); cards != 0; cards = context.range.AtMost(cards / 2)) {
      Trial trial = context.Try(cards);
      if (trial.verdict != Verdict::kNoLayout && trial.total_seconds >= best.wait_seconds + best.total_seconds) break;
      if (trial.verdict == Verdict::kMeets && Better(trial, false, best, false, Goal::kFastest)) best = std::move(trial);
      if (cards == context.range.least) break;
    }
  };
  if (context.pool.calendar != nullptr) halve(std::min(most.gpus - 1, FreeAtOnce(context, most.total_seconds)));
  halve(most.gpus / 2);
  return best;
}

/// What is left of `cards` once a batch, heads and layers are shared out over its divisors: 1 where they can be over all.
int64_t NotSharedOut(const parallel::LayoutSpace& space, int64_t cards) {
  const int64_t rest = cards / std::gcd(cards, space.global_batch);
  if (!space.shape) return rest;
  const int64_t without_heads = rest / std::gcd(rest, space.shape->heads);
  return without_heads / std::gcd(without_heads, space.shape->layers);
}

/// Fewer cards that share out a given batch better than `best` and finish before it: of the numbers down to half of it those that
/// have more in common with the batch than all above them, or leave no more over. 96 samples: 40 cards are 8 replicas of 5, 32 are 32.
Trial SoonerByTheBatch(PoolContext& context, Trial best) {
  constexpr int kMostTrials = 64;
  const parallel::LayoutSpace& space = context.space;
  if (space.batch_is_default) return best;
  const int64_t half = best.gpus / 2;
  int64_t cards = best.gpus;
  int64_t most_replicas = std::gcd(cards, space.global_batch);
  int64_t least_over = NotSharedOut(space, cards);
  for (int numbers = 0, trials = 0; numbers < kFineNumbers && trials < kMostTrials; ++numbers) {
    cards = context.range.AtMost(cards - 1);
    if (cards <= half || cards < context.LeastCardsFor(best.wait_seconds + best.total_seconds)) break;
    const int64_t replicas = std::gcd(cards, space.global_batch);
    const int64_t over = NotSharedOut(space, cards);
    if (replicas <= most_replicas && over > least_over) continue;
    most_replicas = std::max(most_replicas, replicas);
    least_over = std::min(least_over, over);
    ++trials;
    Trial trial = context.Try(cards);
    if (trial.verdict == Verdict::kMeets && Better(trial, false, best, false, Goal::kFastest)) best = std::move(trial);
  }
  return best;
}

std::optional<Trial> Fastest(PoolContext& context, FailedTrials& failed) {
  int64_t cards = context.range.most;
  for (Fine fine; cards != 0;) {
    const Trial trial = context.Try(cards);
    if (trial.verdict == Verdict::kMeets) {
      return SoonerByTheBatch(context, trial.wait_seconds > 0 ? SoonerWithFewer(context, trial) : trial);
    }
    failed.Add(trial);
    cards = context.range.AtMost(fine.AfterTrial(trial.verdict) ? cards - 1 : cards / 2);
  }
  return std::nullopt;
}

/// Numbers of cards from an eighth of `best` to eight times as many, without its doublings: those first that share out batch, heads and
/// layers with the least left over, then the fewest.
std::vector<int64_t> NumbersAround(const PoolContext& context, int64_t best) {
  constexpr int64_t kAround = 8;
  constexpr size_t kMostTrials = 128;
  std::vector<int64_t> numbers;
  const std::vector<int64_t> tried = context.range.Doublings();
  const int64_t most = std::min(context.range.most, kAround * best);
  int64_t cards = context.range.AtLeast(std::max(context.LeastCards(), (best + kAround - 1) / kAround));
  for (int looked_at = 0; cards != 0 && cards <= most && looked_at < kFineNumbers; ++looked_at) {
    if (!std::binary_search(tried.begin(), tried.end(), cards)) numbers.push_back(cards);
    cards = context.range.AtLeast(cards + 1);
  }
  if (numbers.size() <= kMostTrials) return numbers;
  std::stable_sort(numbers.begin(), numbers.end(), [&](int64_t a, int64_t b) {
    return NotSharedOut(context.space, a) < NotSharedOut(context.space, b);
  });
  numbers.resize(kMostTrials);
  return numbers;
}

/// Whether a trial's batch is the wanted one but for rounding: a larger default batch only looks cheaper.
bool KeepsTheBatch(const PoolContext& context, const Trial& trial) {
  constexpr double kRounding = 0.1;
  const auto batch = static_cast<double>(trial.layout.batched.global_batch);
  return std::abs(batch / static_cast<double>(context.space.global_batch) - 1) <= kRounding;
}

/// The best of the doublings, then of the numbers around it. GPT-3 with 1,536 samples on A100: 112 cards cost 4.5 % less than 128.
std::optional<Trial> Cheapest(PoolContext& context, FailedTrials& failed) {
  const bool priced = context.pool.price_per_gpu_hour.has_value();
  const int64_t least = context.LeastCards();
  std::optional<Trial> best;
  for (const int64_t cards : context.range.Doublings()) {
    if (cards < least && cards != context.range.most) continue;
    const Trial trial = context.Try(cards);
    if (trial.verdict != Verdict::kMeets) {
      failed.Add(trial);
    } else if (!best || Better(trial, priced, *best, priced, Goal::kCheapest)) {
      best = trial;
    }
  }
  if (!best) return best;
  for (const int64_t cards : NumbersAround(context, best->gpus)) {
    Trial trial = context.Try(cards);
    const bool counts = trial.verdict == Verdict::kMeets && KeepsTheBatch(context, trial);
    if (counts && Better(trial, priced, *best, priced, Goal::kCheapest)) best = std::move(trial);
  }
  return best;
}

/// The fewest of the doublings that finish in time, or else the most that meet the limits.
std::optional<Trial> Unasked(PoolContext& context, FailedTrials& failed) {
  const std::vector<int64_t> counts = context.range.Doublings();
  // What cannot be in time is tried only if nothing else is.
  const int64_t least = std::max(context.LeastCards(), context.LeastCardsFor(kUnaskedDeadlineSeconds));
  const auto in_time = std::lower_bound(counts.begin(), counts.end(), least);
  std::optional<Trial> late;
  for (auto cards = in_time; cards != counts.end(); ++cards) {
    const Trial trial = context.Try(*cards);
    if (trial.verdict != Verdict::kMeets) {
      failed.Add(trial);
    } else if (InTime(trial)) {
      return trial;
    } else {
      late = trial;
    }
  }
  for (auto cards = in_time; !late && cards != counts.begin();) {
    const Trial trial = context.Try(*--cards);
    if (trial.verdict == Verdict::kMeets) return trial;
    failed.Add(trial);
  }
  return late;
}

/// Cards that the fast link joins: no more than the pool's nodes have, unless it leaves the node (a rack of GB200).
int FastLinkCards(const cluster::Pool& pool) {
  const bool leaves_the_node = pool.gpu.scale_up_domain > pool.gpu.gpus_per_node;
  return leaves_the_node ? pool.gpu.scale_up_domain : std::min(pool.gpu.scale_up_domain, pool.gpus_per_node);
}

/// What keeps the best option from being better.
struct Limit {
  std::string by;
  std::string reason;  ///< Why the next better number of cards is not possible.
};

/// Why there are no more cards than the range has: the cluster ends there, the caller said so, or nothing asked for more.
std::string MostCardsReason(const PoolContext& context) {
  const std::string most = Cards(context.range.most);
  switch (context.range.end) {
    case CardRange::End::kPool:
      return fmt::format("{}: has no more than {}", context.Name(), most);
    case CardRange::End::kFree:
      return fmt::format("{}: has no more than {} that are not gone for good", context.Name(), most);
    case CardRange::End::kQuota:
      return fmt::format("{}: the tenant's quota leaves no more than {}", context.Name(), most);
    case CardRange::End::kAsked:
      return fmt::format("{}: no more than {} are asked for", context.Name(), most);
    case CardRange::End::kUnasked:
      break;
  }
  return fmt::format("{}: no more than {} were looked at; name a number of cards for more", context.Name(), most);
}

Limit LimitOf(PoolContext& context, const Trial& best) {
  const std::string part = LargestPart(context, best);
  if (context.range.single()) return {part, ""};
  const bool up = context.limits.goal == Goal::kFastest;
  const int64_t next = up ? context.range.AtLeast(best.gpus + 1) : context.range.AtMost(best.gpus - 1);
  if (next == 0) {
    return {up ? "cards" : part, up ? MostCardsReason(context) : ""};
  }
  const bool is_asked = context.limits.training_seconds() < Limits::kNone;
  if (!up && next < context.LeastCardsForMemory() && !is_asked) return {"memory", StatesReason(context, next)};
  if (context.limits.goal == Goal::kUnspecified && next < context.LeastCardsFor(kUnaskedDeadlineSeconds))
    return {part, ""};
  const Trial trial = context.Try(next);
  const auto because = [&](const char* by) { return Limit{by, ReasonOf(context, trial)}; };
  switch (trial.verdict) {
    case Verdict::kNoLayout:
      return because("batch");
    case Verdict::kMemory:
      return because("memory");
    case Verdict::kDeadline:
      return because("deadline");
    case Verdict::kBudget:
      return because("budget");
    case Verdict::kNotFree:
      return because("cards");
    case Verdict::kMeets:
    case Verdict::kTooLong:
      break;
  }
  return {part, ""};
}

/// Cards that are not gone for good: a node that is down without an end, or in use by nobody knows whom, is not counted on.
int64_t CardsToCountOn(const cluster::Calendar& calendar) {
  int64_t nodes = 0;
  const auto lasts = [](const cluster::Opening& opening) { return opening.end == cluster::kForever; };
  for (auto opening = calendar.by_end.PartitionPoint(std::not_fn(lasts)); opening != calendar.by_end.end(); ++opening) {
    nodes += opening->nodes;
  }
  int64_t of_a_node = 0;
  for (const auto& free : calendar.shared_nodes) of_a_node = std::max(of_a_node, free->back().level);
  return std::max(nodes * calendar.gpus_per_node, of_a_node);
}

/// What the calendar and the tenant's quotas leave of the numbers of cards.
void Narrow(const cluster::Pool& pool, const Waiting& waiting, CardRange& range) {
  if (pool.calendar == nullptr) return;
  range.Bound(CardsToCountOn(*pool.calendar), CardRange::End::kFree);
  for (const cluster::Quota* quota : waiting.quotas) {
    const int64_t whole = quota->max_gpus < range.per_node ? quota->max_gpus : quota->max_gpus / range.per_node * range.per_node;
    range.Bound(whole, CardRange::End::kQuota);
  }
}

/// The verdict on a trial that keeps all other limits: when it can start, and whether that is too late.
void SetWait(const PoolContext& context, Trial& trial) {
  const double seconds = std::max(trial.total_seconds, trial.step_seconds);
  const std::optional<absl::Time> start = context.StartOf(trial.gpus, seconds);
  trial.start = start.value_or(context.waiting.now);
  trial.wait_seconds = absl::ToDoubleSeconds(trial.start - context.waiting.now);
  trial.delay_seconds = std::max(0.0, absl::ToDoubleSeconds(trial.start - context.waiting.earliest_start));
  if (!start) {
    trial.verdict = Verdict::kNotFree;
  } else if (trial.wait_seconds + trial.total_seconds > context.limits.finish_seconds) {
    trial.verdict = Verdict::kDeadline;
  } else if (trial.wait_seconds + seconds > context.limits.longest_seconds) {
    trial.verdict = Verdict::kTooLong;
  } else {
    trial.verdict = Verdict::kMeets;
  }
}

}  // namespace

std::string PoolContext::Name() const {
  if (pool.cluster.empty()) return pool.gpu.name;
  return pool.cluster + "/" + pool.name + " (" + pool.gpu.name + ")";
}

Trial PoolContext::Try(int64_t gpus) {
  Trial trial;
  trial.gpus = gpus;
  StepModel* model = step_model ? &*step_model : nullptr;
  const LayoutChoice choice = ChooseLayout(work, space, gpus, pool.gpu.memory_bytes, model, &corrections);
  if (!choice.best && !choice.least_memory) return trial;
  if (!choice.best) {
    trial.verdict = Verdict::kMemory;
    trial.layout = *choice.least_memory;
    return trial;
  }
  trial.layout = *choice.best;
  const parallel::BatchedLayout& batched = trial.layout.batched;
  const auto batch = static_cast<double>(batched.global_batch);
  trial.correction = corrections.Of(batched.layout);
  const double factor = trial.correction.factor;
  if (time_is_modelled()) {
    trial.step = model->Time(batched);
    trial.predicted_step_seconds = trial.step.total();
    if (factor != 1) trial.step = trial.step * factor;
  } else {
    trial.predicted_step_seconds =
        batch * perf::Seconds(work.TimedFlops(batched.layout.recompute), static_cast<double>(gpus),
                              peak.flops_per_second, utilization.ratio);
    if (machine) {
      trial.wait = perf::CountedWaitOf({.compute_seconds = trial.predicted_step_seconds,
                                        .gradient_bytes = work.memory.recipe.gradient_bytes * work.memory.parameters,
                                        .operators = work.operator_calls,
                                        .passes = static_cast<double>(batched.micro_batches),
                                        .cards = static_cast<double>(gpus)},
                                       *machine, perf::BuiltInStepTimeConstants().shared);
      trial.predicted_step_seconds += trial.wait.total();
      trial.wait.launch *= factor;
      trial.wait.gradients *= factor;
    }
  }
  trial.step_seconds = trial.predicted_step_seconds * factor;
  trial.total_seconds = trial.step_seconds / batch * work.TrainedSamples(batched.global_batch);
  trial.gpu_hours = trial.total_seconds * static_cast<double>(gpus) / 3600;
  trial.cost = trial.gpu_hours * pool.price_per_gpu_hour.value_or(0);
  if (trial.total_seconds > limits.training_seconds()) {
    trial.verdict = Verdict::kDeadline;
  } else if (trial.cost > limits.budget) {
    trial.verdict = Verdict::kBudget;
  } else if (std::max(trial.total_seconds, trial.step_seconds) > limits.longest_seconds) {
    trial.verdict = Verdict::kTooLong;
  } else {
    SetWait(*this, trial);
  }
  return trial;
}

std::optional<absl::Time> PoolContext::StartOf(int64_t gpus, double seconds) const {
  if (pool.calendar == nullptr) return waiting.earliest_start;
  // A job without a data set is one step; it needs its cards for a moment at least.
  constexpr double kMicrosPerSecond = 1e6;
  const auto micros = static_cast<cluster::Micros>(std::ceil(seconds * kMicrosPerSecond));
  const cluster::Micros earliest = cluster::ToMicros(waiting.earliest_start);
  const std::optional<cluster::Micros> start =
      schedule::EarliestStart(*pool.calendar, {.shape = schedule::ShapeOf(gpus, pool.calendar->gpus_per_node),
                                               .duration = std::max<cluster::Micros>(1, micros),
                                               .not_before = earliest,
                                               .quotas = waiting.quotas});
  if (!start) return std::nullopt;
  // What can start at once starts now, not with the next microsecond.
  return *start == earliest ? waiting.earliest_start : cluster::FromMicros(*start);
}

int64_t PoolContext::LeastCardsForMemory() const {
  const parallel::MemoryInputs& memory = work.memory;
  const double per_parameter = memory.frozen_base ? memory.frozen_bytes : memory.recipe.total();
  const double cards =
      memory.parameters * per_parameter / static_cast<double>(std::max<int64_t>(1, pool.gpu.memory_bytes));
  return WholeCards(cards);
}

int64_t PoolContext::LeastCardsFor(double seconds) const {
  if (!(seconds > 0)) return 1;
  const double flops = work.samples * work.TimedFlops(space.fixed.recompute.value_or(parallel::Recompute::kNone));
  // A part in 1e9 less, so that rounding never rules out a number that just makes it. (Cards and seconds are
  // exchangeable.)
  const double rate = time_is_modelled() ? step_model->fastest_flops() : peak.flops_per_second * utilization.ratio;
  return WholeCards(perf::Seconds(flops, seconds, rate, 1) * corrections.least_factor() * (1 - 1e-9));
}

TimeInterval PoolContext::IntervalOf(const Trial& trial) const {
  if (time_is_modelled()) {
    const double factor = std::exp(trial.correction.HalfWidth(step_model->HalfWidth(trial.layout.batched.layout)));
    return {1 / factor, factor};
  }
  // A higher utilization is a shorter time; equal ones are the same time to the last bit.
  const TimeInterval interval{utilization.ratio / utilization.high, utilization.ratio / utilization.low};
  if (!trial.correction.level) return interval;
  return {std::exp(-trial.correction.HalfWidth(-std::log(interval.low))),
          std::exp(trial.correction.HalfWidth(std::log(interval.high)))};
}

absl::StatusOr<PoolContext> MakePoolContext(const Workload& work, const cluster::Pool& pool, const JobSpec& job,
                                            const Limits& limits, absl::Time now,
                                            const calibration::Calibration* learned) {
  ASSIGN_OR_RETURN(const hardware::Peak peak, hardware::PeakFor(pool.gpu, *work.precision));
  Waiting waiting{now, std::max(now, job.earliest_start), {}};
  for (const auto& quota : pool.quotas) {
    const bool is_ours = !job.tenant.empty() && quota->tenant == job.tenant;
    if (is_ours && (quota->pool.empty() || quota->pool == pool.name)) waiting.quotas.push_back(quota.get());
  }
  PoolContext context{work,       pool, limits,       std::move(waiting), RangeOf(pool, job, limits.limited() && limits.goal != Goal::kFastest),
                      work.space, peak, std::nullopt, {}};
  Narrow(pool, context.waiting, context.range);
  context.space.scale_up_domain = std::max(1, FastLinkCards(pool));
  context.space.Prepare();
  if (work.step_job) {
    ASSIGN_OR_RETURN(context.step_model, StepModel::Make(work, pool, perf::BuiltInStepTimeConstants()));
    context.space.interleaved = true;
  }
  if (!work.step_job && !work.ratio_is_given) {
    perf::MachineOptions options;
    options.node_gpus = pool.gpus_per_node;
    auto machine = perf::MakeMachine(pool.gpu, *work.precision, perf::BuiltInStepTimeConstants(), options);
    if (machine.ok()) context.machine = *std::move(machine);
  }
  if (work.ratio_is_given) {
    context.utilization = {work.ratio, work.ratio, work.ratio, "given"};
  } else if (work.sample_bytes > 0 && work.flops.model() > 0 && pool.gpu.memory_bandwidth > 0) {
    context.utilization = perf::CountedUtilization(pool.gpu, peak.flops_per_second, peak.precision,
                                                   {work.flops.model(), work.sample_bytes});
  } else {
    context.utilization = perf::DefaultUtilization(pool.gpu, peak.precision);
  }
  if (learned != nullptr && learned->size() > 0 && !work.ratio_is_given)
    context.corrections = Corrections(*learned, now, KindOf(work, pool, {}, perf::BuiltInStepTimeConstants()));
  return context;
}

std::string LargestPart(const PoolContext& context, const Trial& trial) {
  std::vector<std::pair<const char*, double>> parts;
  if (context.time_is_modelled()) {
    const perf::StepTime& step = trial.step;
    parts = {{"compute", step.matmul + step.attention + step.elementwise + step.recompute},
             {"optimizer", step.optimizer},
             {"launch", step.launch},
             {"tensor parallel", step.tensor},
             {"context parallel", step.context},
             {"expert parallel", step.expert},
             {"pipeline", step.pipeline + step.bubble},
             {"data parallel", step.data}};
  } else {
    parts = {{"compute", trial.step_seconds - trial.wait.total()},
             {"launch", trial.wait.launch},
             {"data parallel", trial.wait.gradients}};
  }
  return std::max_element(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

bool Better(const Trial& a, bool a_priced, const Trial& b, bool b_priced, Goal goal) {
  const auto seconds = [](const Trial& trial) {
    return trial.wait_seconds + (trial.total_seconds > 0 ? trial.total_seconds : trial.step_seconds);
  };
  // Of equal ones the cheaper, and one with a price before one without.
  const auto cost = [](const Trial& trial, bool priced) { return priced ? trial.cost : Limits::kNone; };
  switch (goal) {
    case Goal::kFastest:
      return std::make_tuple(seconds(a), a.gpus, cost(a, a_priced)) < std::make_tuple(seconds(b), b.gpus, cost(b, b_priced));
    case Goal::kFewest:
      return std::make_tuple(a.gpus, seconds(a), cost(a, a_priced)) < std::make_tuple(b.gpus, seconds(b), cost(b, b_priced));
    case Goal::kCheapest: {
      // Equal but for rounding is equal: cents and card seconds.
      const auto money = [](const Trial& trial, bool priced) {
        return std::make_tuple(!priced, std::round(trial.cost * 100), std::round(trial.gpu_hours * 3600));
      };
      return std::make_tuple(money(a, a_priced), !InTime(a), a.gpus, seconds(a)) <
             std::make_tuple(money(b, b_priced), !InTime(b), b.gpus, seconds(b));
    }
    case Goal::kUnspecified:
      break;
  }
  if (InTime(a) != InTime(b)) return InTime(a);
  if (InTime(a)) return Better(a, a_priced, b, b_priced, Goal::kFewest);
  return Better(a, a_priced, b, b_priced, Goal::kFastest);
}

PoolAnswer SearchPool(PoolContext& context, int alternatives) {
  PoolAnswer answer;
  if (std::optional<std::string> reason = ReasonBeforeSearch(context)) {
    answer.infeasible_reason = *std::move(reason);
    return answer;
  }
  FailedTrials failed;
  std::optional<Trial> best;
  switch (context.limits.goal) {
    case Goal::kFewest:
      best = Fewest(context, failed);
      break;
    case Goal::kFastest:
      best = Fastest(context, failed);
      break;
    case Goal::kCheapest:
      best = Cheapest(context, failed);
      break;
    case Goal::kUnspecified:
      best = Unasked(context, failed);
      break;
  }
  // Doublings may step over the few numbers that meet the limits.
  if (!best && context.limits.goal != Goal::kFewest) best = Fewest(context, failed);
  if (!best) {
    answer.infeasible_reason = failed.Reason(context);
    return answer;
  }
  Limit limit = LimitOf(context, *best);
  answer.limited_by = std::move(limit.by);
  answer.next_better = std::move(limit.reason);
  answer.options.push_back(*best);
  const bool down = context.limits.goal == Goal::kFastest;
  int64_t cards = best->gpus;
  // Who finishes sooner with fewer cards is told when more could start, too.
  if (down && alternatives > 0 && cards < context.range.most) {
    const Trial most = context.Try(context.range.most);
    if (most.verdict == Verdict::kMeets && most.wait_seconds > best->wait_seconds) {
      answer.options.push_back(most);
      --alternatives;
    }
  }
  for (int i = 0; i < alternatives; ++i) {
    cards = down ? context.range.AtMost(cards / 2) : context.range.AtLeast(2 * cards);
    if (cards == 0 || cards == best->gpus) break;
    const Trial trial = context.Try(cards);
    if (trial.verdict == Verdict::kMeets) answer.options.push_back(trial);
  }
  return answer;
}

}  // namespace planner::planning
