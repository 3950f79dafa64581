#include "core/hardware/precision.h"

#include "core/base/error.h"
#include "core/hardware/gpu_catalog.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::hardware {
namespace {

double BytesOf(std::string_view precision, std::string_view optimizer) {
  return TrainingRecipe(**FindPrecision(precision), **FindOptimizer(optimizer))->total();
}

TEST(RecipeTest, MatchesThePublishedBytesPerParameter) {
  EXPECT_DOUBLE_EQ(BytesOf("bf16", "adam"), 18);      // Megatron-LM.
  EXPECT_DOUBLE_EQ(BytesOf("fp16", "adamw"), 16);     // ZeRO: 2 + 2 + 12.
  EXPECT_DOUBLE_EQ(BytesOf("fp32", "adam"), 16);      // ZeRO: 4 + 4 + 8.
  EXPECT_DOUBLE_EQ(BytesOf("bf16-pure", "adam"), 8);  // torchtune.
  EXPECT_DOUBLE_EQ(BytesOf("bf16-pure", "adam8bit"), 6);
  EXPECT_DOUBLE_EQ(BytesOf("bf16", "adam8bit"), 12);
  EXPECT_DOUBLE_EQ(BytesOf("fp16", "sgd-momentum"), 12);
  EXPECT_DOUBLE_EQ(BytesOf("bf16", "muon"), 14);
  EXPECT_DOUBLE_EQ(BytesOf("bf16", "adafactor"), 10);
  EXPECT_DOUBLE_EQ(BytesOf("fp8", "adam"), 19);
}

TEST(RecipeTest, StorageTypesAreNotTrainedIn) {
  const auto recipe = TrainingRecipe(**FindPrecision("nf4"), **FindOptimizer("adam"));
  EXPECT_EQ(base::DetailOf(recipe.status()).field, "precision");
}

TEST(PrecisionTest, GibPerBillion) { EXPECT_NEAR(GibPerBillion(18), 16.764, 0.001); }

TEST(PrecisionTest, UnknownNamesListTheKnown) {
  EXPECT_THAT(std::string(FindPrecision("bf61").status().message()), ::testing::HasSubstr("bf16"));
  EXPECT_EQ(base::DetailOf(FindOptimizer("").status()).field, "optimizer");
  EXPECT_EQ((*FindPrecision("BFloat16"))->name, "bf16");
}

TEST(PeakTest, FallsBackWhereTheCardCannot) {
  const auto catalog = GpuCatalog::Create();
  const auto peak = [&](const char* gpu, const char* precision) {
    return *PeakFor(**catalog->Find(gpu), **FindPrecision(precision));
  };
  EXPECT_EQ(peak("a100", "bf16").flops_per_second, 312e12);
  EXPECT_EQ(peak("a100", "bf16").warning, "");
  EXPECT_EQ(peak("v100", "bf16").precision, "fp16");
  EXPECT_NE(peak("v100", "bf16").warning, "");
  EXPECT_EQ(peak("p40", "fp16").precision, "fp32");
  EXPECT_EQ(peak("p100", "fp16").precision, "fp16");
  EXPECT_EQ(peak("a100", "fp8").precision, "bf16");
  EXPECT_EQ(peak("h100", "fp8").flops_per_second, 1979e12);
  EXPECT_EQ(peak("a100", "tf32").flops_per_second, 156e12);
  EXPECT_EQ(PeakFor(**catalog->Find("tpu-v4"), **FindPrecision("fp32")).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace planner::hardware
