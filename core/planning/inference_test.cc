#include "core/planning/inference.h"

#include "core/base/error.h"
#include "core/planning/fake_models.h"
#include "core/planning/planner_fixture.h"
#include "gmock/gmock.h"

namespace planner::planning {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class InferenceTest : public PoolsTest {
 protected:
  absl::StatusOr<InferencePlan> Plan(const InferenceJob& job, std::vector<cluster::Pool> pools) const {
    return PlanInference(job, counter_, {absl::FromUnixSeconds(1767225600), std::move(pools), {}});
  }
};

TEST_F(InferenceTest, TheFewestCardsThatFitAndDoublings) {
  const auto plan = Plan({.model = FakeLlama65B()}, {Pool("a100"), Pool("h200")});
  ASSERT_TRUE(plan.ok()) << plan.status();
  // 122 GiB of weights: two, four, eight cards of 79 GiB; one to eight of 140 GiB.
  ASSERT_THAT(plan->options, SizeIs(7));
  EXPECT_EQ(plan->options[0].gpu_type, "A100-SXM-80GB");
  EXPECT_EQ(plan->options[0].gpu_count, 2);
  EXPECT_EQ(plan->options[1].gpu_count, 4);
  EXPECT_EQ(plan->options[3].gpu_type, "H200-SXM-141GB");
  EXPECT_EQ(plan->options[3].gpu_count, 1);
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_LT(plan->options[i].decode.total(), plan->options[i - 1].decode.total());
    EXPECT_GT(plan->options[i].max_batch, plan->options[i - 1].max_batch);
    EXPECT_LT(plan->options[i].prefill_seconds, plan->options[i - 1].prefill_seconds);
  }
  EXPECT_EQ(plan->options[0].limited_by, "memory bandwidth");
}

TEST_F(InferenceTest, ThroughputIsThatOfPromptsAndOutputs) {
  InferenceJob job{.model = FakeLlama7B()};
  job.batch = 4;
  job.prompt = 8192;  // One at a time.
  const auto plan = Plan(job, {Pool("h100")});
  ASSERT_TRUE(plan.ok()) << plan.status();
  const InferenceOption& option = plan->options.at(0);
  EXPECT_EQ(option.gpu_count, 1);
  EXPECT_NEAR(option.tokens_per_second, 4 * 256 / (4 * option.prefill_seconds + 256 * option.decode.total()), 1e-6);
  // LLaMA 7B keeps 32 x 2 x 4,096 x 2 bytes of a token.
  EXPECT_NEAR(option.cache_bytes_per_token, 524288, 1);
  EXPECT_NEAR(option.memory.cache, 4 * (8192 + 256) * 524288.0, 1);
  EXPECT_GT(option.max_batch, 4);
  EXPECT_GT(option.max_batch_tokens_per_second, option.tokens_per_second);
}

TEST_F(InferenceTest, ShortPromptsAreReadTogether) {
  InferenceJob job{.model = FakeLlama7B()};
  job.batch = 64;
  job.prompt = 128;
  const InferenceOption option = Plan(job, {Pool("h100")})->options.at(0);
  EXPECT_GT(option.tokens_per_second, 64 * 256 / (64 * option.prefill_seconds + 256 * option.decode.total()));
}

TEST_F(InferenceTest, NarrowWeightsAreReadFaster) {
  InferenceJob job{.model = FakeLlama7B()};
  const double wide = Plan(job, {Pool("h100")})->options.at(0).decode.weights;
  job.precision = "int8";
  const auto narrow = Plan(job, {Pool("h100")});
  ASSERT_TRUE(narrow.ok()) << narrow.status();
  EXPECT_NEAR(narrow->options.at(0).decode.weights, wide / 2, wide / 1000);
}

TEST_F(InferenceTest, WhatDoesNotFitSaysByHowMuch) {
  InferenceJob job{.model = FakeGpt3()};
  job.max_gpus = 2;
  const auto plan = Plan(job, {Pool("a100")});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(plan->options, IsEmpty());
  EXPECT_THAT(plan->infeasible_reasons, Contains(HasSubstr("A100-SXM-80GB x 2: needs ")));
}

