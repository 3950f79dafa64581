#include "core/perf/utilization.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "fmt/format.h"

namespace planner::perf {
namespace {

/// Sizes that the table has figures for. Between them a ratio is interpolated over the logarithm of the size, so that it has no step
/// at which a larger model would be the faster one; beyond them it stays.
constexpr double kSmall = 0.5e9;
constexpr double kMedium = 5e9;
constexpr double kLarge = 50e9;

struct Default {
  std::string_view architecture;
  std::string_view precision;      ///< Peak that is used; empty: any.
  double small, medium, large;     ///< At kSmall, kMedium and kLarge active parameters.
  double spread_low, spread_high;  ///< Interval: ratio x these; 5th to 95th percentile, rounded.
};

// Medians of published pretraining runs (hardware FLOPs, attention in full), rounded; the first row that matches holds.
// - Ampere, 16 bits: LLaMA 7B to 65B 0.47 to 0.55, llm-foundry 0.39 to 0.60, Megatron (SC21, K22) 0.42 to 0.57, others
//   0.45 to 0.68; below 1B parameters kernels are too small to fill the card.
// - Hopper: llm-foundry 0.35 to 0.59 in bf16; NeMo, Megatron-Bridge 0.19 to 0.47 of the fp8 peak.
// - Blackwell: Megatron-Bridge 0.34 (B200), 0.36 (GB200) and 0.43 (GB300) of the fp8 peak; bf16 has few runs: Hopper's
//   figures.
// - Volta: 0.24 to 0.45. CDNA2: 0.32 to 0.38. CDNA3: 0.16 to 0.21. TPU v4 to v5p: 0.46 to 0.70. Trillium: 0.35 to 0.50.
//   Ironwood: 0.44.
// - Estimates without published runs behind them, with wide spreads: Ada, Turing, Pascal, CDNA4, Gaudi, DaVinci,
//   NeuronCore, every fp4 row, and fp32 without tensor cores, whose vector units are easier to fill.
// The spread is of runs whose layout somebody chose; sweeps over all layouts (vTrain's) contain far slower ones.
constexpr std::array kDefaults = {
    Default{"Ampere", "fp32", 0.55, 0.60, 0.60, 0.60, 1.30},
    Default{"Ampere", "", 0.40, 0.50, 0.50, 0.62, 1.30},
    Default{"Hopper", "fp8", 0.27, 0.34, 0.36, 0.55, 1.30},
    Default{"Hopper", "fp32", 0.55, 0.60, 0.60, 0.60, 1.30},
    Default{"Hopper", "", 0.35, 0.42, 0.44, 0.70, 1.32},
    Default{"Blackwell Ultra", "fp8", 0.28, 0.36, 0.40, 0.40, 1.30},
    Default{"Blackwell", "fp8", 0.26, 0.34, 0.35, 0.50, 1.30},
    Default{"Blackwell Ultra", "fp4", 0.16, 0.20, 0.25, 0.40, 1.60},
    Default{"Blackwell", "fp4", 0.16, 0.20, 0.25, 0.40, 1.60},
    Default{"Blackwell Ultra", "", 0.35, 0.42, 0.45, 0.60, 1.40},
    Default{"Blackwell", "", 0.35, 0.42, 0.45, 0.60, 1.50},
    Default{"Ada", "", 0.35, 0.42, 0.42, 0.50, 1.50},
    Default{"Volta", "fp32", 0.55, 0.60, 0.60, 0.60, 1.30},
    Default{"Volta", "", 0.35, 0.38, 0.40, 0.50, 1.45},
    Default{"Turing", "", 0.30, 0.35, 0.35, 0.50, 1.50},
    Default{"Pascal", "", 0.50, 0.55, 0.55, 0.60, 1.40},
    Default{"CDNA2", "", 0.30, 0.36, 0.36, 0.60, 1.30},
    Default{"CDNA3", "", 0.18, 0.22, 0.24, 0.60, 1.70},
    Default{"CDNA4", "", 0.24, 0.30, 0.32, 0.50, 1.45},
    Default{"Gaudi2", "", 0.35, 0.42, 0.45, 0.60, 1.40},
    Default{"Gaudi3", "", 0.32, 0.38, 0.40, 0.50, 1.50},
    Default{"TPU", "", 0.45, 0.55, 0.57, 0.75, 1.25},
    Default{"Trillium", "", 0.35, 0.42, 0.44, 0.70, 1.30},
    Default{"Ironwood", "", 0.35, 0.42, 0.44, 0.50, 1.30},
    Default{"DaVinci", "", 0.30, 0.38, 0.40, 0.50, 1.50},
    Default{"NeuronCore-v3", "", 0.25, 0.33, 0.35, 0.50, 1.50},
};
/// Accelerators that no row knows: a site's own type.
constexpr Default kUnknown = {"", "", 0.30, 0.35, 0.38, 0.40, 1.60};

/// A card whose node is joined by less than this (or only in pairs) waits for its collectives: PCIe boxes and consumer
/// cards.
constexpr double kFastLinkBytesPerSecond = 100e9;
constexpr double kSlowLinkFactor = 0.8;

/// Published mixtures of experts reach about half of the dense models' ratio on the same cards (H100 bf16 0.24 to 0.40,
/// GB200 fp8 0.17 to 0.36, TPU v7 0.26 to 0.44; on TPU v5p 0.8).
constexpr double kExpertsFactor = 0.6;

/// Convolutional networks wait for memory more than for products: half of a transformer's ratio, 0.25 on an A100. An
/// estimate, with a spread to match.
constexpr double kOtherFactor = 0.5;
constexpr double kOtherSpreadLow = 0.3;
constexpr double kOtherSpreadHigh = 1.8;

constexpr double kCeiling = 0.95;  ///< Nothing reaches its dense peak.

double RatioAt(const Default& row, double parameters) {
  const auto between = [parameters](double from, double to, double size_from, double size_to) {
    return std::lerp(from, to, std::log(parameters / size_from) / std::log(size_to / size_from));
  };
  if (parameters <= kSmall) return row.small;
  if (parameters <= kMedium) return between(row.small, row.medium, kSmall, kMedium);
  if (parameters <= kLarge) return between(row.medium, row.large, kMedium, kLarge);
  return row.large;
}

}  // namespace

Utilization DefaultUtilization(const hardware::GpuType& gpu, std::string_view peak_precision, WorkKind kind,
                               double parameters) {
  const auto row = std::find_if(kDefaults.begin(), kDefaults.end(), [&](const Default& candidate) {
    return candidate.architecture == gpu.architecture &&
           (candidate.precision.empty() || candidate.precision == peak_precision);
  });
  const Default& found = row == kDefaults.end() ? kUnknown : *row;

  Utilization result;
  result.ratio = RatioAt(found, parameters);
  double spread_low = found.spread_low;
  double spread_high = found.spread_high;
  std::string_view work = "dense models";
  if (kind == WorkKind::kExperts) {
    result.ratio *= kExpertsFactor;
    spread_low *= 0.8;
    work = "mixtures of experts";
  } else if (kind == WorkKind::kOther) {
    result.ratio *= kOtherFactor;
    spread_low = kOtherSpreadLow;
    spread_high = kOtherSpreadHigh;
    work = "models other than transformers";
  }
  const bool slow_link =
      gpu.link_bandwidth < kFastLinkBytesPerSecond || gpu.scale_up_domain < std::min(gpu.gpus_per_node, 4);
  if (slow_link) result.ratio *= kSlowLinkFactor;
  result.low = result.ratio * spread_low;
  result.high = std::min(result.ratio * spread_high, kCeiling);
  result.source =
      fmt::format("written default for {} on {}, {:.3g}B active parameters, {}{}", work,
                  found.architecture.empty() ? "an architecture without published runs" : found.architecture,
                  parameters / 1e9, peak_precision, slow_link ? ", slow links" : "");
  return result;
}

}  // namespace planner::perf
