#include "core/planning/step_model.h"

#include <string>

#include "core/base/status_macros.h"

namespace planner::planning {

absl::StatusOr<std::optional<StepModel>> StepModel::Create(const Workload& work, const hardware::GpuType& gpu,
                                                           std::string_view framework,
                                                           const perf::MachineOptions& options,
                                                           const perf::StepTimeConstants& constants) {
  if (!work.memory.shape) return std::optional<StepModel>();
  StepModel model;
  ASSIGN_OR_RETURN(model.machine_, perf::MakeMachine(gpu, *work.precision, constants, options));
  model.shared_ = &constants.shared;
  perf::StepJob& job = model.job_;
  job.shape = *work.memory.shape;
  job.positions = work.memory.positions;
  job.recipe = work.memory.recipe;
  job.flash_attention = work.memory.flash_attention;
  // Masked language models tell 15 % of the positions.
  job.logit_share = work.memory.has_logits ? 1 : 0.15;
  job.frozen_base = work.memory.frozen_base;
  job.frozen_bytes = work.memory.frozen_bytes;
  job.adapter_parameters = work.memory.adapter_parameters;
  const std::string_view name = framework.empty() ? "fsdp" : framework;
  job.framework = constants.Framework(name);
  model.half_width_ = constants.HalfWidth(name, gpu.architecture, work.memory.parameters);
  return std::optional<StepModel>(model);
}

perf::StepTime StepModel::Step(const perf::Layout& layout, double micro_batches) const {
  return perf::EstimateStepTime(job_, machine_, *shared_, layout, micro_batches);
}

}  // namespace planner::planning