TEST_F(InferenceTest, AFixedDegreeIsTheOnlyOne) {
  InferenceJob job{.model = FakeLlama7B()};
  job.tensor_parallel = 4;
  const auto plan = Plan(job, {Pool("h100")});
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_THAT(plan->options, SizeIs(1));
  EXPECT_EQ(plan->options[0].gpu_count, 4);
  job.tensor_parallel = 5;  // 32 heads.
  EXPECT_THAT(Plan(job, {Pool("h100")})->infeasible_reasons, SizeIs(1));
}

TEST_F(InferenceTest, CardsAreThoseOfTheGroup) {
  InferenceJob job{.model = FakeLlama7B()};
  job.tensor_parallel = 2;
  job.min_gpus = job.max_gpus = 8;
  const absl::Status status = Plan(job, {Pool("h100")}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::DetailOf(status).field, "resources.min_gpus");
  EXPECT_THAT(status.message(), HasSubstr("gpus=8 tensor_parallel=2"));
  job.min_gpus = 1;
  EXPECT_TRUE(Plan(job, {Pool("h100")}).ok());
  job.max_gpus = 1;
  EXPECT_THAT(Plan(job, {Pool("h100")}).status().message(), HasSubstr("gpus=1 tensor_parallel=2"));
}

TEST_F(InferenceTest, WhyNoNumberOfCardsWillDo) {
  InferenceJob job{.model = FakeLlama7B()};
  job.min_gpus = job.max_gpus = 16;
  EXPECT_THAT(Plan(job, {Pool("h100")})->infeasible_reasons,
              Contains(HasSubstr("that the fast link joins, here at most 8: 16 are asked for")));
  job.min_gpus = job.max_gpus = 3;
  EXPECT_THAT(Plan(job, {Pool("h100")})->infeasible_reasons, Contains(HasSubstr("no power of two from 3 to 3 cards")));
}

TEST_F(InferenceTest, APrecisionThatACardLacksIsAWarning) {
  InferenceJob job{.model = FakeLlama7B()};
  job.precision = "fp8";
  EXPECT_THAT(Plan(job, {Pool("h100")})->warnings, IsEmpty());
  EXPECT_THAT(Plan(job, {Pool("a100"), Pool("a100")})->warnings,
              ElementsAre("A100-SXM-80GB has no fast fp8: computed in bf16"));
}

TEST_F(InferenceTest, LengthsBeyondTheModelsNameTheField) {
  InferenceJob job{.model = FakeLlama7B()};
  job.model.max_seq_len = 1024;
  EXPECT_THAT(
      Plan(job, {Pool("h100")})->warnings,
      ElementsAre("inference.prompt_length + inference.output_length is 1280 tokens, the model was made for 1024"));
  job.model.expand = [](const model::BatchShape&) -> absl::StatusOr<model::Module> {
    return base::InvalidField("data_set.seq_len", "is more than the table has");
  };
  const absl::Status status = Plan(job, {Pool("h100")}).status();
  EXPECT_EQ(base::DetailOf(status).field, "inference.prompt_length");
  EXPECT_EQ(status.message(), "inference.prompt_length: is more than the table has");
  job = {.model = FakeLlama7B(), .prompt = 1 << 30};
  EXPECT_EQ(Plan(job, {Pool("h100")}).status().message(),
            "inference.prompt_length: is too large for this model: FLOPs of one pass does not fit 64 bits: prompt_length=1073741824");
}

TEST_F(InferenceTest, ExplanationsReadLikeSentences) {
  InferenceJob job{.model = FakeLlama7B()};
  job.precision = "fp8";
  const auto texts = Plan(job, {Pool("h100")})->options.at(0).explanation;
  EXPECT_THAT(texts, Contains(HasSubstr("(1 byte each in fp8")));
  EXPECT_THAT(texts, Contains(HasSubstr("each card holds all of it")));
  EXPECT_THAT(texts, Not(Contains(HasSubstr(" 0 ms"))));
  EXPECT_THAT(texts, Contains(HasSubstr("no longer than reading their weights")));
  EXPECT_THAT(Plan(job, {Pool("h100")})->options.at(1).explanation, Contains(HasSubstr("each card holds 50 % of it")));
}

TEST_F(InferenceTest, OnlyWhatWritesTokenByTokenIsServed) {
  InferenceJob job{.model = FakeLlama7B()};
  job.model.kind = model::ModelKind::kVision;
  const auto plan = Plan(job, {Pool("h100")});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::DetailOf(plan.status()).field, "inference");
}

}  // namespace
}  // namespace planner::planning
