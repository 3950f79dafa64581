#include "core/hardware/gpu_catalog.h"
#include "core/perf/step_flops.h"
#include "core/perf/utilization.h"
#include "gtest/gtest.h"

namespace planner::perf {
namespace {

TEST(SampleFlopsTest, ScalesACountToOneSample) {
  counting::CostReport report;
  report.forward.macs = 300;
  report.backward.macs = 600;
  report.attention_forward.macs = 30;
  report.block_forward.macs = 270;
  const SampleFlops flops = PerSample(report, 3);
  EXPECT_DOUBLE_EQ(flops.forward, 200);
  EXPECT_DOUBLE_EQ(flops.model(), 600);
  EXPECT_DOUBLE_EQ(flops.attention_forward, 20);
  EXPECT_DOUBLE_EQ(flops.block_forward, 180);
}

TEST(SampleFlopsTest, FrozenBaseNeedsNoWeightGradients) {
  const SampleFlops flops = WithFrozenBase({2, 4, 0.5, 0}, 0.01);
  EXPECT_DOUBLE_EQ(flops.forward, 2.01);
  EXPECT_DOUBLE_EQ(flops.backward, 2.52);
}

// SC21 eq. 3: 96 T L h^2 (1 + s/6h + V/16Lh) FLOPs with full recomputation, 300B tokens.
TEST(SecondsTest, Gpt3TakesThePublished34Days) {
  const double flops = 96 * 300e9 * 96 * 12288. * 12288. * (1 + 2048 / (6 * 12288.) + 50257 / (16 * 96 * 12288.));
  EXPECT_NEAR(Seconds(flops, 1024, 312e12, 140.0 / 312) / 86400, 34, 34 * 0.03);
}

class UtilizationTest : public ::testing::Test {
 protected:
  const hardware::GpuType& Gpu(const char* name) const { return **catalog_->Find(name); }
  const absl::StatusOr<hardware::GpuCatalog> catalog_ = hardware::GpuCatalog::Create();
};

TEST_F(UtilizationTest, EveryTypeAndPrecisionHasAnOrderedInterval) {
  for (const hardware::GpuType& gpu : catalog_->types()) {
    for (const auto& [precision, flops] : gpu.peak_flops) {
      const Utilization utilization = DefaultUtilization(gpu, precision);
      EXPECT_GT(utilization.low, 0) << gpu.name;
      EXPECT_LT(utilization.low, utilization.ratio) << gpu.name;
      EXPECT_LT(utilization.ratio, utilization.high) << gpu.name;
      EXPECT_LE(utilization.high, 0.95) << gpu.name;
    }
  }
}

TEST_F(UtilizationTest, EveryBuiltInArchitectureHasARow) {
  for (const hardware::GpuType& gpu : catalog_->types()) {
    EXPECT_EQ(DefaultUtilization(gpu, "bf16").source.find("without published"), std::string::npos) << gpu.architecture;
  }
}

TEST_F(UtilizationTest, DependsOnTheLinks) {
  EXPECT_DOUBLE_EQ(DefaultUtilization(Gpu("a100"), "bf16").ratio, 0.20);
  EXPECT_DOUBLE_EQ(DefaultUtilization(Gpu("a100-pcie"), "bf16").ratio, 0.8 * 0.20);
}

}  // namespace
}  // namespace planner::perf
