#include "core/planning/framework.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/error.h"
#include "fmt/format.h"

namespace planner::planning {
namespace {

/// DDP's ZeroRedundancyOptimizer shards the optimizer, and nothing beyond it.
constexpr std::array<Framework, 10> kFrameworks = {{
    {.name = "megatron-core", .shards_in_pipelines = false},
    {.name = "megatron-lm", .shards_in_pipelines = false},
    {.name = "megatron-deepspeed", .interleaves = false, .shards_in_pipelines = false, .splits_sequences_alone = true},
    {.name = "deepspeed", .interleaves = false, .shards_in_pipelines = false, .splits_sequences_alone = true},
    {.name = "fsdp", .data_parallel_by_default = true, .default_zero_stage = 3},
    {.name = "torchtitan"},
    {.name = "ddp",
     .data_parallel_by_default = true,
     .data_parallel_only = true,
     .default_zero_stage = 0,
     .most_zero_stage = 1},
    {.name = "internevo"},
    {.name = "jax"},
    {.name = "single"},
}};

absl::Status Contradiction(std::string_view field, std::string_view framework, std::string_view degree, int64_t value) {
  return base::InvalidField(
      field, fmt::format("contradicts training.framework {}, which has no {}: value={}", framework, degree, value),
      "FRAMEWORK_CONTRADICTED");
}

/// That the caller fixed; 0 where it is open.
int ZeroStage(const parallel::LayoutConstraints& fixed) { return fixed.zero_stage.value_or(fixed.shard_group ? 3 : 0); }

}  // namespace

std::span<const Framework> Frameworks() { return kFrameworks; }

const Framework* FindFramework(std::string_view name) {
  const auto* it = std::find_if(kFrameworks.begin(), kFrameworks.end(),
                                [name](const Framework& framework) { return framework.name == name; });
  return it == kFrameworks.end() ? nullptr : it;
}

absl::Status CheckFramework(std::string_view name, const parallel::LayoutConstraints& fixed) {
  const Framework* framework = FindFramework(name);
  if (framework == nullptr) return absl::OkStatus();
  if (const int zero = ZeroStage(fixed); zero > framework->most_zero_stage) {
    return Contradiction("layout.zero_stage", name, "ZeRO stage above " + std::to_string(framework->most_zero_stage),
                         zero);
  }
  if (!framework->interleaves && fixed.virtual_pipeline.value_or(1) > 1)
    return Contradiction("layout.virtual_pipeline", name, "interleaved pipelines", *fixed.virtual_pipeline);
  const int zero = ZeroStage(fixed);
  if (!framework->shards_in_pipelines && zero >= 2 && fixed.pipeline_parallel.value_or(1) > 1)
    return Contradiction("layout.pipeline_parallel", name, fmt::format("pipelines with ZeRO-{}", zero), *fixed.pipeline_parallel);
  if (framework->splits_sequences_alone && fixed.context_parallel.value_or(1) > 1 &&
      std::max(fixed.tensor_parallel.value_or(1), fixed.pipeline_parallel.value_or(1)) > 1) {
    return Contradiction("layout.context_parallel", name, "context parallelism beside tensor or pipeline parallelism",
                         *fixed.context_parallel);
  }
  if (!framework->data_parallel_only) return absl::OkStatus();
  struct Degree {
    const char* field;
    const char* name;
    const std::optional<int64_t>& value;
  };
  const std::array<Degree, 5> degrees = {{{"layout.tensor_parallel", "tensor parallelism", fixed.tensor_parallel},
                                          {"layout.pipeline_parallel", "pipeline parallelism", fixed.pipeline_parallel},
                                          {"layout.virtual_pipeline", "virtual pipeline", fixed.virtual_pipeline},
                                          {"layout.context_parallel", "context parallelism", fixed.context_parallel},
                                          {"layout.expert_parallel", "expert parallelism", fixed.expert_parallel}}};
  for (const Degree& degree : degrees) {
    if (degree.value.value_or(1) > 1) return Contradiction(degree.field, name, degree.name, *degree.value);
  }
  return absl::OkStatus();
}

void ApplyFramework(std::string_view name, parallel::LayoutConstraints& fixed, std::vector<std::string>& explanation,
                    std::vector<std::string>& warnings) {
  if (name.empty()) return;
  const Framework* framework = FindFramework(name);
  if (framework == nullptr) {
    std::string known;
    for (const Framework& one : kFrameworks) known += fmt::format("{}{}", known.empty() ? "" : ", ", one.name);
    warnings.push_back(fmt::format("training.framework \"{}\" is not known, and nothing is taken from it; known: {}",
                                   name.substr(0, 60), known));
    return;
  }
  std::string taken;
  const auto take = [&](auto& slot, auto value, const char* what) {
    if (slot) return;
    slot = value;
    taken += fmt::format("{}{} {}", taken.empty() ? "" : ", ", what, value);
  };
  if (framework->data_parallel_by_default) {
    take(fixed.tensor_parallel, 1, "tensor parallel");
    take(fixed.pipeline_parallel, 1, "pipeline parallel");
    take(fixed.context_parallel, 1, "context parallel");
  }
  if (framework->data_parallel_only) take(fixed.expert_parallel, 1, "expert parallel");
  if (!framework->interleaves) take(fixed.virtual_pipeline, 1, "virtual pipeline");
  if (!framework->shards_in_pipelines && ZeroStage(fixed) >= 2) take(fixed.pipeline_parallel, 1, "pipeline parallel");
  if (framework->splits_sequences_alone) {
    if (fixed.context_parallel.value_or(1) > 1) {
      take(fixed.tensor_parallel, 1, "tensor parallel");
      take(fixed.pipeline_parallel, 1, "pipeline parallel");
    } else {
      take(fixed.context_parallel, 1, "context parallel");
    }
  }
  if (framework->default_zero_stage) take(fixed.zero_stage, *framework->default_zero_stage, "ZeRO stage");
  if (!taken.empty()) explanation.push_back(fmt::format("Framework {}: {}.", name, taken));
}

parallel::MemoryHabits MemoryHabitsOf(std::string_view name) {
  constexpr double kMostLiveParameters = 1e9;
  constexpr double kMostReducedParameters = 5e8;
  parallel::MemoryHabits habits;
  if (name == "deepspeed" || name == "megatron-deepspeed") {
    habits.shards_master_weights = false;
    habits.most_live_parameters = kMostLiveParameters;
    habits.most_reduced_parameters = kMostReducedParameters;
  }
  if (name == "megatron-deepspeed") {
    habits.gradient_bytes = 2;
    habits.gradient_copy_bytes = 4;
    habits.gradient_part_bytes = 2;
    // Its cross-entropy: 16-bit logits, their fp32 copy, the exponentials, and the 16-bit gradient.
    habits.logit_bytes = 2 + 4 + 4 + 2;
    habits.allocator_fraction = 0.08;
    habits.score_gradient_bytes = 3;
    habits.checkpoints_on_host = true;
  } else if (name == "single") {
    habits.updates_in_backward = true;
    habits.logit_bytes = 1;            // The loss is computed in chunks.
    habits.context_bytes = 256 << 20;  // Such tables print what PyTorch has reserved, without the driver's context.
    habits.unfused_blocks = true;
  } else if (name == "fsdp") {
    habits.selective_share = 0.4;
  } else if (name == "jax") {
    habits.logit_bytes = 2;  // XLA joins the loss to the product of the logits.
  } else if (name == "torchtitan") {
    habits.selective_share = 0.4;
    // The loss of eager PyTorch: logits, their fp32 copy, its log-softmax and the gradient.
    habits.logit_bytes = 2 + 4 + 4 + 4;
  }
  return habits;
}

}  // namespace planner::planning
