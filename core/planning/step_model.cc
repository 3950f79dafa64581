#include "core/planning/step_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "core/base/status_macros.h"

namespace planner::planning {

StepModel::StepModel(const Workload& work, const perf::Machine& machine, const perf::SharedConstants& shared)
    : job_(*work.step_job),
      sharded_job_(*work.step_job),
      scale_(work.step_scale),
      machine_(machine),
      shared_(shared),
      fastest_flops_(std::max({machine.matmul, machine.head_matmul, machine.grouped_matmul, machine.attention})) {}

absl::StatusOr<StepModel> StepModel::Make(const Workload& work, const cluster::Pool& pool,
                                          const perf::StepTimeConstants& constants) {
  perf::MachineOptions options;
  options.node_gpus = pool.gpus_per_node;
  ASSIGN_OR_RETURN(const perf::Machine machine, perf::MakeMachine(pool.gpu, *work.precision, constants, options));
  StepModel model(work, machine, constants.shared);
  const std::string_view plain = work.framework.empty() ? perf::kTypicalFramework : work.framework;
  const std::string_view sharded = work.framework.empty() ? std::string_view("fsdp") : work.framework;
  model.job_.framework = constants.Framework(plain);
  model.sharded_job_.framework = constants.Framework(sharded);
  const double parameters = work.memory.parameters;
  model.width_ = constants.HalfWidth(plain, pool.gpu.architecture, parameters);
  // Who names no framework may mean any.
  model.sharded_width_ = work.framework.empty() ? model.width_ : constants.HalfWidth(sharded, pool.gpu.architecture, parameters);
  return model;
}

const perf::MicroBatchTime& StepModel::MicroBatch(const parallel::Layout& layout) {
  const Key key{layout.tensor_parallel, layout.context_parallel, layout.expert_parallel, layout.expert_tensor(),
                layout.micro_batch_size, layout.sequence_parallel, Sharded(layout)};
  const auto hash = static_cast<uint64_t>(key.tensor + 37 * key.expert + 257 * key.micro_batch + 71 * key.context +
                                          (key.sharded ? 512 : 0));
  uint32_t& seen = seen_[hash % seen_.size()];
  if (seen > 0 && entries_[seen - 1].key == key) return entries_[seen - 1].time;
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& one) { return one.key == key; });
  seen = static_cast<uint32_t>(found - entries_.begin()) + 1;
  if (found == entries_.end())
    entries_.push_back({key, perf::EstimateMicroBatch(JobOf(layout), machine_, shared_, layout)});
  return entries_[seen - 1].time;
}

perf::StepTime StepModel::Time(const parallel::BatchedLayout& batched) {
  const perf::StepTime step =
      perf::EstimateStepTime(JobOf(batched.layout), machine_, shared_, batched.layout, static_cast<double>(batched.micro_batches),
                             MicroBatch(batched.layout));
  return scale_ == 1 ? step : step * scale_;
}

double StepModel::LeastSeconds(const parallel::BatchedLayout& batched) {
  return scale_ * perf::LeastStepSeconds(JobOf(batched.layout), machine_, shared_, batched.layout,
                                         static_cast<double>(batched.micro_batches), MicroBatch(batched.layout));
}

/// The least over the expert degrees, sharded by data alone or not.
double StepModel::BlockSecondsPerSample(parallel::Layout layout, const parallel::LayoutSpace& space, int64_t micro_batch) {
  double least = std::numeric_limits<double>::infinity();
  layout.micro_batch_size = micro_batch;
  for (const int zero_stage : {1, 3}) {
    layout.zero_stage = zero_stage;
    for (const int64_t expert : space.expert_degrees) {
      layout.expert_parallel = expert;
      const perf::BlockTimes& block = MicroBatch(layout).block;
      least = std::min(least, block.forward.total() + block.backward.total());
    }
  }
  return least / static_cast<double>(micro_batch);
}

double StepModel::LeastBlockSeconds(const parallel::Layout& layout, const parallel::LayoutSpace& space) {
  if (space.fixed.micro_batch_size) return BlockSecondsPerSample(layout, space, *space.fixed.micro_batch_size);
  const auto known = std::find_if(least_.begin(), least_.end(), [&](const Least& one) {
    return one.tensor == layout.tensor_parallel && one.context == layout.context_parallel;
  });
  double seconds = known == least_.end() ? std::numeric_limits<double>::infinity() : known->block_seconds;
  if (known == least_.end()) {
    for (int64_t size = 1; size <= space.most_micro_batch(); size *= 2)
      seconds = std::min(seconds, BlockSecondsPerSample(layout, space, size));
    least_.push_back({layout.tensor_parallel, layout.context_parallel, seconds});
  }
  const int64_t share = space.SamplesPerRank(layout.data_parallel);
  if (share <= space.most_micro_batch() && !std::has_single_bit(static_cast<uint64_t>(share)))
    seconds = std::min(seconds, BlockSecondsPerSample(layout, space, share));
  return seconds;
}

double StepModel::LeastSampleSeconds(const parallel::BatchedLayout& split, const parallel::LayoutSpace& space) {
  const auto stages = static_cast<double>(split.layout.pipeline_parallel);
  const auto layers = static_cast<double>(space.most_stages());
  const double most = std::ceil(layers / stages);
  // The bubble of the most chunks and the most microbatches, of one sample each.
  const double bubble = (layers - most) / (most * static_cast<double>(split.micro_batches));
  return scale_ * LeastBlockSeconds(split.layout, space) * (most + bubble) / static_cast<double>(split.layout.data_parallel);
}

}  // namespace planner::planning
