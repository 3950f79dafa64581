// Plans that measured runs have corrected.
#include <algorithm>
#include <cmath>

#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/fake_models.h"
#include "core/planning/planner.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::Contains;
using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);

class CalibratedPlanTest : public ::testing::Test {
 protected:
  cluster::Pool Pool(const char* gpu, double price = 0) const {
    cluster::Pool pool;
    pool.gpu = **catalog_->Find(gpu);
    pool.gpus_per_node = pool.gpu.gpus_per_node;
    if (price > 0) pool.price_per_gpu_hour = price;
    pool.currency = "USD";
    return pool;
  }
  Plan Make(const JobSpec& job, std::vector<cluster::Pool> pools, bool corrected = true) const {
    auto plan = planner_.MakePlan(job, {kNow, std::move(pools), {}}, absl::InfiniteFuture(), {},
                                  corrected ? &learned_ : nullptr);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : Plan{};
  }
  static JobSpec Job(int64_t gpus = 64) {
    JobSpec job;
    job.model = FakeLlama7B();
    job.token_count = 1e12;
    job.min_gpus = job.max_gpus = gpus;
    return job;
  }
  /// Runs of an option take so many times as long as the model alone says.
  void Run(const Recommendation& option, double ratio, int runs = 20) {
    for (int i = 0; i < runs; ++i) ASSERT_TRUE(learned_.Learn({option.calibrated->kind, std::log(ratio), kNow}).ok());
  }
  static double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

  const absl::StatusOr<hardware::GpuCatalog> catalog_ = hardware::GpuCatalog::Create();
  const counting::AnalyticCounter counter_;
  const Planner planner_{counter_};
  calibration::Calibration learned_;
};

TEST_F(CalibratedPlanTest, NothingLearnedChangesNothing) {
  const Recommendation with = Make(Job(), {Pool("h100")}).recommendations.at(0);
  const Recommendation without = Make(Job(), {Pool("h100")}, /*corrected=*/false).recommendations.at(0);
  EXPECT_EQ(with.step_duration, without.step_duration);
  EXPECT_EQ(with.total_duration_high, without.total_duration_high);
  EXPECT_EQ(with.explanation, without.explanation);
  EXPECT_EQ(with.utilization_source, UtilizationSource::kPredicted);
  ASSERT_TRUE(with.calibrated.has_value());
  EXPECT_EQ(with.calibrated->correction.factor, 1);
  EXPECT_EQ(with.calibrated->predicted_step_duration, with.step_duration);
  const calibration::Kind& kind = with.calibrated->kind;
  EXPECT_EQ(kind.framework, "");
  EXPECT_EQ(kind.family, "Hopper");
  EXPECT_EQ(kind.gpu_type, "H100-SXM-80GB");
  EXPECT_EQ(kind.model_class, "dense");
  EXPECT_EQ(kind.precision, "bf16");
  EXPECT_THAT(kind.parameters, DoubleNear(6.607e9, 0.001e9));
  EXPECT_EQ(kind.hidden, 4096);
  EXPECT_EQ(kind.seq_len, 2048);
  EXPECT_EQ(kind.tensor_parallel, with.layout.tensor_parallel);
  EXPECT_EQ(kind.micro_batch, with.layout.micro_batch_size);
  EXPECT_EQ(kind.gpus, 64);
}

