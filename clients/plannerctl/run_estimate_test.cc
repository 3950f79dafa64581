// What `estimate` and `count` ask, and how their answers end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "clients/plannerctl/fake_planner.h"

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RunEstimateTest : public RunTest {};

TEST_F(RunEstimateTest, EstimateFillsEveryField) {
  ASSERT_EQ(Run({"estimate",
                 "--model",
                 "llama-65b",
                 "--tokens",
                 "1.4T",
                 "--seq-len",
                 "2k",
                 "--global-batch",
                 "2048",
                 "--gpu",
                 "a100,h100",
                 "--gpu",
                 "h200",
                 "--gpus",
                 "8-2048",
                 "--cluster",
                 "main",
                 "--deadline",
                 "30d",
                 "--budget",
                 "1M",
                 "--price",
                 "2.5",
                 "--goal",
                 "cheapest",
                 "--precision",
                 "bf16",
                 "--optimizer",
                 "adam",
                 "--recompute",
                 "full",
                 "--tp",
                 "8",
                 "--pp",
                 "4",
                 "--vpp",
                 "2",
                 "--dp",
                 "16",
                 "--cp",
                 "1",
                 "--ep",
                 "1",
                 "--sequence-parallel",
                 "false",
                 "--micro-batch",
                 "1",
                 "--zero",
                 "1",
                 "--utilization",
                 "45%",
                 "--finetune",
                 "lora",
                 "--lora-rank",
                 "8",
                 "--framework",
                 "megatron-core",
                 "--attention",
                 "flash"}),
            0)
      << err();
  const v1::EstimateRequest& request = estimation_.estimate_request;
  EXPECT_EQ(request.model().preset(), "llama-65b");
  EXPECT_EQ(request.data_set().token_count(), 1.4e12);
  EXPECT_FALSE(request.data_set().has_sample_count());
  EXPECT_EQ(request.data_set().seq_len(), 2000);
  EXPECT_THAT(request.resources().gpu_types(), ElementsAre("a100", "h100", "h200"));
  EXPECT_EQ(request.resources().min_gpus(), 8);
  EXPECT_EQ(request.resources().max_gpus(), 2048);
  EXPECT_EQ(request.resources().cluster(), "main");
  EXPECT_EQ(request.resources().deadline_duration().seconds(), 30 * 86400);
  EXPECT_EQ(request.resources().budget(), 1e6);
  EXPECT_EQ(request.resources().price_per_gpu_hour(), 2.5);
  EXPECT_EQ(request.goal(), v1::EstimateRequest::CHEAPEST);
  EXPECT_EQ(request.training().global_batch(), 2048);
  EXPECT_EQ(request.training().recompute(), v1::Training::FULL);
  EXPECT_EQ(request.training().finetune(), v1::Training::LORA);
  EXPECT_EQ(request.training().lora_rank(), 8);
  EXPECT_EQ(request.training().framework(), "megatron-core");
  EXPECT_EQ(request.layout().tensor_parallel(), 8);
  EXPECT_EQ(request.layout().pipeline_parallel(), 4);
  EXPECT_EQ(request.layout().virtual_pipeline(), 2);
  EXPECT_EQ(request.layout().data_parallel(), 16);
  EXPECT_EQ(request.layout().micro_batch_size(), 1);
  EXPECT_EQ(request.layout().zero_stage(), 1);
  EXPECT_TRUE(request.layout().has_sequence_parallel());
  EXPECT_FALSE(request.layout().sequence_parallel());
  EXPECT_EQ(request.utilization().hardware_flops_ratio(), 0.45);
}

TEST_F(RunEstimateTest, WhatIsNotGivenStaysUnset) {
  ASSERT_EQ(Run({"estimate", "--model", "gpt2"}), 0) << err();
  const v1::EstimateRequest& request = estimation_.estimate_request;
  EXPECT_FALSE(request.data_set().has_token_count());
  EXPECT_FALSE(request.layout().has_tensor_parallel());
  EXPECT_FALSE(request.has_utilization());
  EXPECT_FALSE(request.resources().has_min_gpus());
  EXPECT_EQ(request.resources().deadline_case(), v1::Resources::DEADLINE_NOT_SET);
}

TEST_F(RunEstimateTest, ModeInferenceAsksForAServedModel) {
  estimation_.estimate.clear_recommendations();
  v1::InferenceOption& option = *estimation_.estimate.add_inference();
  option.set_gpu_type("H100-SXM-80GB");
  option.set_gpu_count(2);
  option.set_max_batch(100);
  option.mutable_prefill_duration()->set_seconds(241);
  option.set_max_batch_tokens_per_second(5000);
  option.set_max_batch_tokens_per_second_per_gpu(2500);
  EXPECT_EQ(Run({"estimate", "-m", "gpt2", "--mode", "inference", "--prompt-len", "2k", "--output-len", "128",
                 "--batch", "16", "--kv-precision", "fp8"}),
            0)
      << err();
  const v1::Inference& inference = estimation_.estimate_request.inference();
  EXPECT_EQ(inference.prompt_length(), 2000);
  EXPECT_EQ(inference.output_length(), 128);
  EXPECT_EQ(inference.batch(), 16);
  EXPECT_EQ(inference.cache_precision(), "fp8");
  EXPECT_THAT(out(), HasSubstr("4.02 min"));
  EXPECT_THAT(out(), HasSubstr("most per GPU: 2 × H100-SXM-80GB with 100 sequences at once: 5k tokens/s"));
  EXPECT_EQ(Run({"estimate", "-m", "gpt2", "--batch", "16"}), 2);
  EXPECT_THAT(err(), HasSubstr("--batch: is of --mode inference"));
  EXPECT_EQ(Run({"estimate", "-m", "gpt2", "--mode", "training"}), 0);
  EXPECT_FALSE(estimation_.estimate_request.has_inference());
}

