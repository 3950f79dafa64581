#pragma once

#include <cstdint>
#include <optional>

#include "core/perf/layout.h"

namespace planner::parallel {

using perf::Layout;
using perf::Recompute;

/// The degrees that the caller fixed; absent ones are searched.
struct LayoutConstraints {
  std::optional<int64_t> data_parallel, tensor_parallel, pipeline_parallel, virtual_pipeline, context_parallel,
      expert_parallel, micro_batch_size;
  std::optional<int> zero_stage;
  std::optional<int64_t> shard_group;  ///< Of ZeRO-3; 0: all replicas.
  std::optional<bool> sequence_parallel;
  std::optional<Recompute> recompute;
};

/// Peak bytes on the fullest card.
struct MemoryPerGpu {
  int64_t parameter_bytes = 0;
  int64_t gradient_bytes = 0;
  int64_t optimizer_bytes = 0;
  int64_t activation_bytes = 0;
  int64_t overhead_bytes = 0;  ///< Context, communication buffers, allocator.
  int64_t total_bytes() const {
    return parameter_bytes + gradient_bytes + optimizer_bytes + activation_bytes + overhead_bytes;
  }
};

}  // namespace planner::parallel
