#include "core/perf/machine.h"

#include <algorithm>
#include <cmath>

#include "core/base/status_macros.h"

namespace planner::perf {
namespace {

double PeakOr(const hardware::GpuType& gpu, const char* precision, double fallback) {
  const auto found = gpu.peak_flops.find(precision);
  return found != gpu.peak_flops.end() ? found->second : fallback;
}

/// Share of the clock that the power limit leaves.
double Clock(const hardware::GpuType& gpu, double peak16, const FamilyConstants& family, double exponent) {
  if (!(gpu.power_watts > 0) || !(family.watts_per_teraflop > 0) || !(peak16 > 0)) return 1;
  const double ratio = gpu.power_watts / (peak16 / 1e12) / family.watts_per_teraflop;
  return ratio < 1 ? std::pow(ratio, exponent) : 1;
}

}  // namespace

absl::StatusOr<Machine> MakeMachine(const hardware::GpuType& gpu, const hardware::Precision& precision,
                                    const StepTimeConstants& constants, const MachineOptions& options) {
  ASSIGN_OR_RETURN(const hardware::Peak peak, hardware::PeakFor(gpu, precision));
  const FamilyConstants& family = constants.Family(gpu.architecture);
  const double peak16 = std::max(PeakOr(gpu, "bf16", 0), PeakOr(gpu, "fp16", 0));
  const double clock = Clock(gpu, peak16, family, constants.shared.power);

  Machine machine;
  const bool narrow8 = peak.precision == "fp8" || peak.precision == "int8";
  const bool narrow4 = peak.precision == "fp4";
  const bool half = peak.precision == "bf16" || peak.precision == "fp16";
  const double share = narrow4   ? family.matmul_4bit
                       : narrow8 ? family.matmul_8bit
                       : half    ? family.matmul_16bit
                                 : family.matmul_32bit;
  machine.matmul = peak.flops_per_second * share * clock;
  machine.casts = narrow4 || narrow8;
  machine.head_matmul = machine.casts && peak16 > 0 ? peak16 * family.matmul_16bit * clock : machine.matmul;
  machine.grouped_matmul = machine.matmul * family.grouped_matmul;
  machine.attention = (half || machine.casts) && peak16 > 0 ? peak16 * family.attention * clock
                                                            : peak.flops_per_second * family.attention * clock;
  machine.memory = std::max(gpu.memory_bandwidth, 1e9) * family.memory;
  const double network = options.network_bandwidth.value_or(gpu.network_bandwidth);
  constexpr double kOwnPort = 100e9 / 8;  // The slowest port that a card of its own has had since Volta.
  machine.network = std::max(network, 1e8) * family.network * (network < kOwnPort ? constants.shared.shared_port : 1);
  machine.link = std::max(gpu.link_bandwidth, 1e9) * family.link;
  // A run's node says how many cards share a host, not where a larger domain (NVL72, TPU pods) ends.
  const double node = options.node_gpus.value_or(gpu.gpus_per_node);
  machine.domain =
      std::max(1.0, gpu.scale_up_domain > gpu.gpus_per_node ? std::max(node, 1.0 * gpu.scale_up_domain) : node);
  machine.units = family.compute_units;
  machine.link_latency = constants.shared.link_latency_us * 1e-6;
  machine.network_latency = constants.shared.network_latency_us * 1e-6;
  machine.element_bytes = precision.activation_bytes > 0 ? precision.activation_bytes : 2;
  return machine;
}

}  // namespace planner::perf
