#include "plugins/libtorch/engine/rules/products.h"

#include <gtest/gtest.h>

namespace planner::libtorch {
namespace {

TensorShape Of(std::vector<int64_t> sizes) { return {std::move(sizes), true}; }

int64_t Macs(const OperatorCall& call) {
  const auto macs = MacsOf(call);
  return macs.has_value() ? macs->ValueOrZero() : -1;
}

TEST(ProductsTest, MatrixProducts) {
  EXPECT_EQ(Macs({"mm", {Of({2, 3}), Of({3, 4})}, {Of({2, 4})}, {}}), 24);
  EXPECT_EQ(Macs({"bmm", {Of({5, 2, 3}), Of({5, 3, 4})}, {Of({5, 2, 4})}, {}}), 120);
  EXPECT_EQ(Macs({"addmm", {Of({4}), Of({2, 3}), Of({3, 4})}, {Of({2, 4})}, {}}), 24);
  EXPECT_EQ(Macs({"baddbmm", {Of({5, 2, 4}), Of({5, 2, 3}), Of({5, 3, 4})}, {Of({5, 2, 4})}, {}}), 120);
  EXPECT_EQ(Macs({"mv", {Of({2, 3}), Of({3})}, {Of({2})}, {}}), 6);
  EXPECT_EQ(Macs({"dot", {Of({7}), Of({7})}, {Of({})}, {}}), 7);
}

TEST(ProductsTest, BiasIsNoMac) {
  EXPECT_EQ(BiasFlopsOf({"addmm", {Of({4}), Of({2, 3}), Of({3, 4})}, {Of({2, 4})}, {}}).ValueOrZero(), 8);
  EXPECT_EQ(BiasFlopsOf({"mm", {Of({2, 3}), Of({3, 4})}, {Of({2, 4})}, {}}).ValueOrZero(), 0);
}

TEST(ProductsTest, Convolution) {
  // 56·56 positions, each 128·64·3·3 products.
  EXPECT_EQ(Macs({"convolution", {Of({1, 64, 56, 56}), Of({128, 64, 3, 3}), {{}, false}}, {Of({1, 128, 56, 56})}, {false}}), 231211008);
  // Depthwise: the weight has one input channel.
  EXPECT_EQ(Macs({"convolution", {Of({1, 64, 56, 56}), Of({64, 1, 3, 3}), {{}, false}}, {Of({1, 64, 56, 56})}, {false}}), 1806336);
  // Transposed, 4 groups: 28·28 input positions, each 64·8·4·4 products.
  EXPECT_EQ(Macs({"convolution", {Of({1, 64, 28, 28}), Of({64, 8, 4, 4}), {{}, false}}, {Of({1, 32, 56, 56})}, {true}}), 6422528);
}

TEST(ProductsTest, ConvolutionBackwardFollowsItsMask) {
  auto backward = [](bool input, bool weight, bool transposed) {
    const TensorShape grad = transposed ? Of({1, 32, 56, 56}) : Of({1, 128, 56, 56});
    const TensorShape in = transposed ? Of({1, 64, 28, 28}) : Of({1, 64, 56, 56});
    const TensorShape of = transposed ? Of({64, 8, 4, 4}) : Of({128, 64, 3, 3});
    return Macs({"convolution_backward", {grad, in, of}, {}, {transposed, input, weight, true}});
  };
  EXPECT_EQ(backward(false, true, false), 231211008);
  EXPECT_EQ(backward(true, true, false), 2 * 231211008);
  EXPECT_EQ(backward(false, false, false), 0);
  EXPECT_EQ(backward(true, true, true), 2 * 6422528);
}

TEST(ProductsTest, OthersAreNone) { EXPECT_EQ(MacsOf({"add", {Of({2}), Of({2})}, {Of({2})}, {}}), std::nullopt); }

TEST(ProductsTest, OverflowIsSaid) {
  const int64_t large = int64_t{1} << 31;
  const auto macs = MacsOf({"mm", {Of({large, large}), Of({large, large})}, {Of({large, large})}, {}});
  ASSERT_TRUE(macs.has_value());
  EXPECT_TRUE(macs->overflowed());
}

}  // namespace
}  // namespace planner::libtorch
