#include "services/convert/run.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace planner::convert {
namespace {

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

TEST(RunConversion, APlanWithoutDataHasRatesAndNoEnd) {
  const auto plan = Parse<v1::Plan>(
      "estimate { recommendations { gpu_type: 'h' step_duration { seconds: 2 } tokens_per_second: 500 } }");
  const v1::PlannedRun planned = PlannedRunToProto(plan, absl::UnixEpoch());
  EXPECT_DOUBLE_EQ(planned.tokens_per_step(), 1000);
  EXPECT_FALSE(planned.has_finish_time());
  EXPECT_FALSE(planned.has_calibration());
  v1::Run run;
  *run.mutable_planned() = planned;
  EXPECT_FALSE(PlannedFromProto(run).has_end());
}

TEST(RunConversion, SamplesComeBackAsTheyWere) {
  for (const char* text : {"time { seconds: 5 nanos: 7 } step: 3", "time { seconds: 5 } step: 3 token_count: 1.5 tokens_per_second: 2 loss: -1 "
                                                                    "gpu_utilization_ratio: 0.5"}) {
    const auto sample = Parse<v1::ProgressSample>(text);
    EXPECT_EQ(SampleToProto(SampleFromProto(sample, 0)).SerializeAsString(), sample.SerializeAsString());
  }
}

TEST(RunConversion, TokensTellTheStep) {
  const auto step = [](const std::string& text, double tokens_per_step) {
    return SampleFromProto(Parse<v1::ProgressSample>(text), tokens_per_step).step;
  };
  EXPECT_EQ(step("token_count: 3000", 1000), 3);
  EXPECT_EQ(step("token_count: 2999", 1000), 2);
  EXPECT_EQ(step("token_count: 0.3", 0.1), 3);  // 0.3 / 0.1 is below 3.
  EXPECT_EQ(step("token_count: 1e18", 1e-9), 1'000'000'000'000'000);
  EXPECT_EQ(step("token_count: 5", 0), 0);
}

}  // namespace
}  // namespace planner::convert
