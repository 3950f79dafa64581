#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/hardware/gpu_type.h"
#include "core/perf/machine.h"
#include "core/perf/step_time.h"
#include "core/planning/workload.h"

namespace planner::planning {

/// The step-time model of a workload on one kind of card: made once, asked for thousands of layouts.
class StepModel {
 public:
  /// `framework`: JobSpec::framework; empty: fsdp, whose constants rest on the broadest runs and are between those of
  /// Megatron-core and of older programs. `options` is what the cluster says of its network and nodes. Absent for models
  /// without a transformer's shape, whose time is told from FLOPs and bytes (perf::CountedUtilization). Errors as
  /// perf::MakeMachine. `constants` are borrowed.
  static absl::StatusOr<std::optional<StepModel>> Create(
      const Workload& work, const hardware::GpuType& gpu, std::string_view framework,
      const perf::MachineOptions& options = {},
      const perf::StepTimeConstants& constants = perf::BuiltInStepTimeConstants());

  /// Terms of one step. No allocation; safe for concurrent use.
  perf::StepTime Step(const perf::Layout& layout, double micro_batches) const;
  /// Half of the 90 % interval's width, of the logarithm: from time / exp(w) to time x exp(w).
  double half_width() const { return half_width_; }

 private:
  StepModel() = default;

  perf::StepJob job_;
  perf::Machine machine_;
  const perf::SharedConstants* shared_ = nullptr;
  double half_width_ = 0;
};

}  // namespace planner::planning
