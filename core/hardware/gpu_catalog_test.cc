#include "core/hardware/gpu_catalog.h"

#include "core/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::hardware {
namespace {

using ::testing::HasSubstr;

class GpuCatalogTest : public ::testing::Test {
 protected:
  std::string NameOf(std::string_view name) const {
    const auto type = catalog_->Find(name);
    return type.ok() ? (*type)->name : std::string(type.status().message());
  }
  const absl::StatusOr<GpuCatalog> catalog_ = GpuCatalog::Create();
};

TEST_F(GpuCatalogTest, HoldsPlausibleFiguresOfAtLeast55Types) {
  ASSERT_TRUE(catalog_.ok()) << catalog_.status();
  EXPECT_GE(catalog_->types().size(), 55u);
  for (const GpuType& type : catalog_->types()) {
    SCOPED_TRACE(type.name);
    EXPECT_GT(type.memory_bytes, int64_t{10} << 30);
    EXPECT_LT(type.memory_bytes, int64_t{300} << 30);
    EXPECT_GT(type.memory_bandwidth, 1e11);
    EXPECT_FALSE(type.architecture.empty());
    EXPECT_GE(type.scale_up_domain, 1);
    EXPECT_GE(type.release_year, 2016);
    for (const auto& [precision, flops] : type.peak_flops) {
      EXPECT_GE(flops, 1e11) << precision;
      EXPECT_LE(flops, 2e16) << precision;
    }
  }
}

TEST_F(GpuCatalogTest, KnowsTheFiguresOfTheA100) {
  const GpuType& a100 = **catalog_->Find("a100");
  EXPECT_EQ(a100.name, "A100-SXM-80GB");
  EXPECT_DOUBLE_EQ(a100.peak_flops.at("bf16"), 312e12);
  EXPECT_DOUBLE_EQ(a100.memory_bandwidth, 2039e9);
  EXPECT_DOUBLE_EQ(a100.link_bandwidth, 300e9);
  EXPECT_DOUBLE_EQ(a100.network_bandwidth, 25e9);  // 200 Gb/s.
  EXPECT_EQ(a100.memory_bytes, 85201413734);       // 79.35 GiB.
}

TEST_F(GpuCatalogTest, AliasesNameTheDefaultOfTheirFamily) {
  EXPECT_EQ(NameOf("H100"), "H100-SXM-80GB");
  EXPECT_EQ(NameOf("h200"), "H200-SXM-141GB");
  EXPECT_EQ(NameOf("b200"), "B200-SXM-180GB");
  EXPECT_EQ(NameOf("b200-sxm"), "B200-SXM-180GB");
  EXPECT_EQ(NameOf("b300"), "B300-SXM-288GB");
  EXPECT_EQ(NameOf("gb200"), "GB200-NVL72-186GB");
  EXPECT_EQ(NameOf("gb300"), "GB300-NVL72-288GB");
  EXPECT_EQ(NameOf("v100"), "V100-SXM2-32GB");
  EXPECT_EQ(NameOf("h100-96gb-hbm2e-500w"), "H100-96GB-HBM2e-500W(Meta GT)");
  EXPECT_EQ(NameOf("H100-96GB-HBM2e-500W(Meta GT)"), "H100-96GB-HBM2e-500W(Meta GT)");
  EXPECT_EQ(NameOf("tpu-v7x-ironwood"), "TPU-v7x");
  EXPECT_EQ(NameOf("910b"), "Ascend-910B3-64GB");
  EXPECT_EQ(NameOf("mi300x"), "MI300X-192GB");
  EXPECT_EQ(NameOf("gaudi2"), "Gaudi2-96GB");
}

TEST_F(GpuCatalogTest, DashesMatterOnlyBetweenDigits) {
  EXPECT_EQ(NameOf("rtx4090"), "RTX-4090-24GB");
  EXPECT_EQ(NameOf("RTX_A6000"), "RTX-A6000-48GB");
  EXPECT_EQ(NameOf("tpuv5p"), "TPU-v5p");
  EXPECT_EQ(NameOf("H100SXM80GB"), "H100-SXM-80GB");
  EXPECT_FALSE(catalog_->Find("a10080gb").ok());
}

TEST_F(GpuCatalogTest, ReadsTheSpellingsOfSlurmKubernetesDcgmAndTorch) {
  for (const char* a100 :
       {"nvidia_a100-sxm4-80gb", "NVIDIA-A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB", "NVIDIA-A100-SXM4-80GB-SHARED"}) {
    EXPECT_EQ(NameOf(a100), "A100-SXM-80GB");
  }
  for (const char* h100 : {"nvidia_h100_80gb_hbm3", "NVIDIA-H100-80GB-HBM3", "NVIDIA H100 80GB HBM3"}) {
    EXPECT_EQ(NameOf(h100), "H100-SXM-80GB");
  }
  for (const char* v100 : {"tesla_v100-sxm2-32gb", "Tesla-V100-SXM2-32GB", "Tesla V100-SXM2-32GB"}) {
    EXPECT_EQ(NameOf(v100), "V100-SXM2-32GB");
  }
  EXPECT_EQ(NameOf("NVIDIA-H200"), "H200-SXM-141GB");
  EXPECT_EQ(NameOf("NVIDIA-B200"), "B200-SXM-180GB");
  EXPECT_EQ(NameOf("NVIDIA H100 PCIe"), "H100-PCIe-80GB");
  EXPECT_EQ(NameOf("NVIDIA A100 80GB PCIe"), "A100-PCIe-80GB");
  EXPECT_EQ(NameOf("NVIDIA-A100-PCIE-40GB"), "A100-PCIe-40GB");
  EXPECT_EQ(NameOf("NVIDIA GeForce RTX 2080 Ti"), "RTX-2080Ti-11GB");
  EXPECT_EQ(NameOf("Tesla-P100-PCIE-16GB"), "P100-PCIe-16GB");
  EXPECT_EQ(NameOf("AMD Instinct MI250X"), "MI250X-128GB");
  EXPECT_EQ(NameOf("AMD_Instinct_MI300X_OAM"), "MI300X-192GB");
  EXPECT_EQ(NameOf("NVIDIA GH200 480GB"), "GH200-96GB");
}

TEST_F(GpuCatalogTest, AnUnknownNameListsTheNearest) {
  const absl::Status status = catalog_->Find("H1000").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("H100-SXM-80GB"));
  EXPECT_EQ(base::DetailOf(status).field, "gpu_type");
  // A slice of a card is not the card.
  EXPECT_EQ(catalog_->Find("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(catalog_->Find("").status().code(), absl::StatusCode::kNotFound);
}

GpuType Own(std::string name) {
  GpuType type;
  type.name = std::move(name);
  type.memory_bytes = 1 << 30;
  type.peak_flops["bf16"] = 1e12;
  return type;
}

TEST_F(GpuCatalogTest, OwnTypesAreAddedAndReplace) {
  const auto catalog = GpuCatalog::Create({Own("a100-sxm-80gb"), Own("Lab-Card")});
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  EXPECT_EQ((*catalog->Find("a100"))->memory_bytes, 1 << 30);
  EXPECT_EQ((*catalog->Find("lab card"))->name, "Lab-Card");
  EXPECT_EQ(catalog->types().size(), catalog_->types().size() + 1);
}

TEST_F(GpuCatalogTest, RefusesIncompleteAndAmbiguousOwnTypes) {
  GpuType no_memory = Own("x");
  no_memory.memory_bytes = 0;
  EXPECT_EQ(base::DetailOf(GpuCatalog::Create({Own("y"), no_memory}).status()).field, "gpu_types[1].memory_bytes");
  GpuType no_peaks = Own("x");
  no_peaks.peak_flops.clear();
  EXPECT_EQ(base::DetailOf(GpuCatalog::Create({no_peaks}).status()).field, "gpu_types[0].peaks");
  EXPECT_EQ(base::DetailOf(GpuCatalog::Create({Own("")}).status()).field, "gpu_types[0].name");
  GpuType taken = Own("x");
  taken.aliases = {"H100"};
  EXPECT_EQ(base::DetailOf(GpuCatalog::Create({taken}).status()).field, "gpu_types[0].aliases");
}

}  // namespace
}  // namespace planner::hardware
