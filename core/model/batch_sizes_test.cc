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
}

}  // namespace
}  // namespace planner::model
