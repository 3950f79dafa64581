#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/planner.h"
#include "gtest/gtest.h"

namespace planner::planning {

/// Pools of built-in GPU types, without nodes.
class PoolsTest : public ::testing::Test {
 protected:
  cluster::Pool Pool(const char* gpu) const {
    cluster::Pool pool;
    pool.gpu = **catalog_->Find(gpu);
    pool.gpus_per_node = pool.gpu.gpus_per_node;
    return pool;
  }

  const absl::StatusOr<hardware::GpuCatalog> catalog_ = hardware::GpuCatalog::Create();
  const counting::AnalyticCounter counter_;
};

/// Plans of jobs on such pools, at a fixed time.
class PlannerTest : public PoolsTest {
 protected:
  Plan Make(const JobSpec& job, std::vector<cluster::Pool> pools) const {
    auto plan = planner_.MakePlan(job, {absl::FromUnixSeconds(1767225600), std::move(pools), {}});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? *std::move(plan) : Plan{};
  }
  absl::Status StatusOf(const JobSpec& job) const {
    return planner_.MakePlan(job, {absl::FromUnixSeconds(1767225600), {Pool("a100")}, {}}).status();
  }
  static JobSpec Job(model::ModelDescription model, double tokens) {
    JobSpec job;
    job.model = std::move(model);
    if (tokens > 0) job.token_count = tokens;
    return job;
  }
  static JobSpec Fixed(JobSpec job, int64_t gpus) {
    job.min_gpus = job.max_gpus = gpus;
    return job;
  }
  static double Days(absl::Duration duration) { return absl::ToDoubleHours(duration) / 24; }

  const Planner planner_{counter_};
};

}  // namespace planner::planning
