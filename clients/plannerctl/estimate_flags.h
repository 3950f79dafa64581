#pragma once

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "planner/v1/estimate.pb.h"

namespace CLI {
class App;
}

namespace planner::plannerctl {

/// The flags that describe a job, of `estimate` and `plan create`, as they were written; an empty
/// one was not given.
struct EstimateFlags {
  std::string model, assume_architecture;
  std::string tokens, samples, epochs, seq_len;
  std::vector<std::string> inputs;
  std::string global_batch, precision, optimizer, recompute, finetune, lora_rank, framework, attention;
  std::vector<std::string> gpu_types;
  std::string gpus, cluster, deadline, start_after, tenant, budget, price, goal;
  std::string tensor_parallel, pipeline_parallel, virtual_pipeline, data_parallel, context_parallel, expert_parallel,
      sequence_parallel, micro_batch, zero_stage, shard_group;
  std::string utilization, mfu;
  std::string mode, prompt_len, output_len, batch, kv_precision;  ///< Of inference but for mode; of `estimate` alone.
};

/// Adds the flags to a command. `flags` must outlive the parsing.
void AddEstimateFlags(CLI::App& command, EstimateFlags& flags);

/// Adds those of serving a model: --mode, --prompt-len and so on.
void AddInferenceFlags(CLI::App& command, EstimateFlags& flags);

/// The request that the flags mean. INVALID_ARGUMENT with the flag's name; ranges are the server's
/// to check.
absl::StatusOr<v1::EstimateRequest> BuildEstimateRequest(const EstimateFlags& flags, std::istream& standard_input);

}  // namespace planner::plannerctl
