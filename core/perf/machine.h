#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "core/hardware/gpu_type.h"
#include "core/hardware/precision.h"
#include "core/perf/step_constants.h"

namespace planner::perf {

/// What a card and its links reach in training at one precision: the catalogue's peaks times the constants of the GPU's
/// family. Worked out once, used for many layouts. Rates are FLOP/s and bytes/s of one card, times seconds.
struct Machine {
  double matmul = 0;       ///< Large aligned products in the precision that is trained in.
  double head_matmul = 0;  ///< Of the logits, which 8- and 4-bit training keeps in 16 bits.
  double grouped_matmul = 0;
  double attention = 0;  ///< Fused attention, in 16 bits (or more).
  double memory = 0;
  double link = 0;     ///< Within the fast domain, one direction.
  double network = 0;  ///< Between nodes, one direction.
  double domain = 8;   ///< Cards that the fast link joins.
  double units = 108;  ///< Tiles that run at once.
  double link_latency = 0;
  double network_latency = 0;
  double element_bytes = 2;  ///< Of an activation.
  bool casts = false;        ///< Products in 8 or 4 bits: their inputs are cast first.
};

/// What a caller knows of the cluster that the GPU type does not say.
struct MachineOptions {
  std::optional<double> network_bandwidth;  ///< Bytes per second of a card.
  std::optional<double> node_gpus;
};

/// Peak x family's share x clock. A card that may draw less power for its peak than its family's reference runs below its
/// clock: (watts per TFLOP/s over the reference's)^power. H100 at 500 W: (500/989.5)/0.7 = 0.72, to the power of 0.35:
/// 0.89. NOT_FOUND where the card has no peak for the precision.
absl::StatusOr<Machine> MakeMachine(const hardware::GpuType& gpu, const hardware::Precision& precision,
                                    const StepTimeConstants& constants, const MachineOptions& options = {});

}  // namespace planner::perf
