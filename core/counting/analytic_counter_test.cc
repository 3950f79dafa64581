#include "core/counting/analytic_counter.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::counting {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

/// An embedding, two blocks of a product and a norm, four experts of which a token takes one, and a
/// tied head.
model::ModelDescription SmallModel() {
  model::ModelDescription description;
  description.name = "small";
  description.extra_stored_parameters = 80;
  description.expand = [](const model::BatchShape& shape) -> absl::StatusOr<model::Module> {
    const int64_t rows = shape.batch * shape.seq_len.value_or(10);
    const auto leaf = [](std::string name, std::string kind, model::Operation operation) {
      return model::Module{.name = std::move(name), .kind = std::move(kind), .operation = std::move(operation)};
    };
    model::Module expert{
        .name = "experts",
        .kind = "Expert",
        .instances = 4,
        .calls = 1,
        .expert = true,
        .children = {leaf("up", "Linear", model::Linear{.rows = rows, .in_features = 4, .out_features = 8})}};
    model::Module block{
        .name = "layers",
        .kind = "Block",
        .instances = 2,
        .calls = 2,
        .role = model::Role::kBlock,
        .children = {
            leaf("proj", "Linear", model::Linear{.rows = rows, .in_features = 4, .out_features = 4, .bias = true}),
            leaf("norm", "LayerNorm", model::Norm{.elements = rows * 4, .width = 4, .shift = true}),
            leaf("attn", "Attention",
                 model::Attention{
                     .batch = shape.batch, .queries = 10, .keys = 10, .qk_dim = 4, .v_dim = 4, .causal = true}),
            std::move(expert)}};
    return model::Module{
        .kind = "Small",
        .children = {
            leaf("embed", "Embedding", model::Embedding{.rows = rows, .entries = 20, .width = 4}), std::move(block),
            leaf("head", "Linear",
                 model::Linear{.rows = rows, .in_features = 4, .out_features = 20, .tied = true, .head = true})}};
  };
  return description;
}

class AnalyticCounterTest : public ::testing::Test {
 protected:
  absl::StatusOr<CostReport> Count(int64_t batch, Mode mode = Mode::kTraining) {
    return counter_.Count({.model = description_, .batch = {.batch = batch}, .mode = mode});
  }

  base::FakeClock clock_;
  AnalyticCounter counter_{clock_};
  model::ModelDescription description_ = SmallModel();
};

TEST_F(AnalyticCounterTest, CountsParametersByTheirMeanings) {
  const CostReport report = Count(1).value();
  constexpr int64_t kEmbedding = 80;
  constexpr int64_t kDensePerBlock = 4 * 4 + 4 + 8;
  constexpr int64_t kExpert = 32;
  EXPECT_EQ(report.parameters, kEmbedding + 2 * (kDensePerBlock + 4 * kExpert));
  EXPECT_EQ(report.active_parameters, kEmbedding + 2 * (kDensePerBlock + kExpert));
  EXPECT_EQ(report.stored_parameters, report.parameters + 80);
  EXPECT_EQ(report.non_embedding_parameters, report.parameters - kEmbedding);
  EXPECT_EQ(report.expert_parameters, 2 * 4 * kExpert);
}

TEST_F(AnalyticCounterTest, CountsWorkOfAllCalls) {
  const CostReport report = Count(1).value();
  constexpr int64_t kAttention = 100 * 8;
  constexpr int64_t kBlock = 10 * 16 + kAttention + 10 * 32;
  EXPECT_EQ(report.forward.macs, 2 * kBlock + 10 * 80);
  EXPECT_EQ(report.forward.causal_macs,
            report.forward.macs - kAttention);  // Half of each of two blocks.
  EXPECT_EQ(report.forward.other_flops, 2 * (10 * 4 + 40 * 7));
  EXPECT_EQ(report.forward.flops(), 2 * report.forward.macs);
  EXPECT_EQ(report.block_forward.macs, 2 * kBlock);
  EXPECT_EQ(report.attention_forward.macs, 2 * kAttention);
  EXPECT_EQ(report.backward.macs, 2 * report.forward.macs);
}

TEST_F(AnalyticCounterTest, TwiceTheBatchIsTwiceTheWork) {
  const CostReport one = Count(1).value();
  const CostReport two = Count(2).value();
  EXPECT_EQ(two.forward.macs, 2 * one.forward.macs);
  EXPECT_EQ(two.activation_bytes, 2 * one.activation_bytes);
  EXPECT_EQ(two.parameters, one.parameters);
}

TEST_F(AnalyticCounterTest, ModulesAreDepthFirstAndAddUp) {
  const CostReport report = Count(1).value();
  std::vector<std::string> paths;
  for (const ModuleCost& module : report.modules) paths.push_back(module.path);
  EXPECT_THAT(paths, ElementsAre("", "embed", "layers", "layers.proj", "layers.norm", "layers.attn", "layers.experts",
                                 "layers.experts.up", "head"));
  int64_t macs = 0;
  int64_t parameters = 0;
  for (const ModuleCost& module : report.modules) {
    if (module.depth != 1) continue;
    macs += module.forward.macs;
    parameters += module.parameters;
  }
  EXPECT_EQ(macs, report.forward.macs);
  EXPECT_EQ(parameters, report.parameters);
  EXPECT_EQ(report.modules[6].instances, 8);
}

TEST_F(AnalyticCounterTest, OperatorsAreByKind) {
  EXPECT_THAT(Count(1).value().operators,
              ElementsAre(Field(&OperatorCost::kind, "attention"), Field(&OperatorCost::kind, "embedding"),
                          Field(&OperatorCost::kind, "layer_norm"), Field(&OperatorCost::kind, "linear")));
}

TEST_F(AnalyticCounterTest, InferenceHasNoBackward) {
  const CostReport report = Count(1, Mode::kInference).value();
  EXPECT_EQ(report.backward, Work{});
  EXPECT_EQ(report.activation_bytes, 0);
  EXPECT_EQ(report.forward.macs, Count(1).value().forward.macs);
}

TEST_F(AnalyticCounterTest, CountsOver64BitsAreAnError) {
  EXPECT_EQ(Count(int64_t{1} << 56).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(AnalyticCounterTest, HonoursTheDeadline) {
  const absl::Time now = clock_.Now();
  EXPECT_EQ(counter_.Count({.model = description_, .deadline = now}).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace planner::counting