TEST_F(CalibratedPlanTest, EveryFigureIsOfTheCorrectedTime) {
  JobSpec job = Job();
  job.layout.tensor_parallel = 1;
  job.layout.pipeline_parallel = 1;
  job.layout.zero_stage = 1;
  job.layout.micro_batch_size = 1;
  job.layout.recompute = parallel::Recompute::kSelective;
  const cluster::Pool pool = Pool("h100", 2);
  const Recommendation before = Make(job, {pool}).recommendations.at(0);
  Run(before, 1.3);
  const Recommendation after = Make(job, {pool}).recommendations.at(0);
  ASSERT_EQ(after.layout, before.layout);
  EXPECT_EQ(after.utilization_source, UtilizationSource::kMeasured);
  const double factor = after.calibrated->correction.factor;
  EXPECT_THAT(factor, DoubleNear(1.297, 0.003));
  EXPECT_THAT(after.calibrated->correction.runs, DoubleNear(20, 0.1));
  EXPECT_EQ(after.calibrated->predicted_step_duration, before.step_duration);
  EXPECT_NEAR(Seconds(after.step_duration), factor * Seconds(before.step_duration), 1e-8);
  EXPECT_NEAR(after.step->total(), Seconds(after.step_duration), 1e-8);
  EXPECT_NEAR(Seconds(after.total_duration) / Seconds(before.total_duration), factor, 1e-9);
  EXPECT_EQ(after.finish_time, after.start_time + after.total_duration);
  EXPECT_NEAR(after.gpu_hours / before.gpu_hours, factor, 1e-9);
  EXPECT_NEAR(after.cost / before.cost, factor, 1e-9);
  EXPECT_NEAR(after.energy_kwh / before.energy_kwh, factor, 1e-9);
  EXPECT_NEAR(before.model_flops_utilization / after.model_flops_utilization, factor, 1e-9);
  EXPECT_NEAR(before.tokens_per_second / after.tokens_per_second, factor, 1e-9);
  const auto width = [](const Recommendation& one) {
    return std::log(absl::FDivDuration(one.total_duration_high, one.total_duration));
  };
  EXPECT_LT(width(after), 0.7 * width(before));
  EXPECT_NEAR(width(after), after.calibrated->correction.HalfWidth(1), 1e-6);
  EXPECT_THAT(after.explanation,
              Contains(HasSubstr("20 runs like it, on as many cards: they are expected to take 1.29")));
}

TEST_F(CalibratedPlanTest, TheBetterLayoutIsTheOneThatIsFasterAsCorrected) {
  const Recommendation best = Make(Job(), {Pool("h100")}).recommendations.at(0);
  JobSpec split = Job();
  split.layout.tensor_parallel = 2 * best.layout.tensor_parallel;
  const Recommendation second = Make(split, {Pool("h100")}).recommendations.at(0);
  ASSERT_GT(second.step_duration, best.step_duration);
  ASSERT_LT(second.step_duration, 1.3 * best.step_duration);
  Run(second, 1);
  Run(best, 1.6);
  const Recommendation after = Make(Job(), {Pool("h100")}).recommendations.at(0);
  EXPECT_FALSE(after.calibrated->kind == best.calibrated->kind);
  EXPECT_LE(after.step_duration, Make(split, {Pool("h100")}).recommendations.at(0).step_duration);
  JobSpec before = Job();
  before.layout = {.tensor_parallel = best.layout.tensor_parallel,
                   .pipeline_parallel = best.layout.pipeline_parallel,
                   .micro_batch_size = best.layout.micro_batch_size,
                   .zero_stage = best.layout.zero_stage,
                   .recompute = best.layout.recompute};
  EXPECT_LT(after.step_duration, Make(before, {Pool("h100")}).recommendations.at(0).step_duration);
}

TEST_F(CalibratedPlanTest, TheBetterPoolIsTheOneThatIsFasterAsCorrected) {
  JobSpec job = Job();
  job.goal = Goal::kFastest;
  const std::vector<cluster::Pool> pools = {Pool("h100"), Pool("h200")};
  const Plan before = Make(job, pools);
  ASSERT_EQ(before.recommendations.at(0).gpu_type, "H200-SXM-141GB");
  // Not the layout: everything takes longer there.
  for (const Recommendation& one : before.recommendations) {
    for (const auto recompute : {"none", "selective", "full"}) {
      Recommendation run = one;
      run.calibrated->kind.recompute = recompute;
      Run(run, one.gpu_type == "H200-SXM-141GB" ? 1.6 : 1);
    }
  }
  EXPECT_EQ(Make(job, pools).recommendations.at(0).gpu_type, "H100-SXM-80GB");
}

