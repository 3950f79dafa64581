#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/parallel/layout.h"
#include "core/parallel/memory.h"

namespace planner::planning {

/// What the name of a training framework says of the layout.
struct Framework {
  std::string_view name;
  /// Degrees that are not given are 1: the framework's usual use is data parallelism alone.
  bool data_parallel_by_default = false;
  /// It has no other parallelism at all.
  bool data_parallel_only = false;
  std::optional<int> default_zero_stage;
  int most_zero_stage = 3;
  bool interleaves = true;            ///< It has interleaved pipelines.
  bool shards_in_pipelines = true;    ///< ZeRO-2 and ZeRO-3 go with a pipeline.
  bool splits_sequences_alone = false;  ///< Context parallelism goes with neither tensor nor pipeline parallelism.
};

/// All that are known, in the order in which errors list them.
std::span<const Framework> Frameworks();

/// Null for a name that is not known, and for an empty one.
const Framework* FindFramework(std::string_view name);

/// INVALID_ARGUMENT at the degree that the framework does not have: tensor parallel 2 with ddp. Unknown frameworks have
/// everything.
absl::Status CheckFramework(std::string_view name, const parallel::LayoutConstraints& fixed);

/// Fixes what the framework's name says of the layout and the caller left open, and explains it. An unknown name is a
/// warning that lists the known ones.
void ApplyFramework(std::string_view name, parallel::LayoutConstraints& fixed, std::vector<std::string>& explanation,
                    std::vector<std::string>& warnings);

/// What is known of the framework's use of memory; of unknown ones, Megatron-core's and FSDP's.
parallel::MemoryHabits MemoryHabitsOf(std::string_view name);

}  // namespace planner::planning
