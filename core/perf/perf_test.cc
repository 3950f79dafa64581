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
  const SampleFlops flops = WithFrozenBase({2, 4, 0, 0}, 0.01);
  EXPECT_DOUBLE_EQ(flops.forward, 2.01);
  EXPECT_DOUBLE_EQ(flops.backward, 2.02);
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

// LLaMA (2302.13971, table 15): GPU hours on A100-80GB. FLOPs per token: 6 N + 12 L h s, s = 2,048.
TEST_F(UtilizationTest, LlamaGpuHoursComeWithin10Percent) {
  struct Row {
    double parameters, layers, hidden, tokens, gpu_hours;
  };
  for (const Row& row : {Row{6.74e9, 32, 4096, 1e12, 82432}, Row{13.02e9, 40, 5120, 1e12, 135168},
                         Row{32.53e9, 60, 6656, 1.4e12, 530432}, Row{65.29e9, 80, 8192, 1.4e12, 1022362}}) {
    const double flops = row.tokens * (6 * row.parameters + 12 * row.layers * row.hidden * 2048);
    const Utilization utilization = DefaultUtilization(Gpu("a100"), "bf16", WorkKind::kDense, row.parameters);
    EXPECT_NEAR(Seconds(flops, 1, 312e12, utilization.ratio) / 3600 / row.gpu_hours, 1, 0.10) << row.parameters;
    EXPECT_LT(Seconds(flops, 1, 312e12, utilization.high) / 3600, row.gpu_hours);
    EXPECT_GT(Seconds(flops, 1, 312e12, utilization.low) / 3600, row.gpu_hours);
  }
}

TEST_F(UtilizationTest, EveryTypeAndPrecisionHasAnOrderedInterval) {
  for (const hardware::GpuType& gpu : catalog_->types()) {
    for (const auto& [precision, flops] : gpu.peak_flops) {
      for (const WorkKind kind : {WorkKind::kDense, WorkKind::kExperts, WorkKind::kOther}) {
        for (const double parameters : {1e6, 2e9, 1e12}) {
          const Utilization utilization = DefaultUtilization(gpu, precision, kind, parameters);
          EXPECT_GT(utilization.low, 0) << gpu.name;
          EXPECT_LT(utilization.low, utilization.ratio) << gpu.name;
          EXPECT_LT(utilization.ratio, utilization.high) << gpu.name;
          EXPECT_LE(utilization.high, 0.95) << gpu.name;
        }
      }
    }
  }
}

TEST_F(UtilizationTest, EveryBuiltInArchitectureHasARow) {
  for (const hardware::GpuType& gpu : catalog_->types()) {
    EXPECT_EQ(DefaultUtilization(gpu, "bf16", WorkKind::kDense, 1e9).source.find("without published"),
              std::string::npos)
        << gpu.architecture;
  }
}

// A ratio that rose faster than the size would make a larger model the faster one.
TEST_F(UtilizationTest, ALargerModelIsNeverFaster) {
  for (const hardware::GpuType& gpu : catalog_->types()) {
    for (const auto& [precision, flops] : gpu.peak_flops) {
      double last = 0;
      for (double parameters = 1e7; parameters < 1e13; parameters *= 1.1) {
        const double time = parameters / DefaultUtilization(gpu, precision, WorkKind::kDense, parameters).ratio;
        EXPECT_GT(time, last) << gpu.name << " " << precision << " " << parameters;
        last = time;
      }
    }
  }
}

TEST_F(UtilizationTest, DependsOnTheKindOfWorkAndTheLinks) {
  const double dense = DefaultUtilization(Gpu("a100"), "bf16", WorkKind::kDense, 25e6).ratio;
  EXPECT_LT(DefaultUtilization(Gpu("a100"), "bf16", WorkKind::kOther, 25e6).ratio, dense);
  EXPECT_LT(DefaultUtilization(Gpu("a100-pcie"), "bf16", WorkKind::kDense, 25e6).ratio, dense);
  EXPECT_DOUBLE_EQ(DefaultUtilization(Gpu("a100"), "bf16", WorkKind::kOther, 5e9).ratio, 0.25);
}

}  // namespace
}  // namespace planner::perf