TEST_F(RunEstimateTest, InfeasibleAnswersExitWith3) {
  estimation_.estimate.clear_recommendations();
  estimation_.estimate.add_infeasible_reasons("A100-SXM-80GB × 8: 33.0 GiB too much");
  EXPECT_EQ(Run({"estimate", "--model", "gpt2"}), 3);
  EXPECT_THAT(out(), StartsWith("Answer  no plan meets the request\n"));
  EXPECT_EQ(err(), "plannerctl: error: infeasible: A100-SXM-80GB × 8: 33.0 GiB too much\n");
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "-o", "json"}), 3);
  EXPECT_THAT(nlohmann::json::parse(out())["infeasibleReasons"], SizeIs(1));
}

TEST_F(RunEstimateTest, CountFillsEveryField) {
  ASSERT_EQ(
      Run({"count", "--model", "resnet50", "--batch", "8", "--seq-len", "128", "--input", "8x3x224x224", "--input",
           "8x10:int64", "--counter", "analytic", "--depth", "0", "--mode", "inference", "--precision", "fp32"}),
      0)
      << err();
  const v1::CountRequest& request = estimation_.count_request;
  EXPECT_EQ(request.model().preset(), "resnet50");
  EXPECT_EQ(request.batch_shape().batch(), 8);
  EXPECT_EQ(request.batch_shape().seq_len(), 128);
  ASSERT_THAT(request.batch_shape().inputs(), SizeIs(2));
  EXPECT_EQ(request.batch_shape().inputs(1).dtype(), "int64");
  EXPECT_EQ(request.counter(), "analytic");
  EXPECT_TRUE(request.has_depth());
  EXPECT_EQ(request.depth(), 0);
  EXPECT_EQ(request.mode(), v1::CountRequest::INFERENCE);
  EXPECT_EQ(request.precision(), "fp32");
  EXPECT_THAT(out(), HasSubstr("25,557,032"));
}

TEST_F(RunEstimateTest, ModelsMayComeFromStandardInput) {
  input_ = R"({"model_type": "llama"})";
  ASSERT_EQ(Run({"count", "--model", "-"}), 0) << err();
  EXPECT_EQ(estimation_.count_request.model().hugging_face_config(), input_);
}

TEST_F(RunEstimateTest, PagesAreWritten) {
  const std::string path = ::testing::TempDir() + "run_test_page.html";
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--html", path}), 0) << err();
  std::ifstream file(path);
  std::string first;
  std::getline(file, first);
  EXPECT_EQ(first, "<!DOCTYPE html>");
  std::remove(path.c_str());
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--html", "/nowhere/page.html"}), 1);
  EXPECT_THAT(err(), HasSubstr("--html: /nowhere/page.html cannot be written"));
}

TEST_F(RunEstimateTest, APageOnStandardOutputStandsAlone) {
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--html", "-"}), 0) << err();
  EXPECT_THAT(out(), AllOf(StartsWith("<!DOCTYPE html>"), EndsWith("</html>\n"), Not(HasSubstr("GPU TYPE"))));
  EXPECT_FALSE(std::filesystem::exists("-"));
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--html", "-", "-o", "json"}), 2);
  EXPECT_THAT(err(), HasSubstr("--html: - is standard output, where the answer is with -o json"));
}

TEST_F(RunEstimateTest, AModelFileIsUploadedOnceItIsMissed) {
  const std::string path = ::testing::TempDir() + "run_test_net.pt";
  std::string content = "PK\x03\x04";
  content.append(3'000'000, 'x');
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(Run({"count", "--model", path, "--input", "x=1x3x8x8:float32", "-o", "json"}), 0) << err_.str();
  EXPECT_EQ(estimation_.counts, 2);
  EXPECT_EQ(estimation_.uploaded, content);
  EXPECT_EQ(estimation_.announcement.size_bytes(), 3'000'004);
  EXPECT_EQ(estimation_.announcement.sha256(), estimation_.count_request.model().uploaded_file().sha256());
  EXPECT_EQ(estimation_.count_request.model().display_name(), "run_test_net");
  EXPECT_EQ(estimation_.count_request.batch_shape().inputs(0).name(), "x");
  EXPECT_THAT(err_.str(), IsEmpty());  // No progress: it is no terminal.
  // The server has it now.
  EXPECT_EQ(Run({"count", "--model", path}), 0);
  EXPECT_EQ(estimation_.counts, 3);
  EXPECT_EQ(estimation_.uploaded, content);
  estimation_.uploaded.clear();
  estimation_.upload_status = {grpc::StatusCode::RESOURCE_EXHAUSTED, "there is no room"};
  EXPECT_EQ(Run({"count", "--model", path}), 1);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("upload: there is no room"), HasSubstr(path)));
  std::remove(path.c_str());
}

TEST_F(RunEstimateTest, AModelFileThatIsNoneIsNotUploaded) {
  EXPECT_EQ(Run({"count", "--model", "missing.pt"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("missing.pt: no such file"));
  EXPECT_EQ(estimation_.counts, 0);
}

}  // namespace
}  // namespace planner::plannerctl
