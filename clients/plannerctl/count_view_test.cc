#include "clients/plannerctl/count_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::CountResponse Sample() {
  v1::CountResponse count;
  count.set_model("resnet50");
  count.set_parameter_count(25557032);
  count.set_active_parameter_count(25557032);
  count.set_stored_parameter_count(25557032);
  count.set_non_embedding_parameter_count(25557032);
  count.mutable_forward()->set_macs(4089184256);
  count.mutable_forward()->set_causal_macs(4089184256);
  count.mutable_forward()->set_flops(8178368512);
  count.mutable_batch_shape()->set_batch(2);
  count.mutable_provenance()->set_counter("analytic");
  return count;
}

void AddModule(v1::CountResponse& count, const char* path, int64_t instances = 1) {
  v1::ModuleCount& module = *count.add_modules();
  module.set_path(path);
  module.set_kind("K");
  module.set_instance_count(instances);
}

std::string Print(const v1::CountResponse& count) {
  std::ostringstream out;
  PrintCount(count, {}, out);
  return out.str();
}

TEST(PrintCountTest, HeadlineIsExact) {
  const std::string text = Print(Sample());
  EXPECT_THAT(text, StartsWith("Parameters   25,557,032\n"
                               "Forward      4,089,184,256 MACs = 8,178,368,512 FLOPs, 0 other FLOPs\n"));
  EXPECT_THAT(text, HasSubstr("resnet50 on batch 2, by analytic"));
  EXPECT_THAT(text, Not(HasSubstr("Backward")));
}

TEST(PrintCountTest, WithShapesOnlyTheBatchThatIsSaid) {
  v1::CountResponse count = Sample();
  v1::TensorShape& input = *count.mutable_batch_shape()->add_inputs();
  for (const int64_t size : {2, 3, 224, 224}) input.add_dimensions(size);
  EXPECT_THAT(Print(count), HasSubstr("resnet50 on batch 2, input 2x3x224x224, by"));
  count.mutable_batch_shape()->clear_batch();
  EXPECT_THAT(Print(count), HasSubstr("resnet50 on input 2x3x224x224, by"));
  count.clear_batch_shape();
  EXPECT_THAT(Print(count), HasSubstr("resnet50 on batch 1, by"));
}

TEST(PrintCountTest, OtherParameterCountsOnlyWhereTheyDiffer) {
  v1::CountResponse count = Sample();
  count.set_active_parameter_count(7);
  EXPECT_THAT(Print(count), HasSubstr("25,557,032, 7 active\n"));
}

TEST(PrintCountTest, BackwardSaysWhereItComesFrom) {
  v1::CountResponse count = Sample();
  count.mutable_backward()->set_macs(10);
  count.mutable_provenance()->set_backward(v1::CountProvenance::DERIVED);
  EXPECT_THAT(Print(count), HasSubstr("(derived from forward)"));
  count.mutable_provenance()->set_backward(v1::CountProvenance::COUNTED);
  EXPECT_THAT(Print(count), Not(HasSubstr("derived")));
}

TEST(PrintCountTest, ModulesAreATree) {
  v1::CountResponse count = Sample();
  AddModule(count, "");
  AddModule(count, "model");
  AddModule(count, "model.layers", 32);
  AddModule(count, "model.layers.mlp.up");  // Its parent has no row.
  AddModule(count, "model.layersx");        // Only looks like a child.
  AddModule(count, "head");
  const std::string text = Print(count);
  EXPECT_THAT(text, HasSubstr("\n(model) "));
  EXPECT_THAT(text, HasSubstr("\n  model "));
  EXPECT_THAT(text, HasSubstr("\n    layers × 32 "));
  EXPECT_THAT(text, HasSubstr("\n      mlp.up "));
  EXPECT_THAT(text, HasSubstr("\n    layersx "));
  EXPECT_THAT(text, HasSubstr("\n  head "));
}

TEST(PrintCountTest, OperatorsAndWhatWasNotCounted) {
  v1::CountResponse count = Sample();
  v1::OperatorCount& one = *count.add_operators();
  one.set_kind("convolution");
  one.set_call_count(53);
  v1::UncountedOperator& other = *count.add_uncounted_operators();
  other.set_kind("fft");
  other.set_call_count(2);
  const std::string text = Print(count);
  EXPECT_THAT(text, HasSubstr("convolution     53"));
  EXPECT_THAT(text, HasSubstr("NOT COUNTED  fft (2 calls): the figures are without them\n"));
}

}  // namespace
}  // namespace planner::plannerctl
