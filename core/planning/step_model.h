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
  /// `framework`: JobSpec::framework; empty: fsdp for layouts that shard by data alone (ZeRO-3), megatron-core for others.
  /// `options` is what the cluster says of its network and nodes. Absent for models without a transformer's shape, whose
  /// time is told from FLOPs and bytes (perf::CountedUtilization). Errors as perf::MakeMachine. `constants` are borrowed.
  static absl::StatusOr<std::optional<StepModel>> Create(
      const Workload& work, const hardware::GpuType& gpu, std::string_view framework,
      const perf::MachineOptions& options = {},
      const perf::StepTimeConstants& constants = perf::BuiltInStepTimeConstants());

  /// Terms of one step. No allocation; safe for concurrent use.
  perf::StepTime Step(const perf::Layout& layout, double micro_batches) const;
  /// Half of the 90 % interval's width, of the logarithm: from time / exp(w) to time x exp(w).
  double HalfWidth(const perf::Layout& layout) const { return Sharded(layout) ? sharded_width_ : width_; }

 private:
  StepModel() = default;
  bool Sharded(const perf::Layout& layout) const { return layout.zero_stage >= 3; }

  perf::StepJob job_;          ///< With the framework of layouts that are not sharded by data alone.
  perf::StepJob sharded_job_;  ///< With that of those that are.
  perf::Machine machine_;
  const perf::SharedConstants* shared_ = nullptr;
  double width_ = 0;
  double sharded_width_ = 0;
};

}  // namespace planner::planning
