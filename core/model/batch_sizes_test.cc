#include "core/model/batch_sizes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LeaveOutIgnoredTest, ABatchBesideShapesOfAModulesInputs) {
  ModelDescription module;
  module.kind = ModelKind::kModule;
  BatchShape shape;
  shape.batch = 7;
  EXPECT_THAT(LeaveOutIgnored(module, shape, "batch_shape.").ignored, IsEmpty());
  shape.inputs.push_back({.sizes = {4, 128}});
  EXPECT_THAT(LeaveOutIgnored(module, shape, "batch_shape.").ignored,
              ElementsAre("batch_shape.batch is ignored: the shapes of the inputs say it"));
  shape.batch = 4;
  EXPECT_THAT(LeaveOutIgnored(module, shape, "batch_shape.").ignored, IsEmpty());
}

TEST(LeaveOutIgnoredTest, ALengthBesideShapesOfAModulesInputs) {
  ModelDescription module;
  module.kind = ModelKind::kModule;
  BatchShape shape;
  shape.seq_len = 8;
  EXPECT_THAT(LeaveOutIgnored(module, shape, "batch_shape.").ignored, IsEmpty());
  shape.inputs.push_back({.sizes = {1, 3, 224, 224}});
  const ApplicableShape applicable = LeaveOutIgnored(module, shape, "batch_shape.");
  EXPECT_THAT(applicable.ignored, ElementsAre("batch_shape.seq_len is ignored: the shapes of the inputs say it"));
  EXPECT_EQ(applicable.shape.seq_len, 8);
  shape.inputs[0].sizes = {1, 8};
  EXPECT_THAT(LeaveOutIgnored(module, shape, "batch_shape.").ignored, IsEmpty());
}

}  // namespace
}  // namespace planner::model
