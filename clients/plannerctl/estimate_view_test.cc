#include "clients/plannerctl/estimate_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::EstimateResponse Sample() {
  v1::EstimateResponse estimate;
  estimate.set_model("llama-65b");
  estimate.set_parameter_count(65285660672);
  estimate.set_active_parameter_count(65285660672);
  estimate.set_token_count(1.4e12);
  estimate.set_model_flops(5.83e23);
  estimate.set_hardware_flops(6.1e23);
  v1::Recommendation& best = *estimate.add_recommendations();
  best.set_gpu_type("A100-SXM-80GB");
  best.set_gpu_count(2048);
  best.set_node_count(256);
  best.mutable_layout()->set_data_parallel(64);
  best.mutable_layout()->set_tensor_parallel(8);
  best.mutable_layout()->set_pipeline_parallel(4);
  best.mutable_layout()->set_recompute(v1::Layout::SELECTIVE);
  best.mutable_step_duration()->set_seconds(6);
  best.mutable_total_duration()->set_seconds(86400 * 21);
  best.mutable_total_duration_low()->set_seconds(86400 * 19);
  best.mutable_total_duration_high()->set_seconds(86400 * 24);
  best.set_gpu_hours(1.032e6);
  best.set_cost(2064384);
  best.set_currency("USD");
  best.mutable_memory_per_gpu()->set_total_bytes(int64_t{60} << 30);
  best.mutable_memory_per_gpu()->set_capacity_bytes(int64_t{79} << 30);
  best.set_model_flops_utilization(0.472);
  best.add_explanation("Utilization is the default of Ampere.");
  return estimate;
}

std::string Print(const v1::EstimateResponse& estimate, bool explain = false) {
  std::ostringstream out;
  PrintEstimate(estimate, explain, {}, out);
  return out.str();
}

TEST(PrintEstimateTest, BeginsWithTheThreeLinesThatMatter) {
  EXPECT_THAT(Print(Sample()), StartsWith("Answer  2,048 × A100-SXM-80GB in 256 nodes for 21 days "
                                          "(90 %: 19 days to 24 days)\n"
                                          "Cost    1.03M GPU hours, USD 2,064,384\n"
                                          "Work    llama-65b: 65.3B parameters, 1.4T tokens, 5.83e23 FLOPs "
                                          "(6.10e23 with recomputation)\n"));
}

TEST(PrintEstimateTest, ListsCandidates) {
  const std::string text = Print(Sample());
  EXPECT_THAT(text, HasSubstr("GPU TYPE"));
  EXPECT_THAT(text, HasSubstr("DP 64 × TP 8 × PP 4"));
  EXPECT_THAT(text, HasSubstr("60.0 / 79.0 GiB"));
  EXPECT_THAT(text, HasSubstr("47.2 %"));
  EXPECT_THAT(text, Not(HasSubstr("CLUSTER")));
  EXPECT_THAT(text, Not(HasSubstr("How the numbers")));
}

TEST(PrintEstimateTest, ExplainsWhenAsked) {
  const std::string text = Print(Sample(), /*explain=*/true);
  EXPECT_THAT(text, HasSubstr("  - Utilization is the default of Ampere.\n"));
  EXPECT_THAT(text, HasSubstr("  capacity     79.0 GiB\n"));
}

TEST(PrintEstimateTest, TellsMeasuredFromPredicted) {
  v1::EstimateResponse estimate = Sample();
  v1::Recommendation& best = *estimate.mutable_recommendations(0);
  best.set_utilization_source(v1::Recommendation::PREDICTED);
  best.mutable_calibration()->set_factor(1);
  EXPECT_THAT(Print(estimate, /*explain=*/true), AllOf(HasSubstr(" predicted "), Not(HasSubstr("Step time"))));
  best.set_utilization_source(v1::Recommendation::MEASURED);
  v1::CalibrationInfo& info = *best.mutable_calibration();
  info.set_factor(1.2);
  info.mutable_predicted_step_duration()->set_seconds(5);
  info.set_run_count(12);
  info.set_level("kernels");
  EXPECT_THAT(Print(estimate), AllOf(HasSubstr(" measured, 12 runs "), Not(HasSubstr("Step time"))));
  EXPECT_THAT(Print(estimate, /*explain=*/true),
              HasSubstr("\n  Step time: 1.2 x the 5 s that the model alone predicts, by 12 runs (kernels)\n"));
}

TEST(PrintEstimateTest, ShowsHowToLaunchWhenAsked) {
  v1::EstimateResponse estimate = Sample();
  v1::LaunchFlags& megatron = *estimate.mutable_recommendations(0)->add_launch();
  megatron.set_framework("megatron-core");
  megatron.set_flags("--tensor-model-parallel-size 8");
  v1::LaunchFlags& deepspeed = *estimate.mutable_recommendations(0)->add_launch();
  deepspeed.set_framework("deepspeed");
  deepspeed.set_unsupported("interleaved pipelines");
  EXPECT_THAT(Print(estimate, /*explain=*/true),
              HasSubstr("\nLaunch\n  megatron-core: --tensor-model-parallel-size 8\n"
                        "  deepspeed: cannot run interleaved pipelines\n"));
  EXPECT_THAT(Print(estimate), Not(HasSubstr("Launch")));
}

TEST(PrintEstimateTest, WithoutADataSetAnswersRates) {
  v1::EstimateResponse estimate = Sample();
  estimate.set_token_count(0);
  estimate.mutable_recommendations(0)->clear_total_duration();
  estimate.mutable_recommendations(0)->set_global_batch(2000);
  estimate.mutable_recommendations(0)->set_tokens_per_second(680e3);
  const std::string text = Print(estimate);
  EXPECT_THAT(text, HasSubstr("6 s per step, 680k tokens/s; "));
  EXPECT_THAT(text, HasSubstr("no data set was given"));
  EXPECT_THAT(text, Not(HasSubstr("GPU HOURS")));
  estimate.mutable_recommendations(0)->set_tokens_per_second(2000 / 6.0);
  EXPECT_THAT(Print(estimate), HasSubstr("333 samples/s; "));
}

TEST(PrintEstimateTest, ASequenceOfOneTokenIsToldInTokens) {
  v1::EstimateResponse estimate = Sample();
  estimate.mutable_recommendations(0)->set_global_batch(4000000);
  estimate.mutable_recommendations(0)->set_tokens_per_second(4000000 / 6.0);
  EXPECT_THAT(Print(estimate, /*explain=*/true), HasSubstr("667k tokens/s; "));
  estimate.set_token_count(0);
  estimate.set_sample_count(1.4e12);
  EXPECT_THAT(Print(estimate, /*explain=*/true), HasSubstr("667k samples/s; "));
}

TEST(PrintEstimateTest, InfeasibleSaysSo) {
  v1::EstimateResponse estimate = Sample();
  estimate.clear_recommendations();
  const std::string text = Print(estimate, /*explain=*/true);
  EXPECT_THAT(text, StartsWith("Answer  no plan meets the request\nWork "));
}

TEST(LayoutTextTest, NamesOnlyWhatIsSplit) {
  v1::Layout layout;
  EXPECT_EQ(LayoutText(layout), "single GPU");
  layout.set_data_parallel(16);
  layout.set_expert_parallel(8);
  EXPECT_EQ(LayoutText(layout), "DP 16, EP 8");
}

}  // namespace
}  // namespace planner::plannerctl
