#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::planning {

/// One row of a table of measured runs: what is known of a training job, and what was measured of it. Absent: the cell is
/// empty or its column is missing. Numbers are doubles, because nothing here must be exact and nothing may overflow.
struct MeasuredRun {
  int line = 0;  ///< Of the file, where the row begins; the header is line 1.
  std::string id;
  std::string source;
  std::string status;  ///< "ok", "oom", "suspect", "analytic"; empty: ok.
  /// Why the row cannot be read ("column \"tp\": not a number: two"); empty if it can.
  std::string problem;

  // The description: a prediction may use nothing else.
  std::string model;
  std::string gpu_type;
  std::string precision;  ///< "bf16", "fp8", "pure-bf16+nf4"; as printed.
  std::string recompute;  ///< "none", "selective", "full"; empty: unknown.
  std::string task;       ///< "pretrain", "full_ft", "lora", …; empty: pretrain.
  std::string framework;  ///< "megatron-core", "fsdp", …; empty: unknown.
  std::string attention;  ///< "flash", "eager"; empty: unknown.
  std::optional<double> parameters, layers, hidden, ffn_hidden, heads, kv_heads, vocab, seq_len, moe_experts, moe_topk;
  std::optional<bool> gated_mlp;
  std::optional<double> gpus, tensor_parallel, pipeline_parallel, data_parallel, context_parallel, expert_parallel,
      expert_tensor_parallel, virtual_pipeline, micro_batch, global_batch, zero_stage, shard_group;
  std::optional<bool> sequence_parallel;
  std::optional<double> nic_gbps_per_gpu, node_size;

  // What was measured.
  std::optional<double> tokens_total, iteration_seconds, gpu_hours, tokens_per_second_per_gpu, peak_memory;
  std::string memory_unit;  ///< "GiB", or why it is unclear.
};

/// Reads a table of measured runs: comma-separated, quoted where a cell has a comma, a quote or a line break (RFC 4180),
/// columns found by the names of its header, unknown ones ignored. INVALID_ARGUMENT: no header, no "id" column, a quote
/// that is not closed; with the line. A number that cannot be read, and too many or too few cells, are the problem of their
/// row alone (MeasuredRun::problem).
absl::StatusOr<std::vector<MeasuredRun>> ParseMeasuredRuns(std::string_view csv);

/// Measured seconds of one step: `iteration_time_s`; else global_batch x seq_len / (tokens/s/GPU x GPUs); else, of whole
/// runs, GPU hours x 3600 / GPUs / (tokens_total / (global_batch x seq_len)), with 1,024 GPUs where unknown and 4M tokens a
/// step where the batch is unknown. Absent where none can be told. 2,048 x 2,048 tokens at 380 tokens/s on each of 2,048
/// cards: 5.389 s.
std::optional<double> MeasuredStepSeconds(const MeasuredRun& run);

/// Measured peak memory of a card in GiB. Absent where none was measured or its unit is not surely GiB.
std::optional<double> MeasuredPeakMemoryGib(const MeasuredRun& run);

/// Whether the row says anything to compare with: "suspect" and "analytic" rows do not.
bool IsComparable(const MeasuredRun& run);

}  // namespace planner::planning
