#include "core/planning/launch_flags.h"

#include <optional>
#include <utility>

#include "fmt/format.h"

namespace planner::planning {
namespace {

using parallel::Layout;
using parallel::Recompute;

/// A line of flags, in the order in which they were added.
class Line {
 public:
  void Add(std::string_view flag) {
    if (!text_.empty()) text_ += ' ';
    text_ += flag;
  }
  template <typename Value>
  void Add(std::string_view flag, const Value& value) {
    Add(fmt::format("{} {}", flag, value));
  }
  /// Degrees of 1 are everyone's default.
  void AddDegree(std::string_view flag, int64_t degree) {
    if (degree > 1) Add(flag, degree);
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

bool IsFloat8(std::string_view precision) { return precision.starts_with("fp8") || precision.starts_with("mxfp8"); }

bool IsFloat4(std::string_view precision) { return precision.starts_with("fp4"); }

/// Why Megatron-LM, plain or with DeepSpeed, does not keep weights as they were planned; empty: it does.
std::string_view OtherWeights(std::string_view precision) {
  if (precision == "bf16-pure") return "bf16-pure: it keeps weights in 32 bits, too";
  return precision == "fp64" ? "fp64" : "";
}

/// The 16-bit type that weights have, which those that multiply in 8 or 4 bits keep in bf16; empty: none.
std::string_view HalfType(std::string_view precision) {
  if (precision == "fp16") return "fp16";
  return precision == "bf16" || IsFloat8(precision) || IsFloat4(precision) ? "bf16" : "";
}

/// What is trained, where it is not all weights; empty where it is.
std::string_view Adapters(const LaunchJob& job) { return job.adapter_rank == 0 ? "" : job.base_in_4_bits ? "QLoRA" : "LoRA"; }

/// Flags of Megatron-LM for what is not its default; nullopt: it has no such optimizer.
std::optional<std::string_view> MegatronOptimizer(std::string_view optimizer) {
  if (optimizer == "adam") return "";
  if (optimizer == "sgd") return "--optimizer sgd --sgd-momentum 0";
  if (optimizer == "sgd-momentum") return "--optimizer sgd --sgd-momentum 0.9";
  return std::nullopt;
}

/// What keeps Megatron-LM, plain or with DeepSpeed, from training as planned, whatever the layout; empty: nothing.
std::string WhatMegatronLacks(const LaunchJob& job) {
  if (job.adapter_rank > 0) return fmt::format("{}; Megatron Bridge has it", Adapters(job));
  return std::string(OtherWeights(job.precision));
}

/// What Megatron-LM must be told where stages or chunks do not share out the layers evenly: that embedding and loss count as a
/// layer each, or that the last stage has fewer. Empty where they do; nullopt where it has no flags for it.
std::optional<std::string> UnevenSplit(const LaunchJob& job) {
  const int64_t stages = job.layout.pipeline_parallel;
  const int64_t chunks = stages * job.layout.virtual_pipeline;
  constexpr int64_t kEnds = 2;
  if (job.layers % chunks == 0) return "";
  if ((job.layers + kEnds) % chunks == 0)
    return "--account-for-embedding-in-pipeline-split --account-for-loss-in-pipeline-split";
  const int64_t most = (job.layers + stages - 1) / stages;
  const int64_t last = job.layers - most * (stages - 1);
  if (job.layout.virtual_pipeline > 1 || last < 1) return std::nullopt;
  return fmt::format("--decoder-last-pipeline-num-layers {}", last);
}

LaunchFlags Megatron(const LaunchJob& job) {
  const Layout& layout = job.layout;
  LaunchFlags answer{.framework = "megatron-core", .flags = {}, .config = {}, .unsupported = {}};
  if (layout.zero_stage >= 2 && layout.pipeline_parallel > 1) {
    answer.unsupported = fmt::format("ZeRO-{} with a pipeline", layout.zero_stage);
    return answer;
  }
  if (job.has_experts && layout.tensor_parallel > 1 && !layout.sequence_parallel) {
    answer.unsupported = "experts beside tensor parallelism without sequence parallelism";
    return answer;
  }
  // Its own distribution of Muon's states takes the place of the distributed optimizer's.
  const bool muon = job.optimizer == "muon";
  const std::optional<std::string_view> optimizer =
      muon ? (layout.zero_stage == 0 ? "--optimizer muon" : "--optimizer dist_muon") : MegatronOptimizer(job.optimizer);
  answer.unsupported = WhatMegatronLacks(job);
  if (answer.unsupported.empty() && (!optimizer || (muon && layout.zero_stage >= 2))) {
    answer.unsupported = muon ? fmt::format("muon with ZeRO-{}", layout.zero_stage) : std::string(job.optimizer);
  }
  if (!answer.unsupported.empty()) return answer;
  Line line;
  line.Add("--tensor-model-parallel-size", layout.tensor_parallel);
  line.Add("--pipeline-model-parallel-size", layout.pipeline_parallel);
  if (layout.virtual_pipeline > 1) line.Add("--num-virtual-stages-per-pipeline-rank", layout.virtual_pipeline);
  const std::optional<std::string> split = UnevenSplit(job);
  if (!split) {
    answer.unsupported = fmt::format("{} layers on {} stages", job.layers, layout.pipeline_parallel);
    return answer;
  }
  if (!split->empty()) line.Add(*split);
  line.AddDegree("--context-parallel-size", layout.context_parallel);
  if (layout.expert_parallel > 1) {
    line.Add("--expert-model-parallel-size", layout.expert_parallel);
    if (layout.tensor_parallel > 1) line.Add("--expert-tensor-parallel-size", layout.expert_tensor());
    line.Add("--moe-token-dispatcher-type alltoall");
  }
  line.Add("--micro-batch-size", layout.micro_batch_size);
  line.Add("--global-batch-size", job.global_batch);
  if (job.seq_len > 0) line.Add("--seq-length", job.seq_len);
  if (layout.sequence_parallel && layout.tensor_parallel > 1) line.Add("--sequence-parallel");
  if (!optimizer->empty()) line.Add(*optimizer);
  if (layout.zero_stage >= 1 && !muon) line.Add("--use-distributed-optimizer");
  if (layout.zero_stage >= 1) line.Add("--overlap-grad-reduce --overlap-param-gather");
  if (layout.zero_stage >= 2) {
    line.Add("--use-megatron-fsdp --data-parallel-sharding-strategy",
             layout.zero_stage == 2 ? "optim_grads" : "optim_grads_params");
    line.Add("--ckpt-format fsdp_dtensor");
  }
  if (layout.shards() < layout.replicas()) {
    line.Add("--num-distributed-optimizer-instances", layout.replicas() / layout.shards());
  }
  if (layout.recompute == Recompute::kFull) {
    line.Add("--recompute-granularity full --recompute-method uniform --recompute-num-layers 1");
  } else if (layout.recompute == Recompute::kSelective) {
    line.Add("--recompute-granularity selective");
  }
  if (const std::string_view type = HalfType(job.precision); !type.empty()) line.Add(fmt::format("--{}", type));
  if (IsFloat8(job.precision)) line.Add("--fp8-format hybrid");
  if (IsFloat4(job.precision)) line.Add("--fp4-format e2m1");
  if (job.flash_attention) line.Add("--use-flash-attn");
  answer.flags = std::move(line).text();
  return answer;
}

LaunchFlags Torchtitan(const LaunchJob& job) {
  const Layout& layout = job.layout;
  LaunchFlags answer{.framework = "torchtitan", .flags = {}, .config = {}, .unsupported = {}};
  Line line;
  if (job.adapter_rank > 0 || job.optimizer != "adam") {
    answer.unsupported = job.adapter_rank > 0 ? Adapters(job) : job.optimizer;
    return answer;
  }
  // It scales no losses, and has products in bf16, fp32 and fp8.
  if (job.precision == "fp16" || job.precision == "fp64" || IsFloat4(job.precision)) {
    answer.unsupported = job.precision;
    return answer;
  }
  // Its sharding is that of FSDP2: weights are always sharded, and stay gathered between forward and backward if not resharded.
  if (layout.shards() < layout.replicas() && layout.shards() % layout.context_parallel != 0) {
    answer.unsupported = fmt::format("states shared by {} cards, of sequences over {}", layout.shards(), layout.context_parallel);
    return answer;
  }
  // Experts are spread over all cards of a sequence first, over those that shard the states then.
  const int64_t of_sequence = layout.context_parallel * layout.tensor_parallel / layout.expert_tensor();
  const int64_t sharing = layout.zero_stage == 0 ? layout.context_parallel : layout.shards();
  if (layout.expert_parallel > 1 && (layout.expert_parallel % of_sequence != 0 ||
                                     sharing * layout.tensor_parallel % layout.expert_cards() != 0)) {
    answer.unsupported = fmt::format("experts over {} cards, of sequences over {}", layout.expert_parallel, of_sequence);
    return answer;
  }
  if (layout.zero_stage == 0) {
    line.Add("--parallelism.data_parallel_replicate_degree", layout.data_parallel);
    line.Add("--parallelism.data_parallel_shard_degree 1");
  } else {
    line.AddDegree("--parallelism.data_parallel_replicate_degree", layout.replicas() / layout.shards());
    // Its sequence-parallel cards shard, too.
    line.Add("--parallelism.data_parallel_shard_degree", layout.shards() / layout.context_parallel);
    line.Add("--parallelism.fsdp_reshard_after_forward", layout.zero_stage >= 3 ? "always" : "never");
  }
  line.AddDegree("--parallelism.tensor_parallel_degree", layout.tensor_parallel);
  line.AddDegree("--parallelism.context_parallel_degree", layout.context_parallel);
  line.AddDegree("--parallelism.expert_parallel_degree", layout.expert_parallel);
  if (layout.expert_parallel > 1) line.AddDegree("--parallelism.expert_tensor_parallel_degree", layout.expert_tensor());
  if (layout.pipeline_parallel > 1) {
    line.Add("--parallelism.pipeline_parallel_degree", layout.pipeline_parallel);
    line.Add("--parallelism.pipeline_parallel_schedule", layout.virtual_pipeline > 1 ? "Interleaved1F1B" : "1F1B");
    if (layout.virtual_pipeline > 1) {
      const int64_t chunks = layout.pipeline_parallel * layout.virtual_pipeline;
      // Embedding and head may count as a layer each, which is its default.
      const int ends = job.layers % chunks == 0 ? 0 : 1;
      if ((job.layers + 2 * ends) % chunks != 0) {
        answer.unsupported = fmt::format("{} layers in {} chunks", job.layers, chunks);
        return answer;
      }
      line.Add("--parallelism.pipeline_parallel_layers_per_stage", (job.layers + 2 * ends) / chunks);
      line.Add("--parallelism.pipeline_parallel_first_stage_less_layers", ends);
      line.Add("--parallelism.pipeline_parallel_last_stage_less_layers", ends);
    }
    line.Add("--parallelism.pipeline_parallel_microbatch_size", layout.micro_batch_size);
    line.Add("--training.local_batch_size", layout.micro_batch_size * job.micro_batches);
  } else {
    line.Add("--training.local_batch_size", layout.micro_batch_size);
  }
  line.Add("--training.global_batch_size", job.global_batch);
  if (job.seq_len > 0) line.Add("--training.seq_len", job.seq_len);
  line.Add("--activation_checkpoint.mode", layout.recompute == Recompute::kFull        ? "full"
                                           : layout.recompute == Recompute::kSelective ? "selective"
                                                                                       : "none");
  // In bf16 beside weights in 32 bits where it is told nothing.
  if (job.precision == "bf16-pure") line.Add("--training.dtype bfloat16");
  if (IsFloat8(job.precision)) line.Add("--model.converters quantize.linear.float8");
  if (!job.precision.starts_with("bf16") && !IsFloat8(job.precision))
    line.Add("--training.mixed_precision_param float32");
  answer.flags = std::move(line).text();
  return answer;
}

LaunchFlags DeepSpeed(const LaunchJob& job) {
  const Layout& layout = job.layout;
  LaunchFlags answer{.framework = "deepspeed", .flags = {}, .config = {}, .unsupported = {}};
  if (layout.zero_stage >= 2 && layout.pipeline_parallel > 1) {
    answer.unsupported = fmt::format("ZeRO-{} with a pipeline", layout.zero_stage);
  } else if (layout.virtual_pipeline > 1) {
    answer.unsupported = "interleaved pipelines";
  } else if (layout.context_parallel > 1 && layout.tensor_parallel * layout.pipeline_parallel > 1) {
    answer.unsupported = "context parallelism beside tensor or pipeline parallelism";
  } else {
    answer.unsupported = WhatMegatronLacks(job);
  }
  // The optimizer is made by Megatron-LM's flags: of the file's own DeepSpeed takes no notice then.
  const std::optional<std::string_view> optimizer = MegatronOptimizer(job.optimizer);
  if (answer.unsupported.empty() && !optimizer) answer.unsupported = job.optimizer;
  if (!answer.unsupported.empty()) return answer;
  Line line;
  line.Add("--deepspeed --tensor-model-parallel-size", layout.tensor_parallel);
  line.Add("--pipeline-model-parallel-size", layout.pipeline_parallel);
  if (layout.pipeline_parallel == 1) line.Add("--no-pipeline-parallel");
  line.AddDegree("--ds-sequence-parallel-size", layout.context_parallel);
  line.AddDegree("--moe-expert-parallel-size", layout.expert_parallel);
  if (job.has_experts && layout.expert_tensor() > 1) line.Add("--enable-expert-tensor-parallelism");
  line.Add("--zero-stage", layout.zero_stage);
  line.Add("--micro-batch-size", layout.micro_batch_size);
  line.Add("--global-batch-size", job.global_batch);
  if (job.seq_len > 0) line.Add("--seq-length", job.seq_len);
  if (layout.sequence_parallel && layout.tensor_parallel > 1) line.Add("--sequence-parallel");
  if (layout.recompute == Recompute::kFull) {
    line.Add("--checkpoint-activations --deepspeed-activation-checkpointing");
  } else if (layout.recompute == Recompute::kSelective) {
    line.Add("--recompute-granularity selective");
  }
  const std::string_view type = HalfType(job.precision);
  if (!type.empty()) line.Add(fmt::format("--{}", type));
  if (!optimizer->empty()) line.Add(*optimizer);
  if (job.flash_attention) line.Add("--use-flash-attn-v2");
  line.Add("--deepspeed_config FILE");
  answer.config = fmt::format(
      "{{\"train_batch_size\": {}, \"train_micro_batch_size_per_gpu\": {}, \"zero_optimization\": {{\"stage\": {}{}}}{}}}",
      job.global_batch, layout.micro_batch_size, layout.zero_stage,
      layout.shards() < layout.replicas() ? fmt::format(", \"mics_shard_size\": {}", layout.shards()) : "",
      type.empty() ? "" : fmt::format(", \"{}\": {{\"enabled\": true}}", type));
  answer.flags = std::move(line).text();
  return answer;
}

bool SplitsByDataAlone(const Layout& layout) {
  return layout.tensor_parallel * layout.pipeline_parallel * layout.context_parallel * layout.expert_parallel == 1;
}

/// What the trainer of Transformers calls an optimizer; empty: Adam, its default, or nothing, and the script makes its own.
std::string_view TrainerOptimizer(std::string_view optimizer) {
  if (optimizer == "adam8bit") return "adamw_bnb_8bit";
  if (optimizer == "lion") return "lion_32bit";
  return optimizer == "sgd" || optimizer == "adafactor" ? optimizer : "";
}

/// FSDP shards gradients with the optimizer, never the optimizer alone: ZeRO-1 is run as ZeRO-2.
LaunchFlags Fsdp(const LaunchJob& job) {
  const Layout& layout = job.layout;
  Line line;
  const bool hybrid = layout.shards() < layout.replicas();
  if (hybrid && layout.shards() * job.nodes != layout.data_parallel) {
    return {.framework = "fsdp",
            .flags = {},
            .config = {},
            .unsupported = fmt::format("states shared by {} cards, which are no node", layout.shards())};
  }
  line.Add("accelerate launch --num_machines", job.nodes);
  line.Add("--num_processes", layout.data_parallel);
  if (const std::string_view type = HalfType(job.precision); !type.empty()) line.Add("--mixed_precision", type);
  if (layout.zero_stage == 0) {
    if (layout.data_parallel > 1) line.Add("--multi_gpu");
  } else {
    line.Add("--use_fsdp --fsdp_sharding_strategy",
             hybrid ? "HYBRID_SHARD" : layout.zero_stage >= 3 ? "FULL_SHARD" : "SHARD_GRAD_OP");
    line.Add("--fsdp_auto_wrap_policy", job.layers > 0 ? "TRANSFORMER_BASED_WRAP" : "SIZE_BASED_WRAP");
    if (layout.recompute == Recompute::kFull) line.Add("--fsdp_activation_checkpointing true");
    // Trained and frozen weights lie side by side in what is sharded.
    if (job.adapter_rank > 0) line.Add("--fsdp_use_orig_params true");
  }
  const int64_t passes = job.micro_batches;
  line.AddDegree("--gradient_accumulation_steps", passes);
  const std::string_view optimizer = job.layers > 0 ? TrainerOptimizer(job.optimizer) : "";
  if (job.adapter_rank > 0 || !optimizer.empty()) line.Add("SCRIPT");
  if (job.adapter_rank > 0) line.Add("--use_peft --lora_target_modules all-linear --lora_r", job.adapter_rank);
  if (job.base_in_4_bits) line.Add("--load_in_4bit");
  if (!optimizer.empty()) line.Add("--optim", optimizer);
  return {.framework = "fsdp", .flags = std::move(line).text(), .config = {}, .unsupported = {}};
}

}  // namespace

std::vector<LaunchFlags> LaunchFlagsOf(const LaunchJob& job) {
  if (job.layers <= 0) return {Fsdp(job)};
  std::vector<LaunchFlags> all = {Megatron(job), Torchtitan(job), DeepSpeed(job)};
  if (SplitsByDataAlone(job.layout)) all.push_back(Fsdp(job));
  return all;
}

}  // namespace planner::planning
