#include "clients/slurm/tres.h"

#include <gtest/gtest.h>

#include <random>

namespace planner::slurm {
namespace {

using jobs::GpuScope;

TEST(TresTest, ReadsEverySpelling) {
  struct Case {
    const char* text;
    const char* type;
    int64_t count;
  };
  for (const Case& one :
       {Case{"gres:gpu:a100:4", "a100", 4}, Case{"gres/gpu:a100=4", "a100", 4}, Case{"gpu:a100:4", "a100", 4},
        Case{"gpu:4", "", 4}, Case{"gpu=4", "", 4}, Case{"gres/gpu=16", "", 16}, Case{"gres:gpu", "", 1},
        Case{"gpu:a100", "a100", 1}, Case{"gpu:a100:4(S:0-1)", "a100", 4}, Case{"gpu:a100:8(IDX:0-3,5-8)", "a100", 8},
        Case{"gpu:1k", "", 1024}, Case{"gres:shard:2,gres:gpu:1", "", 1},
        Case{"gres:gpu:a100:2,gres:gpu:a100:3", "a100", 5},
        Case{"gpu:nvidia_h100-80gb.hbm3:8", "nvidia_h100-80gb.hbm3", 8},
        Case{"license:x,gres:gpu:h100:1", "h100", 1}}) {
    const auto gpus = ParseGpus(one.text, GpuScope::kNode);
    ASSERT_TRUE(gpus.ok()) << one.text << gpus.status();
    ASSERT_TRUE(gpus->has_value()) << one.text;
    EXPECT_EQ((*gpus)->type, one.type) << one.text;
    EXPECT_EQ((*gpus)->count, one.count) << one.text;
  }
}

TEST(TresTest, ReadsSbatchsOptions) {
  EXPECT_EQ((*ParseGpuOption("8", GpuScope::kJob))->count, 8);
  EXPECT_EQ((*ParseGpuOption("a100:8", GpuScope::kJob))->type, "a100");
  EXPECT_EQ((*ParseGpuOption("a100", GpuScope::kJob))->count, 1);
  EXPECT_FALSE(ParseGpuOption("", GpuScope::kJob)->has_value());
}

TEST(TresTest, OtherResourcesAreNone) {
  for (const char* text : {"", "gres:shard:4", "gpumem:4", "gres:gpux:1", "cpu=4", "gres:mps:100", "gpu:0",
                           "gres:gpu:a100:0", "GPU:4", "xgpu:4"}) {
    const auto gpus = ParseGpus(text, GpuScope::kNode);
    ASSERT_TRUE(gpus.ok()) << text;
    EXPECT_FALSE(gpus->has_value()) << text;
  }
}

TEST(TresTest, RefusesWhatCannotBePlanned) {
  for (const std::string& text :
       {std::string("gpu:a100:2,gpu:h100:2"), std::string("gpu:"), std::string("gpu:a100:x y"),
        std::string("gpu:99999999999"), std::string("gpu:1000001"), std::string("gpu:a'$(touch pwned)':1"),
        std::string("gpu:a100:4x:2"), std::string("gpu:") + std::string(2000, '1'), std::string("gpu:a\0b:1", 9)}) {
    EXPECT_FALSE(ParseGpus(text, GpuScope::kNode).ok()) << text.substr(0, 60);
  }
}

TEST(TresTest, WritesBackWhatItHasRead) {
  for (const char* text :
       {"gres:gpu:a100:4", "gres:gpu:16", "gpu:h100:2", "gres/gpu:2", "gres:gpu:8,gres:nvme:10,license:x"}) {
    EXPECT_EQ(TextOf(**ParseGpus(text, GpuScope::kNode)), text);
  }
  EXPECT_EQ(TextOf(**ParseGpus("gres:gpu", GpuScope::kNode)), "gres:gpu:1");
  EXPECT_EQ(TextOf(**ParseGpus("cpu=4,gres/gpu:a100=2,gres/gpumem=1", GpuScope::kTask)),
            "gres/gpu:a100:2,cpu=4,gres/gpumem=1");
}

TEST(TresTest, RandomTextIsReadOrRefusedAndWhatIsReadIsWithinBounds) {
  std::mt19937 random(11);
  const std::string alphabet = "gpures:/=,()a1048kM_-. \xff";
  std::uniform_int_distribution<size_t> letter(0, alphabet.size() - 1), length(0, 30);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = i % 2 == 0 ? "gpu" : "";
    for (size_t n = length(random); n > 0; --n) text += alphabet[letter(random)];
    const auto gpus = ParseGpus(text, GpuScope::kNode);
    if (!gpus.ok() || !gpus->has_value()) continue;
    ASSERT_GE((*gpus)->count, 1) << text;
    const auto again = ParseGpus(TextOf(**gpus), GpuScope::kNode);
    ASSERT_TRUE(again.ok() && again->has_value()) << text;
    ASSERT_EQ((*again)->count, (*gpus)->count) << text;
    ASSERT_EQ((*again)->type, (*gpus)->type) << text;
  }
}

}  // namespace
}  // namespace planner::slurm
