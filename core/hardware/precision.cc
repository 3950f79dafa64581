#include "core/hardware/precision.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "absl/strings/str_split.h"
#include "core/base/error.h"
#include "fmt/format.h"

namespace planner::hardware {
namespace {

// Sources of the training columns: ZeRO (1910.02054) for fp32 and fp16; Megatron-LM for bf16 with fp32 gradients;
// torchtune for pure bf16. Transformer Engine keeps the bf16 weights and caches their fp8 (fp4) copy, so fp8 saves
// time, not memory. Scales: nvfp4 one fp8 scale for 16 elements, mxfp4 one byte for 32, nf4 with double quantization
// 0.127 bits an element (QLoRA, 2305.14314), int4 an fp16 scale and a 4-bit zero for 128 (GPTQ).
constexpr std::array kPrecisions = {
    Precision{"fp64", "IEEE double, all states in 8 bytes", 8, 8, 8, 0, 8, 8, "fp64"},
    Precision{"fp32", "IEEE single, all states in 4 bytes", 4, 4, 4, 0, 4, 4, "fp32"},
    Precision{"tf32", "fp32 states, products in tf32", 4, 4, 4, 0, 4, 4, "tf32 fp32"},
    Precision{"fp16", "fp16 weights and gradients, fp32 master weights and moments", 2, 2, 2, 4, 4, 2,
              "fp16 bf16 fp32"},
    Precision{"bf16", "bf16 weights, fp32 gradients, master weights and moments", 2, 2, 4, 4, 4, 2, "bf16 fp16 fp32"},
    Precision{"bf16-pure", "bf16 weights, gradients and moments", 2, 2, 2, 0, 2, 2, "bf16 fp16 fp32"},
    Precision{"fp8", "fp8 products; bf16 weights with a cached fp8 copy, the rest as bf16", 1, 3, 4, 4, 4, 2,
              "fp8 bf16 fp16 fp32"},
    Precision{"fp4", "nvfp4 products; bf16 weights with a cached 4-bit copy, the rest as bf16", 0.5625, 2.5625, 4, 4, 4,
              2, "fp4 fp8 bf16 fp16 fp32"},
    Precision{"int8", "stored weights only", 1},
    Precision{"int4", "stored weights only, groups of 128", 0.52},
    Precision{"nf4", "stored weights only, double quantization (QLoRA)", 0.516},
    Precision{"mxfp4", "stored weights only, groups of 32", 0.53125},
};

constexpr std::array kOptimizers = {
    Optimizer{"adam", "two moments (AdamW, LAMB)", 2, 0},
    Optimizer{"adam8bit", "two moments in 8 bits", 2, 1},
    Optimizer{"sgd", "no moments", 0, 0},
    Optimizer{"sgd-momentum", "one moment", 1, 0},
    Optimizer{"adafactor", "factored second moment, a row and a column for a matrix: counted as none", 0, 0},
    Optimizer{"lion", "one moment", 1, 0},
    Optimizer{"muon", "one moment; the small share of parameters that Adam updates is counted alike", 1, 0},
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kSynonyms = {{
    {"double", "fp64"},
    {"float64", "fp64"},
    {"float32", "fp32"},
    {"float", "fp32"},
    {"float16", "fp16"},
    {"half", "fp16"},
    {"bfloat16", "bf16"},
    {"bf16-mixed", "bf16"},
    {"bf16-true", "bf16-pure"},
    {"mxfp8", "fp8"},
    {"float8", "fp8"},
    {"nvfp4", "fp4"},
    {"adamw", "adam"},
    {"lamb", "adam"},
    {"adamw8bit", "adam8bit"},
    {"adam-8bit", "adam8bit"},
    {"paged-adamw8bit", "adam8bit"},
    {"momentum", "sgd-momentum"},
    {"sgdm", "sgd-momentum"},
    {"fp16-mixed", "fp16"},
}};

std::string Canonical(std::string_view name) {
  std::string key(name);
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char c) { return c == '_' || c == ' ' ? '-' : static_cast<char>(std::tolower(c)); });
  for (const auto& [synonym, canonical] : kSynonyms) {
    if (key == synonym) return std::string(canonical);
  }
  return key;
}

template <typename T>
absl::StatusOr<const T*> FindIn(std::span<const T> known, std::string_view field, std::string_view name) {
  const std::string key = Canonical(name);
  std::vector<std::string_view> names;
  for (const T& entry : known) {
    if (entry.name == key) return &entry;
    names.push_back(entry.name);
  }
  return base::InvalidField(field, fmt::format("is unknown: {}=\"{}\"; known: {}", field, name, fmt::join(names, ", ")),
                            "UNKNOWN_NAME", {{std::string(field), std::string(name)}});
}

}  // namespace

std::span<const Precision> Precisions() { return kPrecisions; }
std::span<const Optimizer> Optimizers() { return kOptimizers; }

absl::StatusOr<const Precision*> FindPrecision(std::string_view name) {
  return FindIn(Precisions(), "precision", name);
}
absl::StatusOr<const Optimizer*> FindOptimizer(std::string_view name) {
  return FindIn(Optimizers(), "optimizer", name);
}

absl::StatusOr<Recipe> TrainingRecipe(const Precision& precision, const Optimizer& optimizer) {
  if (!precision.trains()) {
    return base::InvalidField("precision",
                              fmt::format("is for stored weights, not for training: precision=\"{}\"", precision.name));
  }
  const double moment = optimizer.moment_bytes > 0 ? optimizer.moment_bytes : precision.moment_bytes;
  return Recipe{precision.weight_bytes, precision.gradient_bytes, precision.master_bytes + optimizer.moments * moment,
                precision.master_bytes};
}

absl::StatusOr<Peak> PeakFor(const GpuType& gpu, const Precision& precision) {
  const auto fp32 = gpu.peak_flops.find("fp32");
  bool first = true;
  for (const absl::string_view name :
       absl::StrSplit(absl::string_view(precision.peaks.data(), precision.peaks.size()), ' ')) {
    const auto peak = gpu.peak_flops.find(std::string(name));
    const bool usable = peak != gpu.peak_flops.end() &&
                        // Where a narrow type is slower than fp32 (Pascal's fp16), nobody computes in it.
                        (precision.element_bytes > 2 || fp32 == gpu.peak_flops.end() || peak->second >= fp32->second);
    if (usable) {
      Peak result{peak->first, peak->second, ""};
      if (!first)
        result.warning = fmt::format("{} has no fast {}: computed in {}", gpu.name, precision.name, peak->first);
      return result;
    }
    first = false;
  }
  return base::NotFound("precision", fmt::format("{} has no peak for {}", gpu.name, precision.name),
                        "PRECISION_NOT_AVAILABLE");
}

}  // namespace planner::hardware
