#include <gmock/gmock.h>

#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::Contains;
using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Property;
using Service = v1::EstimationService::Stub;

class EstimationBehaviour : public PlannerTest {};

constexpr char kLlama[] = "model { preset: 'llama-7b' } data_set { token_count: 1e12 } ";

TEST_P(EstimationBehaviour, AnEstimateAnswersCardsTimeAndMemory) {
  const auto answer =
      Ask(&Service::Estimate, std::string(kLlama) + "resources { gpu_types: 'a100' min_gpus: 64 max_gpus: 64 }");
  EXPECT_EQ(answer.model(), "llama-7b");
  EXPECT_EQ(answer.parameter_count(), 6738415616);
  ASSERT_FALSE(answer.recommendations().empty());
  const v1::Recommendation& best = answer.recommendations(0);
  EXPECT_EQ(best.gpu_type(), "A100-SXM-80GB");
  EXPECT_EQ(best.gpu_count(), 64);
  EXPECT_EQ(best.node_count(), 8);
  const v1::Layout& layout = best.layout();
  EXPECT_EQ(layout.data_parallel() * layout.tensor_parallel() * layout.pipeline_parallel() * layout.context_parallel(),
            64);
  EXPECT_LE(best.memory_per_gpu().total_bytes(), best.memory_per_gpu().capacity_bytes());
  EXPECT_GT(best.total_duration().seconds(), best.step_duration().seconds());
  EXPECT_EQ(best.utilization_source(), v1::Recommendation::PREDICTED);
  EXPECT_FALSE(best.explanation().empty());
  EXPECT_EQ(answer.provenance().counter(), "analytic");
  EXPECT_NE(answer.provenance().planner_version(), "");
}

TEST_P(EstimationBehaviour, AGivenUtilizationIsTheTimeModel) {
  // 1e12 tokens in full: time = hardware FLOPs / (cards x peak x ratio), with nothing added.
  const auto answer = Ask(&Service::Estimate,
                          std::string(kLlama) +
                              "training { recompute: FULL } resources { gpu_types: 'a100' min_gpus: 64 max_gpus: 64 }"
                              "utilization { hardware_flops_ratio: 0.5 }");
  const v1::Recommendation& best = answer.recommendations(0);
  EXPECT_EQ(best.utilization_source(), v1::Recommendation::GIVEN);
  const double seconds = answer.hardware_flops() / (64 * 312e12 * 0.5);
  EXPECT_THAT(static_cast<double>(best.total_duration().seconds()), DoubleNear(seconds, 1 + seconds * 1e-6));
  EXPECT_GT(answer.hardware_flops(), answer.model_flops());
}

TEST_P(EstimationBehaviour, AServedModelIsCardsThatHoldItAndTokensASecond) {
  const auto answer =
      Ask(&Service::Estimate,
          "model { preset: 'llama-3-8b' } resources { gpu_types: 'h100' } inference { prompt_length: 1000 batch: 8 }");
  ASSERT_FALSE(answer.inference().empty());
  EXPECT_TRUE(answer.recommendations().empty());
  const v1::InferenceOption& option = answer.inference(0);
  EXPECT_EQ(option.gpu_count(), 1);
  EXPECT_EQ(option.cache_bytes_per_token(), 131072);  // 32 blocks x 8 heads x 256 x 2 bytes
  EXPECT_EQ(option.batch(), 8);
  const v1::InferenceMemory& memory = option.memory_per_gpu();
  EXPECT_EQ(memory.weight_bytes(), 2 * 8030261248);
  EXPECT_LE(memory.total_bytes(), memory.capacity_bytes());
  EXPECT_GT(option.tokens_per_second(), 0);
  EXPECT_GE(option.max_batch(), 8);
}

TEST_P(EstimationBehaviour, NothingThatFitsIsAnAnswer) {
  const auto answer = Ask(&Service::Estimate,
                          "model { preset: 'llama-3.1-405b' } data_set { token_count: 1e12 }"
                          "resources { gpu_types: 'a100' min_gpus: 8 max_gpus: 8 }");
  EXPECT_TRUE(answer.recommendations().empty());
  ASSERT_FALSE(answer.infeasible_reasons().empty());
  EXPECT_THAT(answer.infeasible_reasons(0), HasSubstr("GiB"));
}

TEST_P(EstimationBehaviour, WithoutTypesTheUsualOnesArePlanned) {
  const auto answer = Ask(&Service::Estimate, kLlama);
  for (const char* type : {"A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB"}) {
    EXPECT_THAT(answer.recommendations(), Contains(Property(&v1::Recommendation::gpu_type, type)));
  }
}

