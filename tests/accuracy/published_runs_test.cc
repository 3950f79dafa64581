// The table of published figures (published_runs.csv), predicted: bounds on its errors, so that no change of the models
// makes them worse unnoticed. README.md has the figures themselves.

#include <grpcpp/grpcpp.h>

#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "services/app/app.h"

namespace planner {
namespace {

class PublishedRunsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::stringstream table;
    table << std::ifstream(PUBLISHED_RUNS).rdbuf();
    v1::ValidateRunsRequest request;
    request.set_runs_csv(table.str());
    const auto app = app::App::Create({});
    ASSERT_TRUE(app.ok()) << app.status();
    grpc::ClientContext context;
    answer_ = new v1::ValidateRunsResponse;
    const grpc::Status status =
        v1::EstimationService::NewStub((*app)->InProcessChannel())->ValidateRuns(&context, request, answer_);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  static void TearDownTestSuite() { delete answer_; }

  static v1::ValidateRunsResponse* answer_;
};

v1::ValidateRunsResponse* PublishedRunsTest::answer_ = nullptr;

TEST_F(PublishedRunsTest, EveryRowIsPredicted) {
  EXPECT_GE(answer_->rows_size(), 330);
  for (const v1::RunPrediction& row : answer_->rows()) EXPECT_EQ(row.skipped(), "") << row.id();
}

TEST_F(PublishedRunsTest, StepTimesAreWithinTheBoundOfTheirPublication) {
  // Mean error of a publication's rows: what README.md says was measured, and a quarter more. The second block is whole trainings
  // (ramp-ups, restarts and all) and what is known to be off.
  const std::map<std::string, double> bounds = {
      {"Narayanan et al. 2021, arXiv 2104.04473", 0.03},
      {"Korthikanti et al. 2022, arXiv 2205.05198", 0.03},
      {"BigScience 2022, arXiv 2211.05100 and model page", 0.03},
      {"Jiang et al. 2024, arXiv 2402.15627", 0.04},
      {"llm-foundry scripts/train/benchmarking", 0.04},
      {"torchtitan benchmarks 2024-12", 0.093},
      {"dgxc-benchmarking", 0.115},
      {"MLPerf Training", 0.1},
      {"tpu-recipes", 0.048},
      {"gpu-recipes, MaxText", 0.047},
      {"torchao training benchmarks", 0.077},
      {"JAX-Toolbox", 0.213},
      {"XTuner Megatron MoE benchmark", 0.09},
      {"fms-fsdp README", 0.197},

      {"Touvron et al. 2023, arXiv 2302.13971", 0.13},
      {"Touvron et al. 2023, arXiv 2307.09288", 0.22},
      {"Smith et al. 2022, arXiv 2201.11990", 0.16},
      {"Chowdhery et al. 2022, arXiv 2204.02311", 0.16},
  };
  for (const v1::RunGroup& group : answer_->publications()) {
    if (group.time_count() == 0) continue;
    const auto bound = bounds.find(group.source());
    ASSERT_NE(bound, bounds.end()) << group.source();
    RecordProperty(group.source(), std::to_string(group.time_mape()));
    EXPECT_LE(group.time_mape(), bound->second) << group.source();
  }
}

// The bounds that the first eleven publications, 87 rows, had before there were others beside them.
TEST_F(PublishedRunsTest, TheFirstPublicationsKeepTheirBounds) {
  const std::set<std::string> first = {"Narayanan et al. 2021, arXiv 2104.04473",
                                       "Korthikanti et al. 2022, arXiv 2205.05198",
                                       "BigScience 2022, arXiv 2211.05100 and model page",
                                       "Jiang et al. 2024, arXiv 2402.15627",
                                       "llm-foundry scripts/train/benchmarking",
                                       "torchtitan benchmarks 2024-12",
                                       "Touvron et al. 2023, arXiv 2302.13971",
                                       "Touvron et al. 2023, arXiv 2307.09288",
                                       "Smith et al. 2022, arXiv 2201.11990",
                                       "Chowdhery et al. 2022, arXiv 2204.02311",
                                       "litgpt tutorials/resource-tables 2023-10"};
  double error = 0;
  int timed = 0, ran = 0, wrong = 0;
  for (const v1::RunGroup& group : answer_->publications()) {
    if (!first.contains(group.source())) continue;
    error += group.time_mape() * group.time_count();
    timed += group.time_count();
    ran += group.ran_count();
    wrong += group.ran_wrong_count();
  }
  ASSERT_EQ(timed, 82);
  EXPECT_LE(error / timed, 0.075);
  EXPECT_LE(wrong, ran * 3 / 100);
}

TEST_F(PublishedRunsTest, AllRowsTogether) {
  const v1::RunGroup& all = answer_->overall();
  EXPECT_LE(all.time_mape(), 0.1);
  EXPECT_GE(all.time_median_ratio(), 0.95);
  EXPECT_LE(all.time_median_ratio(), 1.05);
  EXPECT_GE(all.time_coverage90(), 0.85);
}

TEST_F(PublishedRunsTest, WhatRanOutOfMemoryIsPredictedNotToFit) {
  const v1::RunGroup& all = answer_->overall();
  EXPECT_GE(all.oom_count(), 5);
  EXPECT_EQ(all.oom_right_count(), all.oom_count());
  // Of runs that fitted, 52 of 333 are predicted not to: what the table cannot say (gradients in BF16) and LoRA's activations
  // beside frozen layers, which are predicted too large.
  EXPECT_LE(all.ran_wrong_count(), all.ran_count() * 20 / 100);
}

TEST_F(PublishedRunsTest, PeakMemoryOfTorchtitanIsKnownToBePredictedTooLow) {
  // 8 % is asked for; these rows, and torchao's, are not among those that the memory model was made with.
  EXPECT_LE(answer_->overall().memory_mape(), 0.132);
}

}  // namespace
}  // namespace planner
