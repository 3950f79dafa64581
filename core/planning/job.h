#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "core/model/description.h"
#include "core/parallel/layout.h"

namespace planner::planning {

enum class Goal { kUnspecified, kFastest, kCheapest, kFewest };
enum class Finetune { kFull, kLora, kQlora };

/// A validated job. What the caller left out is absent here too; the planner writes the default
/// into the explanation.
struct JobSpec {
  model::ModelDescription model;
  // Data. At most one of token_count and sample_count.
  std::optional<double> token_count;
  std::optional<double> sample_count;
  double epoch_count = 1;
  std::optional<int64_t> seq_len;
  std::vector<model::TensorInput> inputs;  ///< As model::BatchShape::inputs.
  // Training.
  std::optional<int64_t> global_batch;
  std::string precision;  ///< Empty: bf16, or the best that the card has.
  std::string optimizer;  ///< Empty: adam.
  Finetune finetune = Finetune::kFull;
  std::optional<int64_t> lora_rank;  ///< Absent: kDefaultLoraRank. Means something with adapters only.
  std::string framework;  ///< Empty: unknown.
  bool flash_attention = true;
  parallel::LayoutConstraints layout;
  // Limits.
  std::optional<int64_t> min_gpus, max_gpus;
  std::variant<std::monostate, absl::Duration, absl::Time> deadline;
  std::optional<double> budget;
  absl::Time earliest_start = absl::InfinitePast();  ///< The job does not start before.
  std::string tenant;                                ///< Whose quotas it keeps to; empty: nobody's.
  Goal goal = Goal::kUnspecified;
  // Given utilization; at most one.
  std::optional<double> hardware_flops_ratio;
  std::optional<double> model_flops_ratio;
  bool with_pareto_front = false;
};

}  // namespace planner::planning
