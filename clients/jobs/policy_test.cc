#include "clients/jobs/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::jobs {
namespace {

using ::testing::HasSubstr;

TEST(PolicyTest, PartitionsHaveWhatTheyDoNotSayFromTheDefault) {
  const auto policy = ParsePolicy(R"(
partitions:
  gpu: {mode: enforce, change: {count: true}, max_time: 7-00:00:00}
  debug: {mode: off}
default: {mode: amend, on_failure: closed, time_margin: 1.5, change: {time: cap}}
cluster: main
gpu_types: {a100: A100-SXM-80GB}
default_gpu_type: a100
model_folders: [/shared/models]
)");
  ASSERT_TRUE(policy.ok()) << policy.status();
  const PartitionPolicy gpu = policy->Of("gpu");
  EXPECT_EQ(gpu.mode, Mode::kEnforce);
  EXPECT_EQ(gpu.on_failure, OnFailure::kClosed);
  EXPECT_EQ(gpu.time, TimeChange::kCap);
  EXPECT_TRUE(gpu.change_count);
  EXPECT_FALSE(gpu.change_type);
  EXPECT_EQ(*gpu.max_time, absl::Hours(7 * 24));
  EXPECT_EQ(gpu.time_margin, 1.5);
  EXPECT_EQ(policy->Of("debug").mode, Mode::kOff);
  EXPECT_EQ(policy->Of("other").mode, Mode::kAmend);
  EXPECT_EQ(policy->PlannerType("a100"), "A100-SXM-80GB");
  EXPECT_EQ(policy->PlannerType("h100"), "h100");
}

TEST(PolicyTest, AnEmptyOneAdvisesAndIsOpen) {
  const auto policy = ParsePolicy("");
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->Of("gpu").mode, Mode::kAdvise);
  EXPECT_EQ(policy->Of("gpu").on_failure, OnFailure::kOpen);
}

TEST(PolicyTest, OfSeveralPartitionsTheStrictestRulesHold) {
  const auto policy = ParsePolicy(R"(
default: {mode: advise, change: {time: cap, count: true}, max_time: 7-00:00:00}
partitions:
  gpu: {mode: enforce, on_failure: closed, change: {time: fill, count: false}, max_time: 1-00:00:00, max_gpus: 64, time_margin: 1.5}
  off: {mode: off, on_failure: closed}
  long: {max_time: 30-00:00:00}
  a,b: {mode: amend}
)");
  ASSERT_TRUE(policy.ok()) << policy.status();
  for (const char* list : {"gpu,long", "long,gpu", "gpu,,long,"}) {
    const PartitionPolicy both = policy->Of(list);
    EXPECT_EQ(both.mode, Mode::kEnforce) << list;
    EXPECT_EQ(both.on_failure, OnFailure::kClosed);
    EXPECT_EQ(both.time, TimeChange::kFill);
    EXPECT_FALSE(both.change_count);
    EXPECT_EQ(both.max_time, absl::Hours(30 * 24)) << "it can start where it may be longer";
    EXPECT_EQ(both.max_gpus, 64);
    EXPECT_EQ(both.time_margin, 1.5);
  }
  EXPECT_EQ(policy->Of("off,unknown").on_failure, OnFailure::kOpen) << "where nothing is looked at, nothing is closed";
  EXPECT_EQ(policy->Of("off,unknown").mode, Mode::kAdvise);
  EXPECT_EQ(policy->Of("off,off").mode, Mode::kOff);
  EXPECT_EQ(policy->Of("a,b").mode, Mode::kAmend) << "named itself";
  EXPECT_EQ(policy->Of(",").mode, Mode::kAdvise);
}

TEST(PolicyTest, ErrorsNameTheField) {
  const auto error = [](const std::string& text) { return std::string(ParsePolicy(text).status().message()); };
  EXPECT_THAT(error("partitions: {gpu: {mode: on}}"), HasSubstr("partitions.gpu.mode: is none of off, advise"));
  EXPECT_THAT(error("partitions: {gpu: {change: {tiem: cap}}}"),
              HasSubstr("partitions.gpu.change.tiem: is no field of a policy; did you mean time?"));
  EXPECT_THAT(error("default: {max_time: soon}"), HasSubstr("default.max_time: is no time"));
  EXPECT_THAT(error("default: {time_margin: 0.5}"), HasSubstr("default.time_margin: must be from 1 to 10"));
  EXPECT_THAT(error("default: {time_margin: .nan}"), HasSubstr("default.time_margin"));
  EXPECT_THAT(error("default: {max_gpus: 0}"), HasSubstr("default.max_gpus: must be from 1"));
  EXPECT_THAT(error("default: {max_time: 5}"), HasSubstr("default.max_time: is shorter than min_time"));
  EXPECT_THAT(error("modes: {}"), HasSubstr("modes: is no field"));
  EXPECT_THAT(error("model_folders: [/a, b]"), HasSubstr("model_folders[1]: is no absolute path"));
  EXPECT_THAT(error("gpu_types: {a100: []}"), HasSubstr("gpu_types.a100: is not a name"));
  EXPECT_THAT(error("default: {mode: off, mode: enforce}"), HasSubstr("default.mode: is there twice"));
  EXPECT_THAT(error("partitions: {gpu: {mode: off}, gpu: {mode: enforce}}"),
              HasSubstr("partitions.gpu: is there twice"));
  EXPECT_THAT(error("gpu_types: {a100: a100, a100: h100}"), HasSubstr("gpu_types.a100: is there twice"));
  EXPECT_THAT(error("partitions: 7"), HasSubstr("partitions: is not a map"));
  EXPECT_THAT(error("partitions: {gpu: 7}"), HasSubstr("partitions.gpu: is not a map"));
  EXPECT_THAT(error("[1]"), HasSubstr("policy: is not a map"));
  EXPECT_THAT(error("{a: ["), HasSubstr("policy: is not valid YAML"));
  EXPECT_EQ(base::DetailOf(ParsePolicy("default: {mode: x}").status()).field, "default.mode");
}

}  // namespace
}  // namespace planner::jobs
