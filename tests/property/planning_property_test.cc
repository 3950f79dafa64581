// Laws of planning: hold for every job, whatever the figures of cards and defaults become.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/fake_models.h"
#include "core/planning/planner.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace planner::planning {
namespace {

constexpr const char* kCards[] = {"a100", "a100-40gb", "h100", "b200", "v100", "gb200", "mi300x", "l40s", "tpu-v5p"};

const hardware::GpuCatalog& Catalog() {
  static const auto* catalog = new hardware::GpuCatalog(*hardware::GpuCatalog::Create());
  return *catalog;
}

cluster::Pool AnyPool() {
  cluster::Pool pool;
  pool.gpu = **Catalog().Find(kCards[*rc::gen::inRange<size_t>(0, std::size(kCards))]);
  pool.gpus_per_node = pool.gpu.gpus_per_node;
  pool.price_per_gpu_hour = static_cast<double>(*rc::gen::inRange(1, 1000)) / 100;
  pool.currency = "USD";
  return pool;
}

model::TransformerShape AnyShape() {
  model::TransformerShape shape;
  shape.heads = *rc::gen::element<int64_t>(4, 8, 12, 16, 25, 32, 40, 64, 96);
  shape.kv_heads = *rc::gen::element<int64_t>(1, shape.heads);
  shape.qk_dim = shape.v_dim = *rc::gen::element<int64_t>(64, 128);
  shape.hidden = shape.heads * shape.qk_dim;
  shape.layers = *rc::gen::inRange<int64_t>(1, 100);
  shape.gated = *rc::gen::arbitrary<bool>();
  shape.ffn = shape.gated ? shape.hidden * 8 / 3 : shape.hidden * 4;
  shape.vocab = *rc::gen::inRange<int64_t>(1000, 130000);
  shape.tied_embeddings = *rc::gen::arbitrary<bool>();
  return shape;
}

JobSpec AnyJob() {
  JobSpec job;
  job.model = *rc::gen::inRange(0, 8) == 0 ? FakeCnn()
                                           : FakeDecoder(AnyShape(), *rc::gen::element<int64_t>(128, 1000, 2048, 8192));
  job.sample_count = static_cast<double>(*rc::gen::inRange<int64_t>(1, 1000000000));
  job.flash_attention = *rc::gen::arbitrary<bool>();
  if (*rc::gen::arbitrary<bool>()) job.global_batch = *rc::gen::inRange<int64_t>(1, 5000);
  if (*rc::gen::arbitrary<bool>()) job.optimizer = "sgd";
  return job;
}

Plan Make(const JobSpec& job, const cluster::Pool& pool) {
  static const counting::AnalyticCounter counter;
  const auto plan = Planner(counter).MakePlan(job, {absl::UnixEpoch(), {pool}, {}});
  if (!plan.ok()) RC_FAIL(std::string(plan.status().message()));
  RC_ASSERT(plan->recommendations.empty() != plan->infeasible_reasons.empty());
  return *plan;
}

JobSpec Fixed(JobSpec job, int64_t gpus) {
  job.min_gpus = job.max_gpus = gpus;
  return job;
}

int64_t AnyCards() { return *rc::gen::element<int64_t>(1, 2, 4, 8, 16, 24, 64, 96, 256, 1000, 1024); }

RC_GTEST_PROP(PlanningLaws, EveryRecommendationIsWhole, ()) {
  JobSpec job = AnyJob();
  job.goal = *rc::gen::element(Goal::kUnspecified, Goal::kFewest, Goal::kFastest, Goal::kCheapest);
  const cluster::Pool pool = AnyPool();
  const Plan plan = Make(job, pool);
  RC_ASSERT(plan.recommendations.size() <= 4u);
  for (const Recommendation& answer : plan.recommendations) {
    const parallel::Layout& layout = answer.layout;
    RC_ASSERT(layout.gpus() == answer.gpu_count);
    RC_ASSERT((layout.tensor_parallel * layout.data_parallel * layout.context_parallel) % layout.expert_cards() == 0);
    RC_ASSERT(layout.data_parallel * layout.micro_batch_size * answer.micro_batch_count == answer.global_batch);
    if (job.global_batch) RC_ASSERT(answer.global_batch == *job.global_batch);
    RC_ASSERT(answer.memory.total_bytes() <= answer.capacity_bytes);
    RC_ASSERT(answer.node_count * pool.gpus_per_node >= answer.gpu_count);
    RC_ASSERT(answer.total_duration_low <= answer.total_duration);
    RC_ASSERT(answer.total_duration <= answer.total_duration_high);
    RC_ASSERT(answer.hardware_flops_utilization >= answer.model_flops_utilization);
    RC_ASSERT(answer.hardware_flops_utilization < 1);
    RC_ASSERT(!answer.limited_by.empty());
  }
}

/// Runs of the options of a plan and of options like them, each so many times as long as predicted.
calibration::Calibration AnyRunsLike(const Plan& plan) {
  calibration::Calibration learned;
  for (const Recommendation& option : plan.recommendations) {
    for (int runs = *rc::gen::inRange(0, 12); runs > 0; --runs) {
      calibration::Kind kind = option.calibrated->kind;
      kind.recompute = *rc::gen::element<std::string>("none", "selective", "full");
      kind.tensor_parallel = *rc::gen::elementOf(std::vector<double>{kind.tensor_parallel, 1, 2, 4});
      kind.micro_batch = *rc::gen::elementOf(std::vector<double>{kind.micro_batch, 1, 2});
      kind.hidden += *rc::gen::element(0, 0, 128);
      const double log_ratio = static_cast<double>(*rc::gen::inRange(-50, 50)) / 100;
      RC_ASSERT(learned.Learn({kind, log_ratio, absl::UnixEpoch()}).ok());
    }
  }
  return learned;
}

RC_GTEST_PROP(PlanningLaws, CorrectedPlansKeepWhatTheyPromise, ()) {
  JobSpec job = AnyJob();
  job.goal = *rc::gen::element(Goal::kUnspecified, Goal::kFewest, Goal::kFastest, Goal::kCheapest);
  const cluster::Pool pool = AnyPool();
  const calibration::Calibration learned = AnyRunsLike(Make(job, pool));
  const absl::Duration deadline = absl::Hours(24 * *rc::gen::inRange(1, 1000));
  job.deadline = deadline;
  static const counting::AnalyticCounter counter;
  const auto plan = Planner(counter).MakePlan(job, {absl::UnixEpoch(), {pool}, {}}, absl::InfiniteFuture(), {}, &learned);
  RC_ASSERT(plan.ok());
  for (const Recommendation& answer : plan->recommendations) {
    RC_ASSERT(answer.total_duration <= deadline);
    RC_ASSERT(answer.total_duration_low <= answer.total_duration);
    RC_ASSERT(answer.total_duration <= answer.total_duration_high);
    const calibration::Correction& correction = answer.calibrated->correction;
    const double predicted = absl::ToDoubleSeconds(answer.calibrated->predicted_step_duration);
    const double step = absl::ToDoubleSeconds(answer.step_duration);
    RC_ASSERT(std::abs(step - predicted * correction.factor) <= 1e-9 * (1 + step));
    RC_ASSERT((answer.utilization_source == UtilizationSource::kMeasured) == correction.is_measured());
    // A kind that was asked for alone is told the same.
    const double factor = learned.CorrectionFor(answer.calibrated->kind, absl::UnixEpoch()).factor;
    RC_ASSERT(correction.factor == factor);
    // And the same layout alone takes the same time.
    JobSpec same = Fixed(job, answer.gpu_count);
    const auto again = Planner(counter).MakePlan(same, {absl::UnixEpoch(), {pool}, {}}, absl::InfiniteFuture(), {}, &learned);
    RC_ASSERT(again.ok() && !again->recommendations.empty());
    RC_ASSERT(again->recommendations[0].step_duration == answer.step_duration);
  }
}

RC_GTEST_PROP(PlanningLaws, MoreDataIsNeverFaster, ()) {
  const cluster::Pool pool = AnyPool();
  JobSpec job = Fixed(AnyJob(), AnyCards());
  const Plan less = Make(job, pool);
  *job.sample_count *= 1 + static_cast<double>(*rc::gen::inRange(0, 100)) / 10;
  const Plan more = Make(job, pool);
  RC_PRE(!less.recommendations.empty() && !more.recommendations.empty());
  RC_ASSERT(more.model_flops >= less.model_flops);
  RC_ASSERT(more.recommendations[0].total_duration >= less.recommendations[0].total_duration);
}

RC_GTEST_PROP(PlanningLaws, TwiceTheBatchIsTwiceTheFlopsOfAStep, ()) {
  const cluster::Pool pool = AnyPool();
  JobSpec job = Fixed(AnyJob(), AnyCards());
  job.sample_count.reset();
  job.global_batch = *rc::gen::inRange<int64_t>(1, 5000);
  const double once = Make(job, pool).model_flops;
  job.global_batch = 2 * *job.global_batch;
  const double twice = Make(job, pool).model_flops;
  RC_ASSERT(std::abs(twice / once - 2) < 1e-12);
}

RC_GTEST_PROP(PlanningLaws, MoreCardsAreNeverSlowerAtTheSameUtilization, ()) {
  const cluster::Pool pool = AnyPool();
  JobSpec job = AnyJob();
  job.model_flops_ratio = 0.4;
  const int64_t cards = AnyCards();
  const Plan few = Make(Fixed(job, cards), pool);
  const Plan many = Make(Fixed(job, 2 * cards), pool);
  RC_PRE(!few.recommendations.empty() && !many.recommendations.empty());
  RC_ASSERT(many.recommendations[0].total_duration <= few.recommendations[0].total_duration);
}

RC_GTEST_PROP(PlanningLaws, LimitsAreKept, ()) {
  const cluster::Pool pool = AnyPool();
  JobSpec job = AnyJob();
  job.deadline = absl::Hours(*rc::gen::inRange(1, 10000));
  job.goal = *rc::gen::element(Goal::kUnspecified, Goal::kFewest, Goal::kFastest, Goal::kCheapest);
  if (*rc::gen::arbitrary<bool>()) job.budget = static_cast<double>(*rc::gen::inRange(1, 10000000));
  for (const Recommendation& answer : Make(job, pool).recommendations) {
    RC_ASSERT(answer.total_duration <= std::get<absl::Duration>(job.deadline));
    if (job.budget) RC_ASSERT(answer.cost <= *job.budget);
  }
}

RC_GTEST_PROP(PlanningLaws, ALongerDeadlineNeedsNoMoreCards, ()) {
  const cluster::Pool pool = AnyPool();
  JobSpec job = AnyJob();
  const int hours = *rc::gen::inRange(1, 5000);
  job.deadline = absl::Hours(hours);
  const Plan tight = Make(job, pool);
  job.deadline = absl::Hours(2 * hours);
  const Plan loose = Make(job, pool);
  // Two conditions: RC_PRE evaluates the whole of a false one again for its message, without short circuit.
  RC_PRE(!tight.recommendations.empty());
  // 256 numbers of cards are tried one by one, from the least that may do on; then doublings step over some.
  RC_PRE(tight.recommendations[0].gpu_count <= 512);
  RC_ASSERT(!loose.recommendations.empty());
  RC_ASSERT(loose.recommendations[0].gpu_count <= tight.recommendations[0].gpu_count);
}

RC_GTEST_PROP(PlanningLaws, MoreMemoryNeverRulesAJobOut, ()) {
  cluster::Pool pool = AnyPool();
  const JobSpec job = Fixed(AnyJob(), AnyCards());
  RC_PRE(!Make(job, pool).recommendations.empty());
  pool.gpu.memory_bytes = static_cast<int64_t>(static_cast<double>(pool.gpu.memory_bytes) *
                                               (1 + static_cast<double>(*rc::gen::inRange(0, 100)) / 10));
  RC_ASSERT(!Make(job, pool).recommendations.empty());
}

RC_GTEST_PROP(PlanningLaws, TheCostIsTheHoursTimesThePrice, ()) {
  const cluster::Pool pool = AnyPool();
  for (const Recommendation& answer : Make(AnyJob(), pool).recommendations) {
    const double hours = static_cast<double>(answer.gpu_count) * absl::ToDoubleHours(answer.total_duration);
    RC_ASSERT(std::abs(answer.gpu_hours - hours) <= 1e-6 * hours + 1e-6);
    RC_ASSERT(std::abs(answer.cost - answer.gpu_hours * *pool.price_per_gpu_hour) <= 1e-9 * answer.cost);
  }
}

RC_GTEST_PROP(PlanningLaws, AGivenRatioIsTheWholeStepTimeModel, ()) {
  const cluster::Pool pool = AnyPool();
  JobSpec job = AnyJob();
  const bool hardware = *rc::gen::arbitrary<bool>();
  (hardware ? job.hardware_flops_ratio : job.model_flops_ratio) = static_cast<double>(*rc::gen::inRange(1, 90)) / 100;
  for (const Recommendation& answer : Make(job, pool).recommendations) {
    const double reached = hardware ? answer.hardware_flops_utilization : answer.model_flops_utilization;
    const double given = hardware ? *job.hardware_flops_ratio : *job.model_flops_ratio;
    RC_ASSERT(std::abs(reached - given) < 1e-9);
    RC_ASSERT(answer.total_duration_low == answer.total_duration);
    RC_ASSERT(answer.total_duration_high == answer.total_duration);
  }
}

RC_GTEST_PROP(PlanningLaws, TheSameJobHasTheSamePlan, ()) {
  const cluster::Pool pool = AnyPool();
  const JobSpec job = AnyJob();
  const Plan a = Make(job, pool);
  const Plan b = Make(job, pool);
  RC_ASSERT(a.infeasible_reasons == b.infeasible_reasons);
  RC_ASSERT(a.recommendations.size() == b.recommendations.size());
  for (size_t i = 0; i < a.recommendations.size(); ++i) {
    RC_ASSERT(a.recommendations[i].layout == b.recommendations[i].layout);
    RC_ASSERT(a.recommendations[i].explanation == b.recommendations[i].explanation);
  }
}

}  // namespace
}  // namespace planner::planning