TEST_F(CalibratedPlanTest, ADeadlineIsKeptByTheCorrectedTime) {
  JobSpec job = Job();
  job.min_gpus = job.max_gpus = std::nullopt;
  job.deadline = absl::Hours(24 * 14);
  for (const double ratio : {1.4, 0.7}) {
    SCOPED_TRACE(ratio);
    learned_ = calibration::Calibration();
    const Recommendation before = Make(job, {Pool("h100")}).recommendations.at(0);
    for (const auto recompute : {"none", "selective", "full"}) {
      Recommendation run = before;
      run.calibrated->kind.recompute = recompute;
      Run(run, ratio);
    }
    const Recommendation after = Make(job, {Pool("h100")}).recommendations.at(0);
    EXPECT_LE(after.total_duration, absl::Hours(24 * 14));
    EXPECT_EQ(after.limited_by, "deadline");
    EXPECT_EQ(after.gpu_count > before.gpu_count, ratio > 1);
    EXPECT_NE(after.gpu_count, before.gpu_count);
    JobSpec fewer = Job(after.gpu_count - 8);
    EXPECT_GT(Make(fewer, {Pool("h100")}).recommendations.at(0).total_duration, absl::Hours(24 * 14));
  }
}

TEST_F(CalibratedPlanTest, TheFrontIsOfCorrectedTimes) {
  JobSpec job = Job();
  job.with_pareto_front = true;
  const Plan before = Make(job, {Pool("h100")});
  Run(before.recommendations.at(0), 0.8);
  const Plan after = Make(job, {Pool("h100")});
  ASSERT_FALSE(after.pareto_front.empty());
  EXPECT_EQ(after.pareto_front[0].step_duration, after.recommendations[0].step_duration);
  EXPECT_LT(after.pareto_front[0].step_duration, 0.85 * before.pareto_front.at(0).step_duration);
}

TEST_F(CalibratedPlanTest, AGivenUtilizationIsNotCorrected) {
  Run(Make(Job(), {Pool("h100")}).recommendations.at(0), 1.5);
  JobSpec job = Job();
  job.model_flops_ratio = 0.5;
  const Recommendation given = Make(job, {Pool("h100")}).recommendations.at(0);
  EXPECT_NEAR(given.model_flops_utilization, 0.5, 1e-9);
  EXPECT_EQ(given.utilization_source, UtilizationSource::kGiven);
  EXPECT_FALSE(given.calibrated.has_value());
}

TEST_F(CalibratedPlanTest, RunsOfOtherCardsArePrediction) {
  Run(Make(Job(), {Pool("h100")}).recommendations.at(0), 1.3);
  const Recommendation other = Make(Job(), {Pool("a100")}).recommendations.at(0);
  EXPECT_EQ(other.utilization_source, UtilizationSource::kPredicted);
  EXPECT_THAT(other.calibrated->correction.factor, DoubleNear(1, 0.05));
}

TEST_F(CalibratedPlanTest, CountedModelsAreCorrectedToo) {
  JobSpec job;
  job.model = FakeCnn();
  job.sample_count = 1e8;
  job.min_gpus = job.max_gpus = 16;
  const Recommendation before = Make(job, {Pool("a100")}).recommendations.at(0);
  ASSERT_TRUE(before.calibrated.has_value());
  // 5 x 256 x 256 x 9 parameters: 55.5e9 FLOPs over 2.95e6 of them, 18,816 = 4^7.1.
  EXPECT_EQ(before.calibrated->kind.model_class, "module, 4^7 FLOPs a parameter");
  Run(before, 1.5);
  const Recommendation after = Make(job, {Pool("a100")}).recommendations.at(0);
  EXPECT_EQ(after.utilization_source, UtilizationSource::kMeasured);
  EXPECT_NEAR(Seconds(after.step_duration) / Seconds(before.step_duration), after.calibrated->correction.factor, 1e-8);
  EXPECT_THAT(after.calibrated->correction.factor, DoubleNear(1.5, 0.01));
  const auto ratio = [](absl::Duration a, absl::Duration b) { return absl::FDivDuration(a, b); };
  EXPECT_LT(ratio(after.total_duration_high, after.total_duration),
            ratio(before.total_duration_high, before.total_duration));
  EXPECT_LT(ratio(after.total_duration, after.total_duration_low),
            ratio(before.total_duration, before.total_duration_low));
  EXPECT_THAT(after.explanation, Contains(HasSubstr("corrected by what runs took")));
  EXPECT_THAT(before.explanation, Not(Contains(HasSubstr("corrected by"))));
}

}  // namespace
}  // namespace planner::planning
