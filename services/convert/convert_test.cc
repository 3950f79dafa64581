#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"
#include "google/protobuf/text_format.h"
#include "services/convert/calibration.h"
#include "services/convert/cluster.h"
#include "services/convert/count.h"
#include "services/convert/hardware.h"
#include "services/convert/inference.h"
#include "services/convert/job.h"
#include "services/convert/plan.h"
#include "services/convert/time.h"
#include "services/convert/validation.h"

namespace planner::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

TEST(TimeTest, DurationsKeepTheirSign) {
  EXPECT_EQ(DurationToProto(absl::Milliseconds(12500)).seconds(), 12);
  EXPECT_EQ(DurationToProto(absl::Milliseconds(12500)).nanos(), 500'000'000);
  EXPECT_EQ(DurationToProto(absl::Milliseconds(-1500)).seconds(), -1);
  EXPECT_EQ(DurationToProto(absl::Milliseconds(-1500)).nanos(), -500'000'000);
  EXPECT_EQ(DurationFromProto(DurationToProto(absl::Nanoseconds(1'000'000'001))), absl::Nanoseconds(1'000'000'001));
}

TEST(TimeTest, WhatProtobufCannotSayBecomesItsBound) {
  EXPECT_EQ(DurationToProto(absl::InfiniteDuration()).seconds(), 315'576'000'000);
  EXPECT_EQ(TimeToProto(absl::InfiniteFuture()).seconds(), 253'402'300'799);
  EXPECT_EQ(TimeToProto(absl::InfinitePast()).seconds(), -62'135'596'800);
}

TEST(TimeTest, TimesBefore1970HavePositiveNanos) {
  const absl::Time time = absl::FromUnixMillis(-1500);
  EXPECT_EQ(TimeToProto(time).seconds(), -2);
  EXPECT_EQ(TimeToProto(time).nanos(), 500'000'000);
  EXPECT_EQ(TimeFromProto(TimeToProto(time)), time);
}

TEST(InferenceTest, WhatIsOfTrainingsIsNamed) {
  EXPECT_THAT(InferenceWarnings(Parse<v1::EstimateRequest>(
                  "inference {} training { precision: 'fp8' } layout { tensor_parallel: 2 } with_pareto_front: true "
                  "resources { gpu_types: 'h100' min_gpus: 2 max_gpus: 2 cluster: 'c' price_per_gpu_hour: 2 }")),
              IsEmpty());
  EXPECT_THAT(InferenceWarnings(Parse<v1::EstimateRequest>("inference {} data_set { seq_len: 8 }")),
              ElementsAre("data_set.seq_len is ignored: a served model is not trained"));
  EXPECT_THAT(
      InferenceWarnings(Parse<v1::EstimateRequest>(
          "inference {} goal: CHEAPEST data_set { token_count: 1 epoch_count: 2 } training { optimizer: 'sgd' "
          "finetune: LORA } "
          "layout { pipeline_parallel: 2 zero_stage: 0 sequence_parallel: false } resources { budget: 1 tenant: 't' "
          "deadline_duration { seconds: 9 } } utilization { model_flops_ratio: 0.5 }")),
      ElementsAre(
          "goal, data_set.token_count, data_set.epoch_count, training.optimizer, training.finetune, "
          "layout.pipeline_parallel, layout.zero_stage, layout.sequence_parallel, resources.deadline_duration, "
          "resources.budget, resources.tenant, utilization.model_flops_ratio are ignored: a served model is not "
          "trained"));
}

TEST(CountTest, ShapesOfAModulesInputsSayWhatWasCounted) {
  const auto asked = Parse<v1::BatchShape>("batch: 8 seq_len: 8 inputs { dimensions: [1, 3, 224, 224] }");
  model::ModelDescription model;
  model.kind = model::ModelKind::kModule;
  v1::BatchShape counted = asked;
  LeaveOutOfProto(model, BatchShapeFromProto(asked, model), counted);
  EXPECT_FALSE(counted.has_batch());
  EXPECT_FALSE(counted.has_seq_len());
  EXPECT_THAT(counted.inputs(), SizeIs(1));
  model.kind = model::ModelKind::kVision;
  counted = asked;
  LeaveOutOfProto(model, BatchShapeFromProto(asked, model), counted);
  EXPECT_EQ(counted.batch(), 8);
}

TEST(HardwareTest, GpuTypesRoundTrip) {
  const hardware::GpuCatalog gpus = *hardware::GpuCatalog::Create();
  for (const hardware::GpuType& type : gpus.types()) {
    const v1::GpuType proto = GpuTypeToProto(type);
    EXPECT_EQ(GpuTypeToProto(GpuTypeFromProto(proto)).SerializeAsString(), proto.SerializeAsString()) << type.name;
  }
}

TEST(HardwareTest, PrecisionsHaveTheirMemory) {
  // bf16 with adam: 2 + 4 + 12 = 18 bytes; 18e9 / 2^30 = 16.76 GiB.
  const v1::PrecisionInfo bf16 = PrecisionToProto(**hardware::FindPrecision("bf16"));
  EXPECT_NEAR(bf16.weights_gib_per_billion(), 1.8626, 1e-4);
  EXPECT_NEAR(bf16.inference_gib_per_billion(), 1.2 * 1.8626, 1e-4);
  ASSERT_FALSE(bf16.training().empty());
  EXPECT_EQ(bf16.training(0).optimizer(), "adam");
  EXPECT_NEAR(bf16.training(0).gib_per_billion(), 16.7638, 1e-4);
  EXPECT_TRUE(PrecisionToProto(**hardware::FindPrecision("int8")).training().empty());
}

class ClusterTest : public ::testing::Test {
 protected:
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
};

TEST_F(ClusterTest, NormalizingFillsInWhatWasLeftOut) {
  const v1::Cluster cluster = *NormalizedCluster(
      "cluster", Parse<v1::Cluster>("name: 'clusters/main' etag: 'x' node_pools { gpu_type: 'h100' node_count: 2 }"),
      gpus_);
  EXPECT_EQ(cluster.name(), "main");
  EXPECT_EQ(cluster.currency(), "USD");
  EXPECT_EQ(cluster.etag(), "");
  EXPECT_EQ(cluster.node_pools(0).name(), "h100-sxm-80gb");
  EXPECT_EQ(cluster.node_pools(0).gpus_per_node(), 8);
  EXPECT_FALSE(cluster.node_pools(0).has_price_per_gpu_hour());
  // Again, nothing is left to do.
  EXPECT_EQ(NormalizedCluster("cluster", cluster, gpus_)->SerializeAsString(), cluster.SerializeAsString());
}

TEST_F(ClusterTest, ErrorsNameThePool) {
  const auto field = [&](const std::string& pools) {
    return base::DetailOf(NormalizedCluster("c", Parse<v1::Cluster>("name: 'm' " + pools), gpus_).status()).field;
  };
  EXPECT_EQ(field("node_pools { gpu_type: 'h1000' node_count: 1 }"), "c.node_pools[0].gpu_type");
  EXPECT_EQ(field("node_pools { name: 'a' gpu_type: 'h100' } node_pools { name: 'a' gpu_type: 'a100' }"),
            "c.node_pools[1].name");
}

TEST_F(ClusterTest, WhatAnOlderVersionHasStoredMayStayAsItIs) {
  const auto pool = [](int count, const std::string& more = "") {
    std::string text = "name: 'm' node_pools { name: 'p' gpu_type: 'h100' node_count: 20000 gpus_per_node: 8 " + more;
    for (int i = 0; i < count; ++i) text += " occupations { nodes: 'p-" + std::to_string(i) + "' gpus_per_node: 5 }";
    return Parse<v1::Cluster>(text + " }");
  };
  const auto field = [&](const v1::Cluster& cluster, const v1::Cluster* stored) {
    return base::DetailOf(NormalizedCluster("c", cluster, gpus_, stored).status()).field;
  };
  const v1::Cluster many = pool(10'002);
  EXPECT_EQ(field(many, nullptr), "c.node_pools[0].occupations");
  EXPECT_EQ(field(many, &many), "");
  EXPECT_EQ(field(pool(10'001, "price_per_gpu_hour: 2"), &many), "")
      << "less is better, and a new price is nobody's business";
  EXPECT_EQ(field(pool(10'003), &many), "c.node_pools[0].occupations");
  // More GPUs in use than there are.
  const v1::Cluster overfull = pool(2, "occupations { nodes: 'p-1' gpus_per_node: 5 }");
  const v1::Cluster stored = [&] {
    v1::Cluster cluster = overfull;
    cluster.mutable_node_pools(0)->set_gpu_type("H100-SXM-80GB");
    return cluster;
  }();
  EXPECT_EQ(field(overfull, nullptr), "c.node_pools[0].occupations[2].gpus_per_node");
  EXPECT_EQ(field(overfull, &stored), "");
  v1::Cluster changed = overfull;
  changed.mutable_node_pools(0)->mutable_occupations(1)->set_nodes("p-1");
  EXPECT_NE(field(changed, &stored), "") << "what changes is looked at";
}

TEST_F(ClusterTest, PoolsHaveTheirOwnFigures) {
  const std::vector<cluster::Pool> pools = PoolsOf(
      Parse<v1::Cluster>(
          "name: 'main' currency: 'EUR'"
          "node_pools { name: 'a' gpu_type: 'H100-SXM-80GB' node_count: 2 gpus_per_node: 4 price_per_gpu_hour: 2.5"
          "  power_watts_per_gpu: 650 network_bandwidth_bytes_per_second: 12.5e9 }"
          "node_pools { name: 'b' gpu_type: 'H100-SXM-80GB' node_count: 1 }"
          "node_pools { name: 'gone' gpu_type: 'no longer known' node_count: 1 }"),
      gpus_);
  ASSERT_THAT(pools, SizeIs(2));
  EXPECT_EQ(pools[0].cluster, "main");
  EXPECT_EQ(pools[0].node_count, 2);
  EXPECT_EQ(pools[0].gpus_per_node, 4);
  EXPECT_EQ(pools[0].price_per_gpu_hour, 2.5);
  EXPECT_EQ(pools[0].currency, "EUR");
  EXPECT_EQ(pools[0].gpu.power_watts, 650);
  EXPECT_EQ(pools[0].gpu.network_bandwidth, 12.5e9);
  EXPECT_FALSE(pools[1].price_per_gpu_hour.has_value());
  EXPECT_EQ(pools[1].currency, "");
  EXPECT_EQ(pools[1].gpu.power_watts, (*gpus_.Find("h100"))->power_watts);
}

TEST(JobTest, WhatIsAbsentStaysAbsent) {
  const planning::JobSpec job = JobFromProto(v1::EstimateRequest(), {});
  EXPECT_FALSE(job.token_count || job.sample_count || job.seq_len || job.global_batch || job.min_gpus || job.budget);
  EXPECT_EQ(job.epoch_count, 1);
  EXPECT_FALSE(job.lora_rank.has_value());
  EXPECT_TRUE(job.flash_attention);
  EXPECT_FALSE(job.layout.recompute || job.layout.zero_stage || job.layout.sequence_parallel);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(job.deadline));
  EXPECT_FALSE(job.hardware_flops_ratio || job.model_flops_ratio);
}

TEST(JobTest, EveryFieldArrives) {
  const planning::JobSpec job = JobFromProto(
      Parse<v1::EstimateRequest>(
          "data_set { token_count: 1e12 epoch_count: 2 seq_len: 4096 inputs { dimensions: [1, 3] } }"
          "training { global_batch: 1024 precision: 'fp8' optimizer: 'sgd' recompute: SELECTIVE finetune: QLORA "
          "framework: 'fsdp'"
          "  attention: 'eager' lora_rank: 8 }"
          "layout { tensor_parallel: 1 pipeline_parallel: 2 virtual_pipeline: 3 data_parallel: 4 context_parallel: 5"
          "  expert_parallel: 6 micro_batch_size: 7 zero_stage: 3 sequence_parallel: false }"
          "resources { min_gpus: 8 max_gpus: 16 deadline_duration { seconds: 60 } budget: 1e6 }"
          "goal: CHEAPEST utilization { model_flops_ratio: 0.4 }"),
      {});
  EXPECT_EQ(job.token_count, 1e12);
  EXPECT_EQ(job.epoch_count, 2);
  EXPECT_EQ(job.seq_len, 4096);
  EXPECT_THAT(job.inputs, ElementsAre(model::TensorInput{1, 3}));
  EXPECT_EQ(job.global_batch, 1024);
  EXPECT_EQ(job.precision, "fp8");
  EXPECT_EQ(job.optimizer, "sgd");
  EXPECT_EQ(job.finetune, planning::Finetune::kQlora);
  EXPECT_EQ(job.lora_rank, 8);
  EXPECT_EQ(job.framework, "fsdp");
  EXPECT_FALSE(job.flash_attention);
  EXPECT_EQ(job.layout.tensor_parallel, 1);
  EXPECT_EQ(job.layout.pipeline_parallel, 2);
  EXPECT_EQ(job.layout.virtual_pipeline, 3);
  EXPECT_EQ(job.layout.data_parallel, 4);
  EXPECT_EQ(job.layout.context_parallel, 5);
  EXPECT_EQ(job.layout.expert_parallel, 6);
  EXPECT_EQ(job.layout.micro_batch_size, 7);
  EXPECT_EQ(job.layout.zero_stage, 3);
  EXPECT_EQ(job.layout.sequence_parallel, false);
  EXPECT_EQ(job.layout.recompute, parallel::Recompute::kSelective);
  EXPECT_EQ(job.min_gpus, 8);
  EXPECT_EQ(job.max_gpus, 16);
  EXPECT_EQ(std::get<absl::Duration>(job.deadline), absl::Seconds(60));
  EXPECT_EQ(job.budget, 1e6);
  EXPECT_EQ(job.goal, planning::Goal::kCheapest);
  EXPECT_EQ(job.model_flops_ratio, 0.4);
}

TEST(PlanTest, FiguresArriveAndMessagesAreSet) {
  planning::Plan plan;
  plan.hardware_flops = 2e20;
  plan.snapshot_sources = {"clusters/main@1"};
  planning::Recommendation& best = plan.recommendations.emplace_back();
  best.layout = {.data_parallel = 2, .tensor_parallel = 4, .zero_stage = 3, .recompute = parallel::Recompute::kFull};
  best.memory = {
      .parameter_bytes = 1, .gradient_bytes = 2, .optimizer_bytes = 3, .activation_bytes = 4, .overhead_bytes = 5};
  best.capacity_bytes = 100;
  best.total_duration = absl::Hours(1);
  best.utilization_source = planning::UtilizationSource::kGiven;
  const v1::EstimateResponse proto = PlanToProto(plan);
  EXPECT_EQ(proto.hardware_flops(), 2e20);
  EXPECT_EQ(proto.provenance().clusters(0), "clusters/main@1");
  const v1::Recommendation& recommendation = proto.recommendations(0);
  EXPECT_EQ(recommendation.layout().recompute(), v1::Layout::FULL);
  EXPECT_EQ(recommendation.layout().zero_stage(), 3);
  EXPECT_EQ(recommendation.memory_per_gpu().total_bytes(), 15);
  EXPECT_EQ(recommendation.memory_per_gpu().capacity_bytes(), 100);
  EXPECT_EQ(recommendation.total_duration().seconds(), 3600);
  EXPECT_EQ(recommendation.utilization_source(), v1::Recommendation::GIVEN);
  EXPECT_TRUE(recommendation.has_start_time() && recommendation.has_total_duration_low() &&
              recommendation.has_step_duration());
}

TEST(PlanTest, WhatRunsSayArrives) {
  const calibration::Kind kind = {.framework = "fsdp",
                                  .family = "Hopper",
                                  .gpu_type = "H200-SXM-141GB",
                                  .model_class = "moe, adapters",
                                  .precision = "fp8",
                                  .recompute = "full",
                                  .parameters = 7e9,
                                  .hidden = 4096,
                                  .seq_len = 8192,
                                  .tensor_parallel = 2,
                                  .pipeline_parallel = 3,
                                  .micro_batch = 4,
                                  .gpus = 96};
  EXPECT_EQ(RunKindFromProto(RunKindToProto(kind)), kind);
  const auto info = [&](std::optional<calibration::Level> level) {
    return CalibrationToProto({kind, {.factor = 1.25, .runs = 12.5, .level = level}, absl::Milliseconds(2500)});
  };
  EXPECT_EQ(info(calibration::Level::kKernels).level(), "kernels");
  EXPECT_EQ(info(calibration::Level::kKernels).factor(), 1.25);
  EXPECT_EQ(info(calibration::Level::kKernels).run_count(), 12.5);
  EXPECT_EQ(info(calibration::Level::kKernels).predicted_step_duration().nanos(), 500000000);
  EXPECT_EQ(info(calibration::Level::kKernels).kind().gpu_count(), 96);
  EXPECT_EQ(info(std::nullopt).level(), "");
  planning::Plan plan;
  plan.recommendations.resize(2);
  plan.recommendations[1].calibrated.emplace();
  const v1::EstimateResponse proto = PlanToProto(plan);
  EXPECT_FALSE(proto.recommendations(0).has_calibration());
  EXPECT_TRUE(proto.recommendations(1).has_calibration());
}

TEST(CountTest, DepthCutsTheTree) {
  counting::CostReport report;
  report.modules = {{.path = "", .depth = 0}, {.path = "a", .depth = 1}, {.path = "a.b", .depth = 2}};
  report.forward.macs = 21;
  EXPECT_THAT(CountToProto(report, Parse<v1::CountRequest>("")).modules(), SizeIs(3));
  EXPECT_THAT(CountToProto(report, Parse<v1::CountRequest>("depth: 1")).modules(), SizeIs(2));
  EXPECT_THAT(CountToProto(report, Parse<v1::CountRequest>("depth: 0")).modules(), SizeIs(1));
  EXPECT_EQ(CountToProto(report, Parse<v1::CountRequest>("")).forward().flops(), 42);
  EXPECT_TRUE(CountToProto(report, Parse<v1::CountRequest>("")).has_backward());
}

TEST(CountTest, ActivationsAreOfThePrecision) {
  EXPECT_EQ(ActivationBytes(""), 2);
  EXPECT_EQ(ActivationBytes("fp32"), 4);
  EXPECT_EQ(ActivationBytes("bf16"), 2);
}

TEST(ValidationTest, HalfACardIsNotRounded) {
  planning::RunValidation validation;
  validation.rows.resize(2);
  validation.rows[0].run.gpus = 8.5;
  validation.rows[1].run.gpus = 8;
  const v1::ValidateRunsResponse proto = ValidationToProto(validation);
  EXPECT_EQ(proto.rows(0).gpu_count(), 0);
  EXPECT_EQ(proto.rows(1).gpu_count(), 8);
}

TEST(ValidationTest, FiguresArriveAndTextsAreMadeValid) {
  planning::RunValidation validation;
  planning::ValidatedRun row;
  row.run.id = "a\xff";
  row.run.source = std::string(2000, 's');
  row.run.line = 7;
  row.run.gpus = 1e300;
  row.gpu_type = "A100-SXM-80GB";
  row.comparison = {.source = "paper / table",
                    .gpu_family = "Ampere",
                    .predicted = true,
                    .measured_step_seconds = 2,
                    .predicted_step_seconds = 3,
                    .low_step_seconds = 1,
                    .high_step_seconds = 4,
                    .measured_peak_gib = 5,
                    .predicted_peak_gib = 6,
                    .fits = false};
  validation.rows = {row};
  validation.overall.row_count = 1;
  validation.overall.time_mape = 0.5;
  validation.overall.time_coverage = 1;
  validation.sources = {{"b\xff", validation.overall}};
  validation.gpu_families = {{"Ampere", validation.overall}};
  const v1::ValidateRunsResponse proto = ValidationToProto(validation);
  ASSERT_EQ(proto.rows_size(), 1);
  EXPECT_EQ(proto.rows(0).id(), "a?");
  EXPECT_EQ(proto.rows(0).source().size(), 1000U);
  EXPECT_EQ(proto.rows(0).publication(), "paper");
  EXPECT_EQ(proto.rows(0).line(), 7);
  EXPECT_EQ(proto.rows(0).gpu_count(), 1'000'000'000'000'000);
  EXPECT_EQ(proto.rows(0).status(), "ok");
  EXPECT_EQ(proto.rows(0).predicted_step_seconds(), 3);
  EXPECT_EQ(proto.rows(0).high_step_seconds(), 4);
  EXPECT_EQ(proto.rows(0).predicted_peak_memory_gib(), 6);
  EXPECT_TRUE(proto.rows(0).has_fits());
  EXPECT_FALSE(proto.rows(0).fits());
  EXPECT_EQ(proto.overall().row_count(), 1);
  EXPECT_EQ(proto.groups(0).source(), "b?");
  EXPECT_EQ(proto.groups(0).time_mape(), 0.5);
  EXPECT_EQ(proto.groups(0).time_coverage90(), 1);
  EXPECT_EQ(proto.gpu_families(0).gpu_family(), "Ampere");
  EXPECT_EQ(proto.gpu_families(0).source(), "");
}

}  // namespace
}  // namespace planner::convert
