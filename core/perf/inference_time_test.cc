#include "core/perf/inference_time.h"

#include <cmath>

#include "gtest/gtest.h"

namespace planner::perf {
namespace {

ServedModel Llama8B() {
  // Without the table that is only looked up in: 8,030,261,248 - 128,256 x 4,096.
  return {.blocks = 32, .hidden = 4096, .parameters = 7504924672.0};
}

Machine MachineOf(double matmul, double link) {
  Machine machine;
  machine.matmul = matmul;
  machine.link = link;
  return machine;
}

TEST(ReadParametersTest, EveryExpertThatAnyTokenSelects) {
  const ServedModel mixtral = {.parameters = 46.6e9, .expert_parameters = 45.1e9, .experts = 8, .experts_per_token = 2};
  EXPECT_DOUBLE_EQ(ReadParameters(mixtral, 1), 46.6e9 - 0.75 * 45.1e9);
  EXPECT_DOUBLE_EQ(ReadParameters(mixtral, 8), 46.6e9 - std::pow(0.75, 8) * 45.1e9);
  EXPECT_DOUBLE_EQ(ReadParameters(Llama8B(), 64), 7504924672.0);
}

// Published with vLLM on an A100 40GB: 75 tokens a second, one request of 1,024 + 128 tokens.
TEST(DecodeSecondsTest, OneSequenceReadsTheWeights) {
  const DecodeTime time = DecodeSeconds(Llama8B(), 7504924672.0, 1088 * 131072.0, 1, 1, 1555e9, MachineOf(235e12, 0));
  EXPECT_NEAR(time.weights, 2 * 7504924672.0 / (1555e9 * 0.85), 1e-9);
  EXPECT_NEAR(time.cache, 1088 * 131072.0 / (1555e9 * 0.85), 1e-9);
  EXPECT_EQ(time.compute, 0);
  EXPECT_NEAR(time.launch, 32 * 10 * 2.5e-6 + 0.5e-3, 1e-9);
  EXPECT_EQ(time.tensor, 0);
  EXPECT_NEAR(1 / time.total(), 75, 75 * 0.1);
}

TEST(DecodeSecondsTest, ManySequencesAreBoundByProducts) {
  const DecodeTime time = DecodeSeconds(Llama8B(), 7504924672.0, 0, 1024, 1, 1555e9, MachineOf(200e12, 0));
  EXPECT_NEAR(time.weights + time.compute, 2 * 7504924672.0 * 1024 / 200e12, 1e-9);
}

// Four cards, 64 sequences: 2 x 32 x (8 us + 2 x 3/4 x 64 x 4096 x 2 bytes / 300 GB/s).
TEST(DecodeSecondsTest, CardsExchangeTwiceABlock) {
  const DecodeTime one = DecodeSeconds(Llama8B(), 7504924672.0, 1e9, 64, 1, 2e12, MachineOf(200e12, 300e9));
  const DecodeTime four = DecodeSeconds(Llama8B(), 7504924672.0, 0.25e9, 64, 4, 2e12, MachineOf(200e12, 300e9));
  EXPECT_NEAR(four.tensor, 64 * (8e-6 + 1.5 * 64 * 4096 * 2 / 300e9), 1e-9);
  EXPECT_NEAR(four.weights, one.weights / 4, 1e-12);
  EXPECT_NEAR(four.cache, one.cache / 4, 1e-12);
  double sum = 0;
  for (const DecodeTerm& term : DecodeTerms()) sum += four.*term.seconds;
  EXPECT_DOUBLE_EQ(sum, four.total());
}

}  // namespace
}  // namespace planner::perf
