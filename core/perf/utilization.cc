#include "core/perf/utilization.h"

#include <algorithm>
#include <array>

#include "fmt/format.h"

namespace planner::perf {
namespace {

struct Default {
  std::string_view architecture;
  std::string_view precision;  ///< Peak that is used; empty: any.
  double ratio;
};

// Half of the median of published transformers of at most 0.5B parameters, rounded; the first row that matches holds. 8- and 4-bit peaks are
// twice and four times as high, and less of them is reached; vector units (fp32 without tensor cores) are easier to fill. ResNet-50 in 16 bits
// is published at 2,470 images a second on an A100, which is 0.19. Without published runs behind them: Ada, Turing, Pascal, CDNA4, Gaudi,
// DaVinci, NeuronCore, and every fp4 row.
constexpr std::array kDefaults = {
    Default{"Ampere", "fp32", 0.28},   Default{"Ampere", "", 0.20},
    Default{"Hopper", "fp8", 0.14},    Default{"Hopper", "fp32", 0.28},
    Default{"Hopper", "", 0.18},       Default{"Blackwell Ultra", "fp8", 0.14},
    Default{"Blackwell", "fp8", 0.13}, Default{"Blackwell Ultra", "fp4", 0.08},
    Default{"Blackwell", "fp4", 0.08}, Default{"Blackwell Ultra", "", 0.18},
    Default{"Blackwell", "", 0.18},    Default{"Ada", "", 0.18},
    Default{"Volta", "fp32", 0.28},    Default{"Volta", "", 0.18},
    Default{"Turing", "", 0.15},       Default{"Pascal", "", 0.25},
    Default{"CDNA2", "", 0.15},        Default{"CDNA3", "", 0.09},
    Default{"CDNA4", "", 0.12},        Default{"Gaudi2", "", 0.18},
    Default{"Gaudi3", "", 0.16},       Default{"TPU", "", 0.23},
    Default{"Trillium", "", 0.18},     Default{"Ironwood", "", 0.18},
    Default{"DaVinci", "", 0.15},      Default{"NeuronCore-v3", "", 0.13},
};
/// Accelerators that no row knows: a site's own type.
constexpr Default kUnknown = {"", "", 0.15};

/// A card whose node is joined by less than this (or only in pairs) waits for its collectives: PCIe boxes and consumer
/// cards.
constexpr double kFastLinkBytesPerSecond = 100e9;
constexpr double kSlowLinkFactor = 0.8;

constexpr double kSpreadLow = 0.3;
constexpr double kSpreadHigh = 1.8;
constexpr double kCeiling = 0.95;  ///< Nothing reaches its dense peak.

}  // namespace

Utilization DefaultUtilization(const hardware::GpuType& gpu, std::string_view peak_precision) {
  const auto* const row = std::find_if(kDefaults.begin(), kDefaults.end(), [&](const Default& candidate) {
    return candidate.architecture == gpu.architecture &&
           (candidate.precision.empty() || candidate.precision == peak_precision);
  });
  const Default& found = row == kDefaults.end() ? kUnknown : *row;

  Utilization result;
  result.ratio = found.ratio;
  const bool slow_link =
      gpu.link_bandwidth < kFastLinkBytesPerSecond || gpu.scale_up_domain < std::min(gpu.gpus_per_node, 4);
  if (slow_link) result.ratio *= kSlowLinkFactor;
  result.low = result.ratio * kSpreadLow;
  result.high = std::min(result.ratio * kSpreadHigh, kCeiling);
  result.source =
      fmt::format("written default for models other than transformers on {}, {}{}",
                  found.architecture.empty() ? "an architecture without published runs" : found.architecture,
                  peak_precision, slow_link ? ", slow links" : "");
  return result;
}

}  // namespace planner::perf
