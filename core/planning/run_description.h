#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/hardware/gpu_catalog.h"
#include "core/hardware/precision.h"
#include "core/parallel/memory.h"
#include "core/perf/machine.h"
#include "core/perf/step_time.h"
#include "core/planning/measured_run.h"

namespace planner::planning {

/// A model of the catalogue, for what a table of runs does not say: head sizes, shared experts, low-rank attention.
struct KnownModel {
  std::string name;  ///< "deepseek-v3".
  model::TransformerShape shape;
  double positions = 0;  ///< ModelDescription::default_seq_len; 0: unknown.
};

/// A measured run as the inputs of the step-time and memory models.
struct RunDescription {
  const hardware::GpuType* gpu = nullptr;          ///< Of the catalogue.
  const hardware::Precision* precision = nullptr;  ///< Static.
  perf::StepJob job;                               ///< `framework` is not filled in.
  std::string framework;
  perf::MachineOptions machine;
  perf::Layout layout;
  double micro_batches = 1;
  bool layout_is_unknown = false;  ///< Neither tensor nor pipeline parallelism were given.
  bool recompute_is_unknown = false;
  /// Useful over elapsed time of a whole training, whose hours hold what failures and checkpoints cost (core/planning/goodput.h);
  /// 1 of a step that was timed.
  double goodput = 1;
  parallel::MemoryInputs memory;
  double capacity_bytes = 0;
};

/// Fills in the defaults and checks what is left. From the run's description alone. Written defaults of blank columns:
///
/// - model: where hidden size, heads and vocabulary are those of a known model, its head sizes, shared experts, low-rank
///   attention, tied table and direction hold; otherwise heads are hidden/heads wide (blank: about 128), ungated decoders tie their tables,
///   gated ones do not, experts are all blocks'. Blank sizes are looked up by the model's name;
/// - gpus: 1,024; data parallelism: what the other degrees leave; all other degrees 1, where neither tensor nor pipeline
///   parallelism is known and the framework shards by data alone (fsdp, torchtitan, jax, none): the fastest tensor parallelism
///   of 1 to 8 cards that leaves a sequence for every replica, and where shard_group is blank too, the fastest of all replicas and
///   of groups of one fast domain, of two, of four, …, that hold the states, as in a search (StepTimeOf compares them);
/// - global_batch: 4M tokens; microbatch: the largest power of two that divides a card's share, up to 8,192 tokens;
///   all of the share in jax; the share over the pipeline degree in pipelines of torchtitan (its own default);
/// - seq_len: a known model's own default, otherwise 2,048;
/// - recompute: the least that fits the memory, where the microbatch is blank too of one that is halved first, in jax with the inputs of
///   blocks on the host if need be; none in programs
///   for a single card, and where the layout is known but not the framework; zero_stage: 3 for fsdp, torchtitan and jax, else 1, 0 on a single card or
///   for ddp; etp (cards that share the matrices of an expert): 1 with ep, without it tp (Layout::expert_tensor);
///   shard_group (replicas that share one copy of the states with zero_stage 3): all of them, where the layout is known;
/// - attention: flash, on Volta and older eager; sequence_parallel: with tensor parallelism in megatron-core and
///   torchtitan; nic_gbps_per_gpu and node_size: the GPU type's.
///
/// NOT_FOUND or INVALID_ARGUMENT: the GPU type, the precision or the model's sizes are unknown; degrees do not make up the
/// cards.
absl::StatusOr<RunDescription> DescribeRun(const MeasuredRun& run, const hardware::GpuCatalog& gpus,
                                           const std::vector<KnownModel>& models);

/// Whoever names the framework and says nothing of recomputation has tuned the run: the least that fits, and of full
/// recomputation only what the missing memory asks for. Where not even the framework is named, but the layout is, the run is
/// taken as it is described: nothing is recomputed. What saves most for its time goes first (activations and norms), so that a share s of the
/// memory costs s^2 of the time.
void ChooseRecompute(RunDescription& description);

}  // namespace planner::planning
