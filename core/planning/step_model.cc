#include "core/planning/step_model.h"

#include <algorithm>

#include "core/base/status_macros.h"

namespace planner::planning {

StepModel::StepModel(const Workload& work, const perf::Machine& machine, const perf::SharedConstants& shared)
    : job_(*work.step_job),
      scale_(work.step_scale),
      machine_(machine),
      shared_(shared),
      fastest_flops_(std::max({machine.matmul, machine.head_matmul, machine.grouped_matmul, machine.attention})) {}

absl::StatusOr<StepModel> StepModel::Make(const Workload& work, const cluster::Pool& pool,
                                          const perf::StepTimeConstants& constants) {
  perf::MachineOptions options;
  options.node_gpus = pool.gpus_per_node;
  ASSIGN_OR_RETURN(const perf::Machine machine, perf::MakeMachine(pool.gpu, *work.precision, constants, options));
  return StepModel(work, machine, constants.shared);
}

perf::StepTime StepModel::Time(const parallel::BatchedLayout& batched) {
  const parallel::Layout& layout = batched.layout;
  const Key key{layout.tensor_parallel, layout.context_parallel, layout.expert_parallel, layout.micro_batch_size,
                layout.sequence_parallel};
  auto entry = std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& one) { return one.key == key; });
  if (entry == entries_.rend()) {
    entries_.push_back({key, perf::EstimateMicroBatch(job_, machine_, shared_, layout)});
    entry = entries_.rbegin();
  }
  perf::StepTime step = perf::EstimateStepTime(job_, machine_, shared_, layout, static_cast<double>(batched.micro_batches),
                                               entry->time);
  return scale_ == 1 ? step : step * scale_;
}

}  // namespace planner::planning
