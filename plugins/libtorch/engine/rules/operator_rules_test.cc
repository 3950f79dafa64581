#include "plugins/libtorch/engine/rules/operator_rules.h"

#include <gtest/gtest.h>

#include "core/model/elementwise.h"

namespace planner::libtorch {
namespace {

TensorShape Of(std::vector<int64_t> sizes) { return {std::move(sizes), true}; }

int64_t OtherFlops(const OperatorCall& call) {
  const OperatorRule* rule = FindOperatorRule(call.name);
  return rule == nullptr ? -1 : OtherFlopsOf(*rule, call).ValueOrZero();
}

TEST(OperatorRulesTest, SameFlopsAsDescribedModels) {
  for (const char* kind : {"relu", "silu", "gelu", "sigmoid", "tanh", "hardswish", "softplus", "mish", "exp"}) {
    EXPECT_EQ(OtherFlops({kind, {Of({10})}, {Of({10})}, {}}), 10 * model::CostOfElementwise(kind).flops_per_element) << kind;
  }
}

TEST(OperatorRulesTest, ByOutputOrInput) {
  EXPECT_EQ(OtherFlops({"add", {Of({4, 1}), Of({5})}, {Of({4, 5})}, {}}), 20);
  EXPECT_EQ(OtherFlops({"sum", {Of({4, 5})}, {Of({})}, {}}), 20);
  EXPECT_EQ(OtherFlops({"view", {Of({4, 5})}, {Of({20})}, {}}), 0);
}

TEST(OperatorRulesTest, NormsCountScaleAndShift) {
  EXPECT_EQ(OtherFlops({"native_layer_norm", {Of({2, 10}), Of({10}), Of({10})}, {Of({2, 10})}, {}}), 140);
  EXPECT_EQ(OtherFlops({"native_layer_norm", {Of({2, 10}), {{}, false}, {{}, false}}, {Of({2, 10})}, {}}), 100);
}

TEST(OperatorRulesTest, MatricesThatAreFactoredAndSolved) {
  // n = 6, a batch of 2: n³/3 and 2n³ each.
  EXPECT_EQ(OtherFlops({"linalg_cholesky_ex", {Of({2, 6, 6})}, {Of({2, 6, 6}), Of({2})}, {}}), 144);
  EXPECT_EQ(OtherFlops({"linalg_inv_ex", {Of({6, 6})}, {Of({6, 6}), Of({})}, {}}), 432);
  EXPECT_EQ(OtherFlops({"_linalg_slogdet", {Of({6, 6})}, {Of({}), Of({}), Of({6, 6}), Of({6})}, {}}), 144);
  // n² for each of 5 columns.
  EXPECT_EQ(OtherFlops({"linalg_solve_triangular", {Of({6, 6}), Of({6, 5})}, {Of({6, 5})}, {}}), 180);
}

TEST(OperatorRulesTest, InPlaceFormsAndUnknownOnes) {
  EXPECT_EQ(FindOperatorRule("add_"), FindOperatorRule("add"));
  EXPECT_NE(FindOperatorRule("__and__"), nullptr);
  EXPECT_EQ(FindOperatorRule("made_up_operator"), nullptr);
  EXPECT_EQ(FindOperatorRule("silu_backward")->kind, "silu");
}

}  // namespace
}  // namespace planner::libtorch
