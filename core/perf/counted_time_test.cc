#include "core/perf/counted_time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/hardware/gpu_catalog.h"

namespace planner::perf {
namespace {

/// Elements that the operators of one training pass of torchvision's models (224 x 224) read and write, as a dispatch mode over
/// eager PyTorch sees them, views left out.
constexpr double kResNet50Elements1 = 271485125;
constexpr double kResNet50Elements4 = 855372125;
constexpr double kResNet50Parameters = 25557032;
/// 4,089,184,256 MACs forward; backward twice, without the gradient of the images (118,013,952 MACs).
constexpr double kResNet50Flops = 2 * (3 * 4089184256.0 - 118013952);

counting::CostReport ResNet50(double elements, double element_bytes) {
  counting::CostReport report;
  report.parameters = static_cast<int64_t>(kResNet50Parameters);
  report.accessed_bytes = elements * element_bytes;
  return report;
}

class CountedUtilizationTest : public ::testing::Test {
 protected:
  double SamplesPerSecond(const char* gpu, const char* precision, double element_bytes) const {
    const hardware::GpuType& type = **catalog_->Find(gpu);
    const double peak = type.peak_flops.at(precision);
    const SampleWork work = {kResNet50Flops, AccessedBytesPerSample(ResNet50(kResNet50Elements4, element_bytes), 4, element_bytes)};
    const Utilization utilization = CountedUtilization(type, peak, precision, work);
    low_ = utilization.low * peak / work.flops;
    high_ = utilization.high * peak / work.flops;
    return utilization.ratio * peak / work.flops;
  }
  const absl::StatusOr<hardware::GpuCatalog> catalog_ = hardware::GpuCatalog::Create();
  mutable double low_ = 0;
  mutable double high_ = 0;
};

TEST(AccessedBytesPerSampleTest, TheWeightsAreNotTheSamples) {
  const double one = AccessedBytesPerSample(ResNet50(kResNet50Elements1, 2), 1, 2);
  EXPECT_NEAR(one, 390e6, 1e6);
  EXPECT_NEAR(AccessedBytesPerSample(ResNet50(kResNet50Elements4, 2), 4, 2), one, one * 0.01);
  EXPECT_DOUBLE_EQ(AccessedBytesPerSample(ResNet50(100, 1), 2, 1), 25);
  EXPECT_DOUBLE_EQ(AccessedBytesPerSample(ResNet50(0, 1), 2, 1), 0);
}

TEST_F(CountedUtilizationTest, AWorkedNumber) {
  hardware::GpuType gpu;
  gpu.memory_bandwidth = 1e12;
  const Utilization utilization = CountedUtilization(gpu, 100e12, "bf16", {50e9, 750e6});
  // 50e9 / 50e12 = 1 ms, 750e6 / 0.75e12 = 1 ms: 50 GFLOP in 2 ms is a quarter of the peak.
  EXPECT_DOUBLE_EQ(utilization.ratio, 0.25);
  EXPECT_DOUBLE_EQ(utilization.low, 0.25 * 0.45);
  EXPECT_DOUBLE_EQ(utilization.high, 0.4);
  EXPECT_THAT(utilization.source, ::testing::HasSubstr("= 1000 us of products + 1000 us of memory"));
  EXPECT_LE(CountedUtilization(gpu, 1e12, "fp32", {50e9, 0}).high, 0.95);
}

/// Published throughputs of ResNet-50 training on one card, images a second: NVIDIA DeepLearningExamples
/// (PyTorch/Classification/ConvNets/resnet50v1.5, container 21.03), and timm's benchmark of an RTX 3090
/// (benchmark-train-amp-nhwc-pt112-cu113). A check of the formula's sense over cards and precisions, not a fit: every one lies
/// in its 90 % interval, and in the middle they are neither too fast nor too slow.
TEST_F(CountedUtilizationTest, PublishedThroughputsLieInTheInterval) {
  struct Row {
    const char* gpu;
    const char* precision;
    double element_bytes, published;
  };
  double product = 1;
  int rows = 0;
  for (const Row& row : {Row{"A100-SXM-80GB", "fp16", 2, 2470}, Row{"A100-SXM-80GB", "tf32", 4, 938},
                         Row{"V100-SXM2-16GB", "fp16", 2, 1200}, Row{"V100-SXM2-32GB", "fp16", 2, 1156},
                         Row{"V100-SXM2-16GB", "fp32", 4, 367}, Row{"RTX-3090-24GB", "fp16", 2, 1218}}) {
    const double predicted = SamplesPerSecond(row.gpu, row.precision, row.element_bytes);
    EXPECT_GT(row.published, low_) << row.gpu << " " << row.precision << " predicted " << predicted;
    EXPECT_LT(row.published, high_) << row.gpu << " " << row.precision << " predicted " << predicted;
    product *= predicted / row.published;
    ++rows;
  }
  EXPECT_NEAR(std::pow(product, 1.0 / rows), 1, 0.2);
}

/// PaddlePaddle PLSC: ViT-B/16 at 224 px on eight A100, 3,583 images a second. 17.56 GMACs forward, 323.6 M elements.
TEST_F(CountedUtilizationTest, AVisionTransformerToo) {
  const hardware::GpuType& gpu = **catalog_->Find("a100");
  const SampleWork work = {2 * 3 * 17.56e9, 2 * 323.6e6};
  const Utilization utilization = CountedUtilization(gpu, 312e12, "fp16", work);
  const double published = 3583.0 / 8;
  EXPECT_GT(published, utilization.low * 312e12 / work.flops);
  EXPECT_LT(published, utilization.high * 312e12 / work.flops);
}

Machine Cards(double link, double network) {
  Machine machine;
  machine.link = link;
  machine.network = network;
  machine.domain = 8;
  return machine;
}

// 175 operators, three kernels each, 8 us: 4.2 ms, which a short step waits for and a long one does not.
TEST(CountedWaitTest, TheHostLaunchesEveryKernel) {
  const CountedStep step = {.compute_seconds = 1e-3, .gradient_bytes = 102e6, .operators = 175};
  EXPECT_NEAR(CountedWaitOf(step, Cards(1e12, 1e12), {}).launch, 175 * 3 * 8e-6 - 1e-3, 1e-9);
  EXPECT_EQ(CountedWaitOf(step, Cards(1e12, 1e12), {}).gradients, 0);
  CountedStep longer = step;
  longer.compute_seconds = 10e-3;
  EXPECT_EQ(CountedWaitOf(longer, Cards(1e12, 1e12), {}).launch, 0);
}

// A ring through 128 nodes with 8 ports of 25 GB/s each: 200 GB/s. 2 x 1023/1024 x 102 MB / 200 GB/s = 1.02 ms, hidden behind a long
// backward pass but for the last bucket of 25 MiB: 0.26 ms.
TEST(CountedWaitTest, WhatTheBackwardPassDoesNotHide) {
  CountedStep step = {.compute_seconds = 10e-3, .gradient_bytes = 102e6, .cards = 1024};
  const double last = 2 * 1023.0 / 1024 * 25 * 1024 * 1024 / 200e9;
  EXPECT_NEAR(CountedWaitOf(step, Cards(300e9, 25e9), {}).gradients, last, 1e-9);
  step.compute_seconds = 0.3e-3;
  EXPECT_NEAR(CountedWaitOf(step, Cards(300e9, 25e9), {}).gradients, 2 * 1023.0 / 1024 * 102e6 / 200e9 - 0.2e-3, 1e-9);
  step.cards = 1;
  EXPECT_EQ(CountedWaitOf(step, Cards(300e9, 25e9), {}).total(), 0);
}

}  // namespace
}  // namespace planner::perf
