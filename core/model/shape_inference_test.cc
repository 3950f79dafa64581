#include "core/model/shape_inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::model {
namespace {

using ::testing::HasSubstr;

TEST(ShapeInferenceTest, ConvolutionSizes) {
  EXPECT_EQ(*ConvolutionSize(224, {.kernel = 7, .stride = 2, .padding = 3}), 112);
  EXPECT_EQ(*ConvolutionSize(224, {.kernel = 11, .stride = 4, .padding = 2}), 55);
  EXPECT_EQ(*ConvolutionSize(16, {.kernel = 3, .dilation = 2}), 12);
  EXPECT_EQ(*ConvolutionSize(3, {.kernel = 3, .stride = 2}), 1);
}

TEST(ShapeInferenceTest, AWindowLargerThanItsInputIsAnError) {
  EXPECT_THAT(std::string(ConvolutionSize(2, {.kernel = 3}).status().message()), HasSubstr("size=2 kernel=3"));
  EXPECT_FALSE(ConvolutionSize(4, {.kernel = 3, .dilation = 2}).ok());
  EXPECT_TRUE(ConvolutionSize(5, {.kernel = 3, .dilation = 2}).ok());
  EXPECT_FALSE(ConvolutionSize(1, {.kernel = 2147483647, .stride = 2}).ok());
}

// torch.nn.MaxPool2d(3, 2, ceil_mode=True): a last window that would begin in the padding is left out.
TEST(ShapeInferenceTest, PoolSizes) {
  EXPECT_EQ(*PoolSize(112, {.kernel = 3, .stride = 2, .padding = 1}, false), 56);
  EXPECT_EQ(*PoolSize(6, {.kernel = 3, .stride = 2}, false), 2);
  EXPECT_EQ(*PoolSize(6, {.kernel = 3, .stride = 2}, true), 3);
  EXPECT_EQ(*PoolSize(109, {.kernel = 3, .stride = 2}, true), 54);
  EXPECT_EQ(*PoolSize(4, {.kernel = 1, .stride = 3}, true), 2);
  EXPECT_EQ(*PoolSize(5, {.kernel = 1, .stride = 3}, true), 2);  // ceil gives 3, which would begin at 6.
  EXPECT_EQ(*PoolSize(1, {.kernel = 2, .stride = 2}, true), 1);
  EXPECT_FALSE(PoolSize(1, {.kernel = 2, .stride = 2}, false).ok());
}

TEST(ShapeInferenceTest, TransposedSizes) {
  EXPECT_EQ(*TransposedSize(28, {.kernel = 4, .stride = 2, .padding = 1}), 56);
  EXPECT_EQ(*TransposedSize(7, {.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1}), 14);
  EXPECT_EQ(*TransposedSize(5, {.kernel = 3, .dilation = 2}), 9);
  EXPECT_FALSE(TransposedSize(1, {.kernel = 1, .stride = 1, .padding = 1}).ok());
  EXPECT_FALSE(TransposedSize(int64_t{1} << 60, {.kernel = 1, .stride = 2147483647}).ok());
}

TEST(ShapeInferenceTest, Broadcasting) {
  EXPECT_EQ(*Broadcast({{2, 1, 4}, {3, 1}}), (Shape{2, 3, 4}));
  EXPECT_EQ(*Broadcast({{8}, {}}), Shape{8});
  EXPECT_THAT(std::string(Broadcast({{2, 3}, {2, 4}}).status().message()), HasSubstr("2x3 and 2x4"));
}

TEST(ShapeInferenceTest, Reshaping) {
  EXPECT_EQ(*ReshapeTo({2, 6, 4}, {0, -1}), (Shape{2, 24}));
  EXPECT_EQ(*ReshapeTo({2, 6, 4}, {3, 16}), (Shape{3, 16}));
  EXPECT_FALSE(ReshapeTo({2, 6, 4}, {5, -1}).ok());
  EXPECT_FALSE(ReshapeTo({2, 6, 4}, {-1, -1}).ok());
  EXPECT_FALSE(ReshapeTo({2, 6, 4}, {2, 6, 4, 0}).ok());
  EXPECT_FALSE(ReshapeTo({2, 6, 4}, {2, 6}).ok());
}

TEST(ShapeInferenceTest, Dimensions) {
  EXPECT_EQ(*DimensionOf(-1, 4), 3);
  EXPECT_EQ(*DimensionOf(0, 1), 0);
  EXPECT_FALSE(DimensionOf(4, 4).ok());
  EXPECT_FALSE(DimensionOf(-5, 4).ok());
  EXPECT_FALSE(DimensionOf(0, 0).ok());
}

TEST(ShapeInferenceTest, TensorsAreBounded) {
  EXPECT_EQ(*ElementsOf({int64_t{1} << 30, int64_t{1} << 30}), int64_t{1} << 60);
  EXPECT_FALSE(ElementsOf({int64_t{1} << 30, int64_t{1} << 30, 2}).ok());
  EXPECT_FALSE(ElementsOf({int64_t{1} << 31, int64_t{1} << 31, int64_t{1} << 31, int64_t{1} << 31}).ok());
}

TEST(ShapeInferenceTest, AMismatchNamesNoField) {
  EXPECT_EQ(base::DetailOf(Mismatch("expects more")).field, "");
  EXPECT_EQ(base::DetailOf(Mismatch("expects more")).reason, "SHAPE_MISMATCH");
}

}  // namespace
}  // namespace planner::model
