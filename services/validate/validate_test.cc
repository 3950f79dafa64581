#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "core/base/error.h"
#include "google/protobuf/text_format.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::validate {
namespace {

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

/// The field that a refused request names; "OK" for one that passes.
std::string WrongField(const absl::Status& status) {
  if (status.ok()) return "OK";
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return base::DetailOf(status).field;
}

constexpr char kModel[] = "model { preset: 'llama-7b' } ";

std::string EstimateField(const std::string& text) {
  return WrongField(Validate(Parse<v1::EstimateRequest>(kModel + text)));
}

TEST(LimitsTest, TextsNameFieldBoundAndValue) {
  EXPECT_EQ(AboveZero("data_set.token_count", -5, 1e18).message(),
            "data_set.token_count: must be above 0: token_count=-5");
  EXPECT_EQ(Between("layout.zero_stage", 4, 0, 3).message(), "layout.zero_stage: must be at most 3: zero_stage=4");
  EXPECT_EQ(AboveZero("r", std::nan(""), 1).message(), "r: must be a number: r=nan");
  EXPECT_EQ(base::DetailOf(Between("a.b", 0, 1, 3)).metadata.at("b"), "0");
  EXPECT_EQ(base::DetailOf(Between("a.b", 0, 1, 3)).reason, "OUT_OF_RANGE");
}

TEST(LimitsTest, Bounds) {
  EXPECT_TRUE(AboveZero("x", 1, 1).ok());
  EXPECT_FALSE(AboveZero("x", 0, 1).ok());
  EXPECT_FALSE(AboveZero("x", 1.01, 1).ok());
  EXPECT_FALSE(AboveZero("x", std::numeric_limits<double>::infinity(), 1e300).ok());
  EXPECT_TRUE(NotNegative("x", 0, 1).ok());
  EXPECT_FALSE(NotNegative("x", -0.1, 1).ok());
  EXPECT_FALSE(NotNegative("x", std::nan(""), 1).ok());
  EXPECT_TRUE(Text("x", "tab\tand\nline", 100).ok());
  EXPECT_FALSE(Text("x", "abcd", 3).ok());
  EXPECT_FALSE(Text("x", "a\x1b[2J", 100).ok());
}

TEST(ValidateEstimateTest, TheLeastRequestPasses) { EXPECT_EQ(EstimateField(""), "OK"); }

TEST(ValidateEstimateTest, ModelsMustBeGiven) {
  EXPECT_EQ(WrongField(Validate(v1::EstimateRequest())), "model");
  EXPECT_EQ(WrongField(Validate(Parse<v1::EstimateRequest>("model { preset: '' }"))), "model.preset");
  v1::EstimateRequest large;
  large.mutable_model()->set_hugging_face_config(std::string(kMaxConfigBytes + 1, ' '));
  EXPECT_EQ(WrongField(Validate(large)), "model.hugging_face_config");
  large.mutable_model()->set_preset(std::string(1000, 'x'));
  EXPECT_EQ(WrongField(Validate(large)), "model.preset");
}

TEST(ValidateEstimateTest, DataSets) {
  EXPECT_EQ(EstimateField("data_set { token_count: 1e12 epoch_count: 2 seq_len: 4096 }"), "OK");
  EXPECT_EQ(EstimateField("data_set { token_count: 0 }"), "data_set.token_count");
  EXPECT_EQ(EstimateField("data_set { token_count: -5 }"), "data_set.token_count");
  EXPECT_EQ(EstimateField("data_set { token_count: nan }"), "data_set.token_count");
  EXPECT_EQ(EstimateField("data_set { token_count: inf }"), "data_set.token_count");
  EXPECT_EQ(EstimateField("data_set { token_count: 1.1e18 }"), "data_set.token_count");
  EXPECT_EQ(EstimateField("data_set { sample_count: -1 }"), "data_set.sample_count");
  EXPECT_EQ(EstimateField("data_set { token_count: 1 sample_count: 1 }"), "data_set");
  EXPECT_EQ(EstimateField("data_set { epoch_count: 0 }"), "data_set.epoch_count");
  EXPECT_EQ(EstimateField("data_set { seq_len: 0 }"), "data_set.seq_len");
  EXPECT_EQ(EstimateField("data_set { seq_len: 2147483648 }"), "data_set.seq_len");
  EXPECT_EQ(EstimateField("data_set { inputs { dimensions: [1, 3, 0] } }"), "data_set.inputs[0].dimensions[2]");
  EXPECT_EQ(EstimateField("data_set { inputs { } }"), "data_set.inputs[0].dimensions");
}

TEST(ValidateEstimateTest, Training) {
  EXPECT_EQ(EstimateField("training { global_batch: 2048 precision: 'bf16' optimizer: 'adam' attention: 'eager' }"),
            "OK");
  EXPECT_EQ(EstimateField("training { global_batch: 0 }"), "training.global_batch");
  EXPECT_EQ(EstimateField("training { precision: 'bf61' }"), "training.precision");
  EXPECT_EQ(EstimateField("training { optimizer: 'adams' }"), "training.optimizer");
  EXPECT_EQ(EstimateField("training { attention: 'flush' }"), "training.attention");
  EXPECT_EQ(EstimateField("training { lora_rank: 0 }"), "training.lora_rank");
  v1::EstimateRequest request = Parse<v1::EstimateRequest>(kModel);
  request.mutable_training()->set_recompute(static_cast<v1::Training::Recompute>(99));
  EXPECT_EQ(WrongField(Validate(request)), "training.recompute");
  request.clear_training();
  request.mutable_training()->set_finetune(static_cast<v1::Training::Finetune>(-1));
  EXPECT_EQ(WrongField(Validate(request)), "training.finetune");
  request.clear_training();
  request.set_goal(static_cast<v1::EstimateRequest::Goal>(7));
  EXPECT_EQ(WrongField(Validate(request)), "goal");
}

TEST(ValidateEstimateTest, Layouts) {
  for (const char* degree : {"tensor_parallel", "pipeline_parallel", "virtual_pipeline", "data_parallel",
                             "context_parallel", "expert_parallel", "micro_batch_size"}) {
    const std::string name = degree;
    EXPECT_EQ(EstimateField("layout { " + name + ": 8 }"), "OK");
    EXPECT_EQ(EstimateField("layout { " + name + ": 0 }"), "layout." + name);
    EXPECT_EQ(EstimateField("layout { " + name + ": 65537 }"), "layout." + name);
  }
  EXPECT_EQ(EstimateField("layout { zero_stage: 0 }"), "OK");
  EXPECT_EQ(EstimateField("layout { zero_stage: 4 }"), "layout.zero_stage");
}

TEST(ValidateEstimateTest, Resources) {
  EXPECT_EQ(
      EstimateField("resources { gpu_types: 'h100' min_gpus: 8 max_gpus: 64 budget: 1e6 cluster: 'clusters/main' }"),
      "OK");
  EXPECT_EQ(EstimateField("resources { gpu_types: ['h100', ''] }"), "resources.gpu_types[1]");
  EXPECT_EQ(EstimateField("resources { min_gpus: 9 max_gpus: 8 }"), "resources.min_gpus");
  EXPECT_EQ(EstimateField("resources { min_gpus: -1 }"), "resources.min_gpus");
  EXPECT_EQ(EstimateField("resources { max_gpus: 1000001 }"), "resources.max_gpus");
  EXPECT_EQ(EstimateField("resources { cluster: '../etc' }"), "resources.cluster");
  EXPECT_EQ(EstimateField("resources { budget: 0 }"), "resources.budget");
  EXPECT_EQ(EstimateField("resources { price_per_gpu_hour: -1 }"), "resources.price_per_gpu_hour");
  EXPECT_EQ(EstimateField("resources { price_per_gpu_hour: 0 }"), "OK");
  EXPECT_EQ(EstimateField("resources { deadline_duration { seconds: 60 } }"), "OK");
  EXPECT_EQ(EstimateField("resources { deadline_duration { nanos: 1 } }"), "OK");
  EXPECT_EQ(EstimateField("resources { deadline_duration { } }"), "resources.deadline_duration.seconds");
  EXPECT_EQ(EstimateField("resources { deadline_duration { seconds: -1 } }"), "resources.deadline_duration.seconds");
  EXPECT_EQ(EstimateField("resources { deadline_duration { seconds: 9223372036854775807 } }"),
            "resources.deadline_duration.seconds");
  EXPECT_EQ(EstimateField("resources { deadline_time { seconds: 1767225600 nanos: 1000000000 } }"),
            "resources.deadline_time.nanos");
  EXPECT_EQ(EstimateField("resources { deadline_time { seconds: -9223372036854775808 } }"),
            "resources.deadline_time.seconds");
}

TEST(ValidateEstimateTest, Utilization) {
  EXPECT_EQ(EstimateField("utilization { hardware_flops_ratio: 1 }"), "OK");
  EXPECT_EQ(EstimateField("utilization { hardware_flops_ratio: 0 }"), "utilization.hardware_flops_ratio");
  EXPECT_EQ(EstimateField("utilization { model_flops_ratio: 1.5 }"), "utilization.model_flops_ratio");
  EXPECT_EQ(EstimateField("utilization { model_flops_ratio: nan }"), "utilization.model_flops_ratio");
  EXPECT_EQ(EstimateField("utilization { }"), "utilization");
}

TEST(ValidateCountTest, Fields) {
  const auto field = [](const std::string& text) {
    return WrongField(Validate(Parse<v1::CountRequest>(kModel + text)));
  };
  EXPECT_EQ(field("batch_shape { batch: 4 seq_len: 128 inputs { dimensions: [4, 128] } } depth: 0 precision: 'fp32'"),
            "OK");
  EXPECT_EQ(field("batch_shape { batch: 0 }"), "batch_shape.batch");
  EXPECT_EQ(field("batch_shape { batch: 99999999999 }"), "batch_shape.batch");
  EXPECT_EQ(field("batch_shape { seq_len: -1 }"), "batch_shape.seq_len");
  EXPECT_EQ(field("batch_shape { inputs { dimensions: -1 } }"), "batch_shape.inputs[0].dimensions[0]");
  EXPECT_EQ(field("depth: -1"), "depth");
  EXPECT_EQ(field("precision: 'x'"), "precision");
  v1::CountRequest request = Parse<v1::CountRequest>(kModel);
  request.set_mode(static_cast<v1::CountRequest::Mode>(3));
  EXPECT_EQ(WrongField(Validate(request)), "mode");
}

TEST(ValidatePlanTest, PathsBeginWithThePlan) {
  const auto field = [](const std::string& text) { return WrongField(Validate(Parse<v1::CreatePlanRequest>(text))); };
  EXPECT_EQ(field("plan { request { model { preset: 'x' } } }"), "OK");
  EXPECT_EQ(field(""), "plan");
  EXPECT_EQ(field("plan { }"), "plan.request.model");
  EXPECT_EQ(field("plan { request { model { preset: 'x' } data_set { token_count: 0 } } }"),
            "plan.request.data_set.token_count");
  EXPECT_EQ(field("request_id: '" + std::string(129, 'x') + "' plan { }"), "request_id");
  EXPECT_EQ(field("plan { description: '" + std::string(1001, 'x') + "' }"), "plan.description");
}

TEST(ValidateClusterTest, Fields) {
  const auto field = [](const std::string& text) {
    return WrongField(ValidateCluster("cluster", Parse<v1::Cluster>("name: 'main' " + text)));
  };
  EXPECT_EQ(field(""), "OK");
  EXPECT_EQ(
      field("currency: 'EUR' node_pools { gpu_type: 'a100' node_count: 4 gpus_per_node: 8 price_per_gpu_hour: 0 }"),
      "OK");
  EXPECT_EQ(field("currency: 'euro'"), "cluster.currency");
  EXPECT_EQ(field("node_pools { node_count: 4 }"), "cluster.node_pools[0].gpu_type");
  EXPECT_EQ(field("node_pools { gpu_type: 'a100' }"), "cluster.node_pools[0].node_count");
  EXPECT_EQ(field("node_pools { gpu_type: 'a100' node_count: 1 gpus_per_node: 0 }"),
            "cluster.node_pools[0].gpus_per_node");
  EXPECT_EQ(field("node_pools { gpu_type: 'a100' node_count: 1 price_per_gpu_hour: nan }"),
            "cluster.node_pools[0].price_per_gpu_hour");
  EXPECT_EQ(field("node_pools { gpu_type: 'a100' node_count: 1 power_watts_per_gpu: -1 }"),
            "cluster.node_pools[0].power_watts_per_gpu");
  EXPECT_EQ(field("node_pools { gpu_type: 'a100' node_count: 1 network_bandwidth_bytes_per_second: 0 }"),
            "cluster.node_pools[0].network_bandwidth_bytes_per_second");
  EXPECT_EQ(field("node_pools { name: 'a b' gpu_type: 'a100' node_count: 1 }"), "cluster.node_pools[0].name");
}

TEST(ValidateClusterTest, UpdateMasks) {
  const auto field = [](const std::string& text) {
    return WrongField(Validate(Parse<v1::UpdateClusterRequest>("cluster { name: 'main' } " + text)));
  };
  EXPECT_EQ(field("update_mask { paths: ['node_pools', 'currency'] }"), "OK");
  EXPECT_EQ(field("update_mask { paths: ['name'] }"), "update_mask");
}

TEST(NamesTest, ClustersAndPlans) {
  EXPECT_EQ(*ClusterId("name", "clusters/main"), "main");
  EXPECT_EQ(*ClusterId("name", "gpu_farm-2.a"), "gpu_farm-2.a");
  EXPECT_EQ(*PlanId("name", "plans/20260101-000000-4f3a"), "20260101-000000-4f3a");
  for (const std::string& name : {std::string(), std::string("clusters/"), std::string("a b"), std::string("a/b"),
                                  std::string("-a"), std::string("."), std::string("ä"), std::string(64, 'a')}) {
    EXPECT_EQ(WrongField(ClusterId("name", name).status()), "name") << name;
  }
}

TEST(PageSizeTest, ZeroIsTheStandard) {
  EXPECT_EQ(*PageSize(0, 100), 100);
  EXPECT_EQ(*PageSize(1000, 100), 1000);
  EXPECT_EQ(WrongField(PageSize(-1, 100).status()), "page_size");
  EXPECT_EQ(WrongField(PageSize(1001, 100).status()), "page_size");
}

absl::Status ValidateTable(const std::string& csv) {
  v1::ValidateRunsRequest request;
  request.set_runs_csv(csv);
  return Validate(request);
}

std::string Repeated(const std::string& text, size_t count) {
  std::string repeated;
  for (size_t i = 0; i < count; ++i) repeated += text;
  return repeated;
}

TEST(ValidateRunsTest, SizesAreBounded) {
  EXPECT_TRUE(ValidateTable("id,tp\n1,2\n").ok());
  EXPECT_EQ(ValidateTable("").message(), "runs_csv: is empty: its first line names the columns");
  EXPECT_EQ(ValidateTable(std::string((8U << 20) + 1, 'x')).message(),
            "runs_csv: must have at most 8388608 bytes: it has 8388609");
  EXPECT_TRUE(ValidateTable(Repeated(",", 255)).ok());
  EXPECT_EQ(ValidateTable(Repeated(",", 256)).message(), "runs_csv: must have at most 256 columns: it has 257");
  EXPECT_TRUE(ValidateTable("id" + Repeated("\n1", 20'000) + "\n").ok());
  EXPECT_EQ(ValidateTable("id" + Repeated("\n1", 20'001)).message(),
            "runs_csv: must have at most 20001 lines: it has 20002");
  EXPECT_EQ(base::DetailOf(ValidateTable("id\n" + Repeated(",", 1'000'001))).reason, "TOO_LARGE");
}

TEST(ValidateRunsTest, QuotesHideCommasAndLinesFromTheCountAsTheyDoFromTheReader) {
  const std::string commas = Repeated(",", 300);
  // Hidden in a quoted header, with its line breaks and escaped quotes.
  EXPECT_TRUE(ValidateTable("id,\"" + commas + "\"\n1,2\n").ok());
  EXPECT_TRUE(ValidateTable("id,\"a\"\"" + commas + "\n" + commas + "\"\n1,2\n").ok());
  // Not hidden: a quote within a cell, behind an escaped one or behind a closed one opens nothing.
  for (const char* head : {"a\"", "\"a\"\",\"", "\"\"x\"", "\xEF\xBB\xBF\"a,\"", "x,\r\""}) {
    EXPECT_EQ(base::DetailOf(ValidateTable(head + commas)).reason, "TOO_LARGE") << head;
  }
}

TEST(ValidateRunTest, SamplesNameWhatIsWrong) {
  const auto wrong = [](const std::string& text) { return WrongField(ValidateSample("s", Parse<v1::ProgressSample>(text))); };
  EXPECT_EQ(wrong("step: 0"), "OK");
  EXPECT_EQ(wrong("token_count: 0"), "OK");
  EXPECT_EQ(wrong("step: 1 loss: -3 gpu_utilization_ratio: 1 tokens_per_second: 0"), "OK");
  EXPECT_EQ(wrong(""), "s.step");
  EXPECT_EQ(wrong("step: -1"), "s.step");
  EXPECT_EQ(wrong("step: 1000000000000001"), "s.step");
  EXPECT_EQ(wrong("token_count: -1"), "s.token_count");
  EXPECT_EQ(wrong("step: 1 token_count: inf"), "s.token_count");
  EXPECT_EQ(wrong("step: 1 tokens_per_second: nan"), "s.tokens_per_second");
  EXPECT_EQ(wrong("step: 1 loss: nan"), "s.loss");
  EXPECT_EQ(wrong("step: 1 loss: -inf"), "s.loss");
  EXPECT_EQ(wrong("step: 1 gpu_utilization_ratio: 1.1"), "s.gpu_utilization_ratio");
  EXPECT_EQ(wrong("step: 1 gpu_utilization_ratio: -0.1"), "s.gpu_utilization_ratio");
  EXPECT_EQ(wrong("step: 1 time { seconds: -1 }"), "s.time.seconds");
  EXPECT_EQ(wrong("step: 1 time { nanos: 1000000000 }"), "s.time.nanos");
}

TEST(ValidateRunTest, RequestsNameWhatIsWrong) {
  const auto start = [](const std::string& text) { return WrongField(Validate(Parse<v1::StartRunRequest>(text))); };
  EXPECT_EQ(start("run { plan: 'plans/p' }"), "OK");
  EXPECT_EQ(start(""), "run");
  EXPECT_EQ(start("run {}"), "run.plan");
  EXPECT_EQ(start("run { plan: 'p' description: '" + std::string(1001, 'x') + "' }"), "run.description");
  EXPECT_EQ(start("run { plan: 'p' } request_id: '" + std::string(129, 'x') + "'"), "request_id");
  v1::ReportProgressRequest report;
  for (int i = 0; i < 1000; ++i) report.add_samples();
  EXPECT_EQ(WrongField(Validate(report)), "OK");
  report.add_samples();
  EXPECT_EQ(WrongField(Validate(report)), "samples");
  const auto finish = [](const std::string& text) { return WrongField(Validate(Parse<v1::FinishRunRequest>(text))); };
  EXPECT_EQ(finish("name: 'runs/r' state: FAILED last { step: 1 }"), "OK");
  EXPECT_EQ(finish(""), "name");
  EXPECT_EQ(finish("name: 'r' state: RUNNING"), "state");
  EXPECT_EQ(finish("name: 'r' last {}"), "last.step");
}

}  // namespace
}  // namespace planner::validate