TEST_P(EstimationBehaviour, AnInlineConfigurationIsPlannedLikeItsPreset) {
  const auto preset = Ask(&Service::GetModel, "name: 'llama-7b'");
  v1::EstimateRequest request;
  request.mutable_model()->set_hugging_face_config(preset.source_text());
  request.mutable_data_set()->set_token_count(1e12);
  v1::EstimateResponse inline_answer;
  ASSERT_TRUE(Call(&Service::Estimate, request, inline_answer).ok());
  EXPECT_EQ(inline_answer.model_flops(), Ask(&Service::Estimate, kLlama).model_flops());
}

TEST_P(EstimationBehaviour, CountsAreExact) {
  const auto answer = Ask(&Service::Count, "model { preset: 'resnet50' } depth: 1");
  EXPECT_EQ(answer.parameter_count(), 25557032);
  EXPECT_EQ(answer.forward().macs(), 4089184256);
  EXPECT_EQ(answer.forward().flops(), 2 * 4089184256);
  EXPECT_EQ(answer.backward().macs(), 2 * 4089184256);
  EXPECT_GT(answer.activation_bytes(), 0);
  EXPECT_EQ(answer.provenance().backward(), v1::CountProvenance::DERIVED);
  ASSERT_FALSE(answer.modules().empty());
  EXPECT_EQ(answer.modules(0).path(), "");
  EXPECT_EQ(answer.modules(0).parameter_count(), 25557032);
  for (const v1::ModuleCount& module : answer.modules()) EXPECT_EQ(module.path().find('.'), std::string::npos);
}

TEST_P(EstimationBehaviour, InferenceHasNoBackwardPass) {
  const auto answer =
      Ask(&Service::Count, "model { preset: 'llama-7b' } mode: INFERENCE batch_shape { batch: 2 seq_len: 128 }");
  EXPECT_EQ(answer.backward().macs(), 0);
  EXPECT_TRUE(answer.has_backward());
  const auto single = Ask(&Service::Count, "model { preset: 'llama-7b' } batch_shape { seq_len: 128 }");
  EXPECT_EQ(answer.forward().macs(), 2 * single.forward().macs());
}

TEST_P(EstimationBehaviour, ALayerGraphIsCounted) {
  const auto answer = Ask(&Service::Count,
                          "model { layer_graph { name: 'mlp' inputs { shape: [1, 784] }"
                          "  layers { linear { out_features: 10 } } } }");
  EXPECT_EQ(answer.model(), "mlp");
  EXPECT_EQ(answer.parameter_count(), 7850);
  EXPECT_EQ(answer.forward().macs(), 7840);
}

TEST_P(EstimationBehaviour, Catalogues) {
  EXPECT_EQ(Ask(&Service::ListCounters, "").counters(0).name(), "analytic");
  EXPECT_TRUE(Ask(&Service::ListCounters, "").counters(0).up());
  EXPECT_GE(Ask(&Service::ListModels, "").models_size(), 60);
  EXPECT_EQ(Ask(&Service::GetModel, "name: 'Llama-7B'").parameter_count(), 6738415616);
  EXPECT_NE(Ask(&Service::GetVersion, "").version(), "");
  EXPECT_THAT(Ask(&Service::ListPrecisions, "").precisions(), Contains(Property(&v1::PrecisionInfo::name, "bf16")));
}

TEST_P(EstimationBehaviour, ModelsComeInPages) {
  const auto all = Ask(&Service::ListModels, "");
  std::vector<std::string> names;
  std::string token;
  do {
    const auto page = Ask(&Service::ListModels, "page_size: 50 page_token: '" + token + "'");
    for (const v1::ModelInfo& model : page.models()) names.push_back(model.name());
    token = page.next_page_token();
  } while (!token.empty());
  ASSERT_EQ(names.size(), static_cast<size_t>(all.models_size()));
  for (int i = 0; i < all.models_size(); ++i) EXPECT_EQ(names[static_cast<size_t>(i)], all.models(i).name());
  EXPECT_EQ(FieldOf(Fail(&Service::ListModels, "page_token: 'forged'")), "page_token");
}

struct WrongEstimate {
  std::string request;
  std::string field;
};

