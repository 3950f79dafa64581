#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/cluster/snapshot.h"
#include "core/counting/counter.h"
#include "core/model/description.h"
#include "core/parallel/inference_memory.h"
#include "core/perf/inference_time.h"

namespace planner::planning {

/// A model to serve. Lengths are tokens.
struct InferenceJob {
  model::ModelDescription model;
  int64_t prompt = 1024;
  int64_t output = 256;
  int64_t batch = 1;
  std::string precision;        ///< Of the weights; empty: bf16.
  std::string cache_precision;  ///< Of cached keys and values; empty: bf16.
  std::optional<int64_t> tensor_parallel;
  std::optional<int64_t> min_gpus, max_gpus;
};

/// The model on one tensor-parallel group of cards.
struct InferenceOption {
  std::string gpu_type, cluster, node_pool;
  int64_t gpu_count = 1;
  parallel::InferenceMemory memory;  ///< Of each card.
  int64_t capacity_bytes = 0;
  double cache_bytes_per_token = 0;     ///< On all cards; of a long sequence the mean, where windows end.
  double state_bytes_per_sequence = 0;  ///< On all cards.
  int64_t batch = 1;
  int64_t max_batch = 1;
  double prefill_seconds = 0;  ///< Of one prompt.
  perf::DecodeTime decode;     ///< A step of `batch` sequences in the middle of their outputs.
  double tokens_per_second = 0;
  perf::DecodeTime max_batch_decode;
  double max_batch_tokens_per_second = 0;
  std::string limited_by;
  double cost_per_million_tokens = 0;  ///< At max_batch; 0 where `currency` is empty.
  std::string currency;
  std::vector<std::string> explanation;
};

struct InferencePlan {
  double prompt_flops = 0;  ///< Of one prompt.
  int64_t parameters = 0;
  int64_t active_parameters = 0;
  std::vector<InferenceOption> options;  ///< By pool; of a pool by rising cards.
  std::vector<std::string> infeasible_reasons;
  std::vector<std::string> warnings;
  std::string counter, counter_version;
  absl::Time snapshot_time;
  std::vector<std::string> snapshot_sources;
};

/// For every pool the fewest cards that hold the weights and the batch, and twice, four and eight times as many as long as the fast link
/// joins them and the model's heads can be shared out. Times: prefill as the forward pass of the step-time model, decode as
/// perf::DecodeSeconds. INVALID_ARGUMENT at the field for what is not served token by token; NOT_FOUND where a card has no peak for the
/// precision is an infeasible reason of its pool. Deterministic, safe for concurrent use.
absl::StatusOr<InferencePlan> PlanInference(const InferenceJob& job, const counting::Counter& counter,
                                            const cluster::Snapshot& snapshot,
                                            absl::Time deadline = absl::InfiniteFuture(),
                                            const base::Cancellation& cancelled = {});

}  // namespace planner::planning
