#include "core/planning/framework.h"

#include "core/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FrameworkTest : public ::testing::Test {
 protected:
  void Apply(std::string_view name) { ApplyFramework(name, fixed_, explanation_, warnings_); }

  parallel::LayoutConstraints fixed_;
  std::vector<std::string> explanation_, warnings_;
};

TEST_F(FrameworkTest, DdpIsDataParallelismAlone) {
  Apply("ddp");
  EXPECT_EQ(fixed_.tensor_parallel, 1);
  EXPECT_EQ(fixed_.expert_parallel, 1);
  EXPECT_EQ(fixed_.zero_stage, 0);
  EXPECT_FALSE(fixed_.data_parallel.has_value());
  EXPECT_THAT(explanation_, ElementsAre(HasSubstr("ZeRO stage 0")));
}

TEST_F(FrameworkTest, WhatTheCallerFixedStays) {
  fixed_.tensor_parallel = 8;
  fixed_.zero_stage = 2;
  Apply("fsdp");
  EXPECT_EQ(fixed_.tensor_parallel, 8);
  EXPECT_EQ(fixed_.zero_stage, 2);
  EXPECT_EQ(fixed_.pipeline_parallel, 1);
}

TEST_F(FrameworkTest, WhatDeepSpeedCannotRunIsNotSearched) {
  fixed_.zero_stage = 3;
  Apply("deepspeed");
  EXPECT_EQ(fixed_.virtual_pipeline, 1);
  EXPECT_EQ(fixed_.pipeline_parallel, 1);
  EXPECT_EQ(fixed_.context_parallel, 1);
  fixed_ = {};
  fixed_.context_parallel = 4;
  Apply("megatron-deepspeed");
  EXPECT_EQ(fixed_.tensor_parallel, 1);
  EXPECT_EQ(fixed_.pipeline_parallel, 1);
}

TEST_F(FrameworkTest, WhatItCannotRunIsAContradiction) {
  parallel::LayoutConstraints fixed;
  fixed.shard_group = 8;
  fixed.pipeline_parallel = 2;
  EXPECT_THAT(std::string(CheckFramework("megatron-core", fixed).message()), HasSubstr("pipelines with ZeRO-3"));
  EXPECT_TRUE(CheckFramework("torchtitan", fixed).ok());
  fixed = {};
  fixed.virtual_pipeline = 2;
  EXPECT_THAT(std::string(CheckFramework("deepspeed", fixed).message()), HasSubstr("interleaved pipelines"));
  fixed = {};
  fixed.context_parallel = 2;
  fixed.tensor_parallel = 2;
  EXPECT_THAT(std::string(CheckFramework("deepspeed", fixed).message()), HasSubstr("beside tensor"));
}

TEST_F(FrameworkTest, UnknownOnesAreAWarningThatListsTheKnown) {
  Apply("foo");
  EXPECT_THAT(warnings_,
              ElementsAre(AllOf(HasSubstr("\"foo\" is not known"), HasSubstr("megatron-core"), HasSubstr("jax"))));
  Apply("");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("foo")));
}

TEST_F(FrameworkTest, KnownOnesWithoutRulesChangeNothing) {
  for (const Framework& framework : Frameworks()) {
    if (framework.data_parallel_by_default || !framework.interleaves) continue;
    Apply(framework.name);
    EXPECT_FALSE(fixed_.tensor_parallel.has_value()) << framework.name;
  }
  EXPECT_THAT(explanation_, IsEmpty());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(FrameworkTest, ContradictionsNameBothSides) {
  const auto error = [](std::string_view name, const parallel::LayoutConstraints& fixed) {
    return std::string(CheckFramework(name, fixed).message());
  };
  EXPECT_THAT(error("ddp", {.tensor_parallel = 2}),
              AllOf(HasSubstr("layout.tensor_parallel"), HasSubstr("training.framework ddp")));
  EXPECT_THAT(error("ddp", {.expert_parallel = 2}), HasSubstr("layout.expert_parallel"));
  EXPECT_THAT(error("ddp", {.zero_stage = 3}), HasSubstr("layout.zero_stage"));
  EXPECT_EQ(error("ddp", {.data_parallel = 8, .tensor_parallel = 1, .zero_stage = 1}), "");
  EXPECT_EQ(error("fsdp", {.tensor_parallel = 2}), "") << "two-dimensional layouts exist";
  EXPECT_EQ(error("foo", {.tensor_parallel = 2}), "");
}

}  // namespace
}  // namespace planner::planning
