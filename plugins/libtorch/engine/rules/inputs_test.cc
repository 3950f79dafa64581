#include "plugins/libtorch/engine/rules/inputs.h"

#include <gmock/gmock.h>

namespace planner::libtorch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::BatchShape Batch(const std::vector<std::pair<std::string, std::vector<int64_t>>>& inputs) {
  v1::BatchShape batch;
  for (const auto& [name, sizes] : inputs) {
    v1::TensorShape& shape = *batch.add_inputs();
    shape.set_name(name);
    for (const int64_t size : sizes) shape.add_dimensions(size);
  }
  return batch;
}

Argument Tensor(std::string name, bool optional = false) {
  return {.name = std::move(name), .kind = ArgumentKind::kTensor, .optional = optional, .has_default = optional};
}

TEST(InputsTest, ByPosition) {
  std::string field;
  const auto plan = PlanInputs({Tensor("x"), Tensor("mask", true)}, Batch({{"", {1, 3}}}), {}, field);
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->arguments[0].tensors.at(0).sizes, ElementsAre(1, 3));
  EXPECT_EQ(plan->arguments[1].kind, ArgumentValue::kDefault);
}

TEST(InputsTest, ByNameAndKey) {
  std::string field;
  const Argument dict{.name = "batch", .kind = ArgumentKind::kTensorDict};
  const auto plan = PlanInputs({dict}, Batch({{"image", {1, 3}}, {"batch.input_ids", {1, 7}}}), {}, field);
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->arguments[0].kind, ArgumentValue::kDict);
  EXPECT_EQ(plan->arguments[0].tensors.at(0).key, "image");
  EXPECT_EQ(plan->arguments[0].tensors.at(1).key, "input_ids");
  EXPECT_EQ(plan->arguments[0].tensors.at(1).dtype, "int64");
}

TEST(InputsTest, RequiredArgumentsAfterOptionalOnesComeFirst) {
  std::string field;
  const Argument state{.name = "hx", .kind = ArgumentKind::kTensorTuple, .tuple_size = 2, .optional = true, .has_default = true};
  const auto plan = PlanInputs({Tensor("input"), state}, Batch({{"", {5}}, {"", {1}}, {"", {2}}}), {}, field);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->arguments[1].kind, ArgumentValue::kTuple);
  EXPECT_EQ(plan->arguments[1].tensors.size(), 2u);
}

TEST(InputsTest, UsualNamesNeedOnlyBatchAndLength) {
  std::string field;
  v1::BatchShape batch;
  batch.set_batch(4);
  batch.set_seq_len(32);
  const auto plan = PlanInputs({Tensor("input_ids"), Tensor("attention_mask")}, batch, {}, field);
  ASSERT_TRUE(plan.ok());
  for (const ArgumentValue& value : plan->arguments) {
    EXPECT_THAT(value.tensors.at(0).sizes, ElementsAre(4, 32));
    EXPECT_EQ(value.tensors.at(0).dtype, "int64");
  }
}

TEST(InputsTest, ImagesOfAnAssumedSizeAreSaid) {
  std::string field;
  const auto plan = PlanInputs({Tensor("x")}, v1::BatchShape(), {.image_channels = 3}, field);
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->arguments[0].tensors.at(0).sizes, ElementsAre(1, 3, 224, 224));
  EXPECT_EQ(plan->warnings.size(), 1u);
}

TEST(InputsTest, SizesThatAreNone) {
  std::string field;
  v1::BatchShape batch;
  batch.set_batch(2);
  batch.set_seq_len(-1);
  EXPECT_TRUE(absl::IsInvalidArgument(PlanInputs({Tensor("input_ids")}, batch, {}, field).status()));
  EXPECT_EQ(field, "batch_shape.seq_len");
  EXPECT_TRUE(absl::IsInvalidArgument(PlanInputs({Tensor("x")}, Batch({{"", {1, 0}}}), {}, field).status()));
  EXPECT_EQ(field, "batch_shape.inputs[0].dimensions");
  batch.set_seq_len(int64_t{1} << 60);
  EXPECT_TRUE(absl::IsOutOfRange(PlanInputs({Tensor("input_ids")}, batch, {}, field).status()));
  EXPECT_EQ(field, "batch_shape.batch");
}

TEST(InputsTest, WrongNumbersAndNames) {
  std::string field;
  EXPECT_THAT(std::string(PlanInputs({Tensor("q")}, v1::BatchShape(), {}, field).status().message()), HasSubstr("argument=q"));
  EXPECT_EQ(field, "batch_shape.inputs");
  EXPECT_FALSE(PlanInputs({Tensor("q")}, Batch({{"", {1}}, {"", {1}}}), {}, field).ok());
  EXPECT_EQ(field, "batch_shape.inputs[1]");
  EXPECT_FALSE(PlanInputs({Tensor("q")}, Batch({{"k", {1}}}), {}, field).ok());
  EXPECT_EQ(field, "batch_shape.inputs[0]");
  const Argument number{.name = "n", .kind = ArgumentKind::kOther};
  EXPECT_THAT(std::string(PlanInputs({number}, v1::BatchShape(), {}, field).status().message()), HasSubstr("no tensor"));
}

}  // namespace
}  // namespace planner::libtorch
