#include "plugins/libtorch/engine/rules/tally.h"

#include <gtest/gtest.h>

namespace planner::libtorch {
namespace {

TEST(TallyTest, TreeAddsUp) {
  Tally tally;
  const int model = tally.AddModule("", "Net", -1, 1);
  const int block = tally.AddModule("block", "Block", model, 10);
  const int layer = tally.AddModule("block.layer", "Linear", block, 100);
  tally.AddCall(layer, Tally::kForward, "addmm", 7, 2);
  tally.AddCall(layer, Tally::kBackward, "mm", 5, 0);
  tally.AddCall(model, Tally::kForward, "add", 0, 3);
  tally.AddActivation(layer, 40);
  v1::CountResponse count;
  ASSERT_TRUE(tally.Fill(true, count).ok());
  EXPECT_EQ(count.parameter_count(), 111);
  EXPECT_EQ(count.forward().macs(), 7);
  EXPECT_EQ(count.forward().flops(), 14);
  EXPECT_EQ(count.forward().other_flops(), 5);
  EXPECT_EQ(count.backward().macs(), 5);
  EXPECT_EQ(count.activation_bytes(), 40);
  ASSERT_EQ(count.modules_size(), 3);
  EXPECT_EQ(count.modules(1).parameter_count(), 110);
  EXPECT_EQ(count.modules(1).forward().macs(), 7);
  EXPECT_EQ(count.modules(1).backward().flops(), 10);
  ASSERT_EQ(count.operators_size(), 3);
  EXPECT_EQ(count.operators(0).kind(), "add");
}

TEST(TallyTest, UncountedIsNamed) {
  Tally tally;
  tally.AddModule("", "Net", -1, 0);
  tally.AddUncounted("aten::mystery");
  tally.AddUncounted("aten::mystery");
  v1::CountResponse count;
  ASSERT_TRUE(tally.Fill(false, count).ok());
  ASSERT_EQ(count.uncounted_operators_size(), 1);
  EXPECT_EQ(count.uncounted_operators(0).call_count(), 2);
  EXPECT_EQ(count.modules_size(), 0);
}

TEST(TallyTest, FlopsThatDoNotFit) {
  Tally tally;
  tally.AddModule("", "Net", -1, 0);
  tally.AddCall(0, Tally::kForward, "mm", int64_t{1} << 62, 0);
  v1::CountResponse count;
  EXPECT_EQ(tally.Fill(false, count).code(), absl::StatusCode::kOutOfRange);
}

TEST(TallyTest, HalfOfACausalAttentionIsMasked) {
  Tally tally;
  const int model = tally.AddModule("", "Net", -1, 0);
  tally.AddCall(model, Tally::kForward, "linear", 10, 0);
  tally.AddCall(model, Tally::kForward, "matmul", 100, 0, /*causal=*/true);
  v1::CountResponse response;
  ASSERT_TRUE(tally.Fill(false, response).ok());
  EXPECT_EQ(response.forward().macs(), 110);
  EXPECT_EQ(response.forward().causal_macs(), 60);
}

}  // namespace
}  // namespace planner::libtorch