TEST_P(EstimationBehaviour, BadInputNamesItsField) {
  const std::vector<WrongEstimate> wrong = {
      {"", "model"},
      {"model { preset: 'llama-7b' } data_set { token_count: -5 }", "data_set.token_count"},
      {"model { preset: 'llama-7b' } data_set { token_count: nan }", "data_set.token_count"},
      {"model { preset: 'llama-7b' } data_set { token_count: 1 sample_count: 1 }", "data_set"},
      {"model { preset: 'llama-7b' } data_set { seq_len: 0 }", "data_set.seq_len"},
      {"model { preset: 'llama-7b' } training { global_batch: -1 }", "training.global_batch"},
      {"model { preset: 'llama-7b' } training { precision: 'fp7' }", "training.precision"},
      {"model { preset: 'llama-7b' } resources { min_gpus: 9 max_gpus: 8 }", "resources.min_gpus"},
      {"model { preset: 'llama-7b' } utilization { hardware_flops_ratio: 1.5 }", "utilization.hardware_flops_ratio"},
      {"model { preset: 'llama-7b' } layout { tensor_parallel: 0 }", "layout.tensor_parallel"},
      {"model { preset: 'llama-7b' } resources { deadline_duration { seconds: 60 } }", "data_set"},
      {"model { hugging_face_config: '{\"model_type\": \"llama\"' }", "model.hugging_face_config"},
      {"model { hugging_face_config: '{\"model_type\": \"llama\", \"vocab_size\": 100, \"num_hidden_layers\": 2, "
       "\"num_attention_heads\": 2, \"intermediate_size\": 8, \"hidden_size\": -1}' }",
       "model.hugging_face_config.hidden_size"},
      {"model { layer_graph { inputs { shape: [1, 8] } layers { linear { out_features: -1 } } } }",
       "model.layer_graph.layers[0].linear.out_features"},
  };
  for (const WrongEstimate& request : wrong) {
    const grpc::Status status = Fail(&Service::Estimate, request.request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << request.request;
    EXPECT_EQ(FieldOf(status), request.field) << request.request << ": " << status.error_message();
  }
}

TEST_P(EstimationBehaviour, UnknownNamesAreNotFoundWithTheNearest) {
  grpc::Status status = Fail(&Service::Estimate, "model { preset: 'lama-7b' }");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("llama-7b"));
  EXPECT_EQ(ErrorInfoOf(status).reason(), "UNKNOWN_MODEL");
  EXPECT_EQ(ErrorInfoOf(status).domain(), "planner");
  status = Fail(&Service::Estimate, std::string(kLlama) + "resources { gpu_types: 'a100' gpu_types: 'h1000' }");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("resources.gpu_types[1]"));
  status = Fail(&Service::Estimate, std::string(kLlama) + "resources { cluster: 'nowhere' }");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Fail(&Service::Count, "model { preset: 'gpt2' } counter: 'abacus'").error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_P(EstimationBehaviour, AbsurdSizesAreInvalidNotWrapped) {
  const grpc::Status status = Fail(&Service::Count, "model { preset: 'gpt3-175b' } batch_shape { batch: 2147483647 }");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "COUNT_OVERFLOW");
}

TEST_P(EstimationBehaviour, APassedDeadlineIsSaid) {
  deadline_ = std::chrono::system_clock::time_point();
  EXPECT_EQ(Fail(&Service::Estimate, kLlama).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_P(EstimationBehaviour, TheAnswerRepeatsTheRequestId) {
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "job-17");
  v1::VersionInfo version;
  ASSERT_TRUE(Service(planner_.channel).GetVersion(&context, v1::GetVersionRequest(), &version).ok());
  const auto& metadata = context.GetServerInitialMetadata();
  const auto found = metadata.find("x-request-id");
  ASSERT_NE(found, metadata.end());
  EXPECT_EQ(std::string(found->second.data(), found->second.size()), "job-17");
}

TEST_P(EstimationBehaviour, HealthIsServing) {
  // grpc.health.v1.HealthCheckResponse { status: SERVING }.
  EXPECT_EQ(AskBytes("/grpc.health.v1.Health/Check", ""), std::string("\x08\x01"));
}

TEST_P(EstimationBehaviour, ReflectionListsTheServices) {
  // ServerReflectionRequest { list_services: "" }.
  const std::string answer =
      AskBytes("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", std::string("\x3a\x00", 2));
  for (const char* service : {"planner.v1.EstimationService", "planner.v1.ClusterService", "planner.v1.PlanService"}) {
    EXPECT_THAT(answer, HasSubstr(service));
  }
}

INSTANTIATE_TEST_SUITE_P(Places, EstimationBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

}  // namespace
}  // namespace planner::behaviour
