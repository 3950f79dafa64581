#include "plugins/libtorch/engine/rules/convolution_shape.h"

#include <gmock/gmock.h>

namespace planner::libtorch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Sizes = std::vector<int64_t>;

TEST(ConvolutionShapeTest, StridePaddingDilation) {
  const Sizes two = {2, 2};
  const Sizes three = {3, 3};
  const Sizes one = {1, 1};
  const auto output = ConvolutionOutput(Sizes{1, 3, 224, 224}, Sizes{64, 3, 7, 7},
                                        {.stride = two, .padding = three, .dilation = one, .output_padding = {}});
  ASSERT_TRUE(output.ok());
  EXPECT_THAT(*output, ElementsAre(1, 64, 112, 112));
}

TEST(ConvolutionShapeTest, Transposed) {
  const Sizes two = {2};
  const Sizes one = {1};
  const auto output = ConvolutionOutput(
      Sizes{1, 64, 28}, Sizes{64, 8, 4},
      {.stride = two, .padding = one, .dilation = one, .output_padding = one, .transposed = true, .groups = 4});
  ASSERT_TRUE(output.ok());
  EXPECT_THAT(*output, ElementsAre(1, 32, 57));
}

TEST(ConvolutionShapeTest, WrongChannelsInTorchsWords) {
  const Sizes one = {1, 1};
  const Sizes zero = {0, 0};
  const auto output = ConvolutionOutput(Sizes{1, 4, 8, 8}, Sizes{8, 3, 3, 3},
                                        {.stride = one, .padding = zero, .dilation = one, .output_padding = {}});
  EXPECT_THAT(std::string(output.status().message()), HasSubstr("expected input[1, 4, 8, 8] to have 3 channels, but got 4"));
}

TEST(ConvolutionShapeTest, PooledSize) {
  EXPECT_EQ(PooledSize(112, 3, 1, 2, 1, false), 56);
  EXPECT_EQ(PooledSize(9, 2, 0, 2, 1, false), 4);
  EXPECT_EQ(PooledSize(9, 2, 0, 2, 1, true), 5);
  EXPECT_EQ(PooledSize(1, 3, 0, 1, 1, false), 0);
}

}  // namespace
}  // namespace planner::libtorch
