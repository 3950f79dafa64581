#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/parallel/layout.h"

namespace planner::planning {

/// What a launcher must be told of a plan.
struct LaunchJob {
  parallel::Layout layout;
  int64_t global_batch = 1;   ///< Samples of one step.
  int64_t micro_batches = 1;  ///< Per pipeline and step.
  int64_t seq_len = 0;        ///< 0: no sequences; left out.
  int64_t layers = 1;  ///< Transformer blocks: interleaved schedules are given by layers of a chunk; 0: no transformer.
  int64_t nodes = 1;
  bool has_experts = false;
  /// Name of hardware::Precision, or of the peak that the card falls back to: "bf16", "fp16", "fp8", ….
  std::string_view precision;
  bool flash_attention = true;
  std::string_view optimizer = "adam";  ///< Name of hardware::Optimizer.
  int64_t adapter_rank = 0;             ///< Of LoRA; 0: all weights are trained.
  bool base_in_4_bits = false;          ///< QLoRA.
};

/// How one framework is told the layout.
struct LaunchFlags {
  std::string framework;  ///< "megatron-core", "torchtitan", "deepspeed", "fsdp".
  std::string flags;      ///< One line, to be added to the command that names model and data; empty: see `unsupported`.
  std::string config;       ///< What FILE in `flags` must hold, where there is one.
  std::string unsupported;  ///< Why this framework cannot run the layout as it is; empty: it can.
};

/// The layout in the words of Megatron-LM (core 0.9 and later), torchtitan, Megatron-DeepSpeed, and, where nothing but data
/// parallelism and ZeRO is asked for, of plain PyTorch under Hugging Face Accelerate (DistributedDataParallel or FSDP), in this order;
/// of models that are no transformers the last one alone. A plan of
/// tensor 8, pipeline 4, data 2, microbatch 1, batch 32 and full recomputation is for Megatron-LM
///
///   --tensor-model-parallel-size 8 --pipeline-model-parallel-size 4 --micro-batch-size 1 --global-batch-size 32
///   --sequence-parallel --use-distributed-optimizer --recompute-granularity full …
///
/// Experts of several cards are whole or split over the tensor-parallel ones (Layout::expert_tensor): each is told what it would not
/// do by itself, and Megatron-LM the all-to-all that times are of, where it would gather all tokens.
///
/// The data parallel degree follows from the number of processes there; torchtitan is told it. Adam is everyone's default; another optimizer
/// is named where there is a flag for it. Adapters are for Accelerate alone, where the script is told them in the words of TRL and PEFT.
std::vector<LaunchFlags> LaunchFlagsOf(const LaunchJob& job);

}  // namespace planner::planning
