#include "core/planning/planner.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/planning/infeasible.h"
#include "core/planning/pareto.h"
#include "core/planning/pool_search.h"
#include "core/planning/recommendation.h"
#include "core/planning/text.h"
#include "fmt/format.h"

namespace planner::planning {
namespace {

/// Recommendations of one answer, unless it has more pools: then the best of each.
constexpr size_t kMostRecommendations = 8;
/// Of one pool beside its best: eight times the cards, or an eighth.
constexpr size_t kMostAlternatives = 3;

/// What google.protobuf.Duration and Timestamp can say: 10,000 years, and the end of the year 9999.
constexpr double kLongestSeconds = 315576000000.0;
constexpr int64_t kLastSecond = 253402300799;

/// The goal, or what the limits mean by themselves: a deadline or budget asks for the fewest cards, a number of cards
/// for the shortest time.
Goal GoalOf(const JobSpec& job) {
  if (job.goal != Goal::kUnspecified) return job.goal;
  if (!std::holds_alternative<std::monostate>(job.deadline) || job.budget) return Goal::kFewest;
  if (job.min_gpus || job.max_gpus) return Goal::kFastest;
  return Goal::kUnspecified;
}

absl::StatusOr<Limits> LimitsOf(const JobSpec& job, absl::Time start) {
  Limits limits;
  limits.goal = GoalOf(job);
  const double to_the_end = static_cast<double>(kLastSecond - absl::ToUnixSeconds(start));
  limits.longest_seconds = std::clamp(to_the_end, 0.0, kLongestSeconds);
  if (const auto* duration = std::get_if<absl::Duration>(&job.deadline)) {
    limits.deadline_seconds = absl::ToDoubleSeconds(*duration);
  } else if (const auto* time = std::get_if<absl::Time>(&job.deadline)) {
    limits.finish_seconds = absl::ToDoubleSeconds(*time - start);
  }
  if (job.budget) limits.budget = *job.budget;
  if (limits.limited() && !job.token_count && !job.sample_count) {
    return base::InvalidField("data_set", "a deadline or budget needs the amount of data: token_count or sample_count");
  }
  return limits;
}

/// An option of one pool, until all are sorted.
struct Offer {
  size_t pool = 0;
  size_t rank = 0;  ///< Among the pool's options; 0 is its best.
  Trial trial;
};

/// Every number of cards by doublings that meets the limits, of all pools, as far as no other beats it.
std::vector<ParetoOption> FrontOf(std::vector<std::optional<PoolContext>>& contexts, const std::vector<Offer>& offers) {
  struct Option {
    const PoolContext* context;
    Trial trial;
  };
  std::vector<Option> options;
  bool priced = true;
  for (const Offer& offer : offers) options.push_back({&*contexts[offer.pool], offer.trial});
  for (std::optional<PoolContext>& context : contexts) {
    if (!context || ReasonBeforeSearch(*context)) continue;
    priced = priced && context->pool.price_per_gpu_hour.has_value();
    for (const int64_t cards : context->range.Doublings()) {
      if (cards < context->LeastCards()) continue;
      Trial trial = context->Try(cards);
      if (trial.verdict == Verdict::kMeets) options.push_back({&*context, std::move(trial)});
    }
  }
  std::vector<Price> prices;
  for (const Option& option : options) {
    const Trial& trial = option.trial;
    const double seconds = trial.total_seconds > 0 ? trial.total_seconds : trial.step_seconds;
    const auto gpus = static_cast<double>(trial.gpus);
    prices.push_back({seconds, gpus, priced ? trial.cost : seconds * gpus});
  }
  std::vector<ParetoOption> front;
  for (const size_t i : ParetoFront(prices)) {
    const Trial& trial = options[i].trial;
    const cluster::Pool& pool = options[i].context->pool;
    front.push_back({.gpu_type = pool.gpu.name,
                     .cluster = pool.cluster,
                     .node_pool = pool.name,
                     .gpu_count = trial.gpus,
                     .layout = trial.layout.batched.layout,
                     .step_duration = absl::Seconds(trial.step_seconds),
                     .total_duration = absl::Seconds(trial.total_seconds),
                     .gpu_hours = trial.gpu_hours,
                     .cost = trial.cost,
                     .currency = pool.price_per_gpu_hour ? pool.currency : ""});
  }
  return front;
}

/// More than what rounding to a multiple of the cards explains to a reader.
bool BatchIsFarFrom(int64_t batch, int64_t wanted) {
  constexpr double kFar = 0.1;
  return std::abs(static_cast<double>(batch) / static_cast<double>(wanted) - 1) > kFar;
}

/// The plan of a job whose workload is known.
Plan PlanOf(const JobSpec& job, const Workload& work, const Limits& limits, const cluster::Snapshot& snapshot,
            const calibration::Calibration* learned) {
  Plan plan;
  plan.parameters = work.parameters;
  plan.active_parameters = work.active_parameters;
  plan.sample_count = work.samples;
  plan.token_count = work.samples * work.tokens_per_sample;
  plan.warnings = work.warnings;
  plan.counter = work.counter;
  plan.counter_version = work.counter_version;
  plan.snapshot_time = snapshot.time;
  plan.snapshot_sources = snapshot.sources;
  if (snapshot.pools.empty()) plan.infeasible_reasons.emplace_back("the inventory has no pool of such cards");

  const size_t share = kMostRecommendations / std::max<size_t>(1, snapshot.pools.size());
  const int alternatives = static_cast<int>(share > 1 ? std::min(share - 1, kMostAlternatives) : 0);
  std::vector<std::optional<PoolContext>> contexts(snapshot.pools.size());
  std::vector<std::string> limited_by(snapshot.pools.size());
  std::vector<std::string> next_better(snapshot.pools.size());
  std::vector<Offer> offers;
  for (size_t i = 0; i < snapshot.pools.size(); ++i) {
    auto context = MakePoolContext(work, snapshot.pools[i], job, limits, snapshot.time, learned);
    if (!context.ok()) {
      plan.infeasible_reasons.emplace_back(context.status().message());
      continue;
    }
    contexts[i].emplace(*std::move(context));
    PoolAnswer answer = SearchPool(*contexts[i], alternatives);
    if (answer.options.empty()) {
      plan.infeasible_reasons.push_back(std::move(answer.infeasible_reason));
      continue;
    }
    const std::string& warning = contexts[i]->peak.warning;
    if (!warning.empty() && std::find(plan.warnings.begin(), plan.warnings.end(), warning) == plan.warnings.end()) {
      plan.warnings.push_back(warning);
    }
    limited_by[i] = std::move(answer.limited_by);
    next_better[i] = std::move(answer.next_better);
    for (size_t rank = 0; rank < answer.options.size(); ++rank) offers.push_back({i, rank, answer.options[rank]});
  }

  const auto priced = [&](const Offer& offer) { return snapshot.pools[offer.pool].price_per_gpu_hour.has_value(); };
  std::stable_sort(offers.begin(), offers.end(), [&](const Offer& a, const Offer& b) {
    return Better(a.trial, priced(a), b.trial, priced(b), limits.goal);
  });
  for (const Offer& offer : offers) {
    plan.recommendations.push_back(
        MakeRecommendation(*contexts[offer.pool], offer.trial,
                           offer.rank == 0 ? limited_by[offer.pool] : LargestPart(*contexts[offer.pool], offer.trial)));
    if (offer.rank == 0) plan.recommendations.back().next_better = std::move(next_better[offer.pool]);
  }
  if (job.with_pareto_front) plan.pareto_front = FrontOf(contexts, offers);
  if (!plan.recommendations.empty()) {
    const Recommendation& best = plan.recommendations.front();
    if (work.space.batch_is_default && BatchIsFarFrom(best.global_batch, work.space.global_batch)) {
      plan.warnings.push_back(
          fmt::format("the default global batch of {} is changed to {} for what {} cards can split; give "
                      "training.global_batch to keep it",
                      work.space.global_batch, best.global_batch, best.gpu_count));
    }
    if (work.samples > 0 && work.samples < static_cast<double>(best.global_batch)) {
      plan.warnings.push_back(
          fmt::format("the data set's {:.6g} samples are fewer than a global batch of {}: one whole step is planned",
                      work.samples, best.global_batch));
    }
    if (limits.goal == Goal::kCheapest && snapshot.pools.size() > 1 && best.currency.empty()) {
      plan.warnings.emplace_back("no price is known: the cheapest is taken to be what needs the fewest GPU hours, of whatever GPU type");
    }
    const double skipped = SkippedShare(work, best.layout.recompute);
    if (best.hardware_flops_utilization > 1 && skipped > 0) {
      plan.warnings.push_back(
          fmt::format("the utilization is {:.3g} % because causal attention is counted in full, of which fused kernels leave out half: {:.3g} % "
                      "without it",
                      100 * best.hardware_flops_utilization, 100 * best.hardware_flops_utilization * (1 - skipped)));
    }
    if (best.memory_high_bytes > best.capacity_bytes) {
      plan.warnings.push_back(
          fmt::format("{} x {}: {} of {} may not be enough: the memory's 90 % interval ends at {}", best.gpu_type,
                      best.gpu_count, Gib(static_cast<double>(best.memory.total_bytes())),
                      Gib(static_cast<double>(best.capacity_bytes)), Gib(static_cast<double>(best.memory_high_bytes))));
    }
    plan.recommendations.front().launch = LaunchOf(*contexts[offers.front().pool], offers.front().trial);
    plan.model_flops = plan.recommendations.front().model_flops;
    plan.hardware_flops = plan.recommendations.front().hardware_flops;
  } else {
    const double samples =
        work.samples > 0 ? work.TrainedSamples(work.space.global_batch) : static_cast<double>(work.space.global_batch);
    plan.model_flops = samples * work.flops.model();
    plan.hardware_flops = samples * work.HardwareFlops(work.space.fixed.recompute.value_or(parallel::Recompute::kNone));
  }
  return plan;
}

}  // namespace

absl::StatusOr<Plan> Planner::MakePlan(const JobSpec& job, const cluster::Snapshot& snapshot, absl::Time deadline,
                                       const base::Cancellation& cancelled,
                                       const calibration::Calibration* learned) const {
  ASSIGN_OR_RETURN(const Limits limits, LimitsOf(job, snapshot.time));
  ASSIGN_OR_RETURN(Workload work, MakeWorkload(job, counter_, deadline, cancelled));
  if (limits.limited() && work.samples <= 0) {
    return base::InvalidField("data_set.sample_count",
                              "a deadline or budget needs the amount of data: the model has no sequences");
  }
  if (!work.recompute_is_assumed) return PlanOf(job, work, limits, snapshot, learned);

  Workload assumed = work;
  assumed.warnings.push_back(
      "the utilization is taken as that of hardware FLOPs with full recomputation; name the recomputation (none, "
      "selective, full) if it was measured with another");
  assumed.explanation.push_back(
      "Full recomputation: the given ratio is of hardware FLOPs, which differ from the model's only by what is "
      "recomputed; fix the recomputation (none, selective) if the figure was taken with another.");
  Plan plan = PlanOf(job, assumed, limits, snapshot, learned);
  if (!plan.recommendations.empty()) return plan;
  // An assumption of ours must not be what rules a job out.
  work.space.fixed.recompute.reset();
  work.warnings.push_back(
      "with full recomputation, which a utilization of hardware FLOPs is taken to mean, nothing meets the request: "
      "planned with the least recomputation that fits");
  Plan relaxed = PlanOf(job, work, limits, snapshot, learned);
  return relaxed.recommendations.empty() ? plan : relaxed;
}

}  // namespace planner::planning
