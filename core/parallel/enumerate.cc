#include "core/parallel/enumerate.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <span>

#include "fmt/format.h"

namespace planner::parallel {
namespace {

/// Sequences from which on context parallelism is worth trying: below, tensor parallelism and recomputation do.
constexpr int64_t kLongSequence = 32768;
constexpr int64_t kMostContextParallel = 64;
/// Shorter ones are split where there are no more sequences than cards, into parts of this at least.
constexpr int64_t kLeastPart = 2048;
/// Embedding and loss, which may count as a layer each where stages are cut into chunks.
constexpr int64_t kEnds = 2;
constexpr int64_t kMostExperts = 65536;  // Bounds the search, no model is near it.

bool TensorFits(const model::TransformerShape& shape, int64_t degree) {
  if (degree == 1) return true;
  return shape.heads > 0 && shape.kv_heads > 0 && shape.heads % degree == 0 &&
         (shape.kv_heads % degree == 0 || degree % shape.kv_heads == 0);
}

/// Degrees of pipeline, data and batch that a split of the cards leaves.
struct Split {
  int64_t tensor, pipeline, context, data;
};

/// Whole experts share all cards of a stage (Layout::expert_tensor).
bool ExpertsFit(const Split& split, int64_t expert) { return (split.tensor * split.context * split.data) % expert == 0; }

/// Calls `visit` for all splits of `gpus` cards until it returns true; whether it did.
template <typename Visit>
bool AnySplit(const LayoutSpace& space, int64_t gpus, Visit visit) {
  for (const int64_t tensor : space.tensor_degrees) {
    if (gpus % tensor != 0) continue;
    for (const int64_t context : space.context_degrees) {
      if ((gpus / tensor) % context != 0) continue;
      const bool is_worth_it = space.positions >= kLongSequence || space.fixed.context_parallel || space.global_batch <= gpus;
      if (context > 1 && !is_worth_it) continue;
      const int64_t rest = gpus / tensor / context;
      const int64_t first = space.fixed.pipeline_parallel.value_or(1);
      const int64_t last =
          std::min({space.fixed.pipeline_parallel.value_or(space.most_stages()), space.most_stages(), rest});
      for (int64_t pipeline = first; pipeline <= last; ++pipeline) {
        if (rest % pipeline != 0) continue;
        const int64_t data = rest / pipeline;
        if (space.fixed.data_parallel && *space.fixed.data_parallel != data) continue;
        if (!space.batch_is_default && space.global_batch % data != 0) continue;
        const int64_t chunks = space.fixed.virtual_pipeline.value_or(1);
        if (chunks > 1 && (pipeline == 1 || chunks > (space.most_stages() + kEnds) / pipeline)) continue;
        if (visit(Split{tensor, pipeline, context, data})) return true;
      }
    }
  }
  return false;
}

/// Calls `visit` for every microbatch of a split.
template <typename Visit>
void ForEachMicroBatch(const LayoutSpace& space, int64_t data, Visit visit) {
  const int64_t per_rank = space.SamplesPerRank(data);
  const auto try_size = [&](int64_t size) {
    if (size > per_rank) return;
    const int64_t unit = data * size;
    if (space.batch_is_default) {
      visit(size, std::max<int64_t>(1, (space.global_batch + unit / 2) / unit));
    } else if (space.global_batch % unit == 0) {
      visit(size, space.global_batch / unit);
    }
  };
  if (space.fixed.micro_batch_size) {
    try_size(*space.fixed.micro_batch_size);
    return;
  }
  const int64_t most = space.most_micro_batch();
  for (int64_t size = 1; size <= std::min(most, per_rank); size *= 2) try_size(size);
  // The whole share of a rank, where it is no power of two.
  if (per_rank <= most && !std::has_single_bit(static_cast<uint64_t>(per_rank))) try_size(per_rank);
}

/// Of microbatches of one sample.
int64_t MostMicroBatches(const LayoutSpace& space, int64_t data) {
  return std::max<int64_t>(1, (space.global_batch + (space.batch_is_default ? data / 2 : 0)) / data);
}

/// Chunks that a stage may be cut into: the divisors of this number. Megatron-LM's interleaved schedule takes whole rounds of
/// microbatches and equal chunks, where embedding and loss may count as a layer each: 126 layers are 16 stages of 8.
int64_t ChunksOfStage(const LayoutSpace& space, const Split& split, int64_t micro_batches) {
  if (split.pipeline == 1 || micro_batches % split.pipeline != 0) return 1;
  const int64_t layers = space.most_stages();
  if (layers % split.pipeline == 0) return layers / split.pipeline;
  return (layers + kEnds) % split.pipeline == 0 ? (layers + kEnds) / split.pipeline : 1;
}

std::span<const int> ZeroStages(const Split& split) {
  static constexpr int kOff[] = {0}, kWithPipeline[] = {1}, kAlone[] = {1, 2, 3};
  if (split.data * split.context == 1) return kOff;
  if (split.pipeline > 1) return kWithPipeline;
  return kAlone;
}

/// Calls `visit` for the groups that ZeRO-3 may shard within: all replicas, then those of one fast domain, of two, of four, ….
template <typename Visit>
void ForEachShardGroup(const LayoutSpace& space, const Layout& layout, Visit visit) {
  if (space.fixed.shard_group) {
    if (layout.replicas() % *space.fixed.shard_group == 0) visit(*space.fixed.shard_group);
    return;
  }
  visit(0);
  // Experts have their own groups already.
  if (layout.zero_stage < 3 || layout.expert_parallel > 1) return;
  const int64_t first = space.scale_up_domain / layout.tensor_parallel;
  for (int64_t group = first; group > 1 && group < layout.replicas(); group *= 2) {
    if (layout.replicas() % group == 0) visit(group);
  }
}

}  // namespace

int64_t LayoutSpace::most_micro_batch() const {
  // A card never gains from more: tokens of a transformer, samples of others.
  constexpr int64_t kMostTokens = 8192;
  constexpr int64_t kMostSamples = 1024;
  return shape ? std::max<int64_t>(1, kMostTokens / std::max<int64_t>(1, positions)) : kMostSamples;
}

void LayoutSpace::Prepare() {
  tensor_degrees = context_degrees = expert_degrees = {1};
  if (!shape) return;
  if (fixed.tensor_parallel) {
    tensor_degrees = {*fixed.tensor_parallel};
  } else {
    for (int64_t degree = 2; degree <= std::min({shape->heads, scale_up_domain, int64_t{64}}); ++degree) {
      if (TensorFits(*shape, degree)) tensor_degrees.push_back(degree);
    }
  }
  if (fixed.context_parallel) {
    context_degrees = {*fixed.context_parallel};
  } else {
    const int64_t most = positions >= kLongSequence ? kMostContextParallel : positions / kLeastPart;
    for (int64_t degree = 2; degree <= most && positions % degree == 0; degree *= 2) context_degrees.push_back(degree);
  }
  if (fixed.expert_parallel) {
    expert_degrees = {*fixed.expert_parallel};
  } else {
    for (int64_t degree = 2; degree <= std::min(shape->experts, kMostExperts); ++degree) {
      if (shape->experts % degree == 0) expert_degrees.push_back(degree);
    }
  }
}

std::optional<std::string> FixedDegreesError(const LayoutSpace& space) {
  const LayoutConstraints& fixed = space.fixed;
  if (!space.shape) {
    if (fixed.tensor_parallel.value_or(1) > 1 || fixed.pipeline_parallel.value_or(1) > 1 ||
        fixed.context_parallel.value_or(1) > 1 || fixed.expert_parallel.value_or(1) > 1 ||
        fixed.virtual_pipeline.value_or(1) > 1) {
      return "the model is not a transformer: only data parallelism splits it";
    }
  } else {
    const model::TransformerShape& shape = *space.shape;
    if (const int64_t tensor = fixed.tensor_parallel.value_or(1); !TensorFits(shape, tensor)) {
      return fmt::format("tensor parallel {} does not divide {} heads ({} of keys and values)", tensor, shape.heads,
                         shape.kv_heads);
    }
    if (const int64_t pipeline = fixed.pipeline_parallel.value_or(1); pipeline > shape.layers) {
      return fmt::format("pipeline parallel {} is more than the {} layers", pipeline, shape.layers);
    }
    if (const int64_t chunks = fixed.virtual_pipeline.value_or(1); chunks > 1) {
      const int64_t stages = fixed.pipeline_parallel.value_or(2);
      if (stages == 1 || chunks > (shape.layers + kEnds) / stages) {
        return fmt::format(
            "virtual pipeline {} needs at least two stages and a layer for each chunk: {} stages, {} layers", chunks,
            stages, shape.layers);
      }
    }
    if (const int64_t context = fixed.context_parallel.value_or(1); space.positions % context != 0) {
      return fmt::format("context parallel {} does not divide {} positions", context, space.positions);
    }
    if (const int64_t expert = fixed.expert_parallel.value_or(1); expert > 1 && shape.experts == 0) {
      return fmt::format("expert parallel {}: the model has no experts", expert);
    } else if (shape.experts % expert != 0) {
      return fmt::format("expert parallel {} does not divide {} experts", expert, shape.experts);
    }
  }
  const int64_t data = fixed.data_parallel.value_or(1);
  const int64_t micro_batch = fixed.micro_batch_size.value_or(1);
  const int64_t per_rank = space.global_batch / data;
  if (space.batch_is_default
          ? micro_batch > std::max<int64_t>(1, per_rank)
          : per_rank == 0 || micro_batch > per_rank || space.global_batch % (data * micro_batch) != 0) {
    const std::string degree = fixed.data_parallel ? fmt::format("data parallel {} times ", data) : "";
    return fmt::format("{}microbatch {} does not divide the global batch of {}", degree, micro_batch,
                       space.global_batch);
  }
  return std::nullopt;
}

void ForEachLayout(const LayoutSpace& space, int64_t gpus, absl::FunctionRef<void(const BatchedLayout&)> visit) {
  ForEachLayout(
      space, gpus, [](const BatchedLayout&) { return true; }, visit);
}

void ForEachLayout(const LayoutSpace& space, int64_t gpus, absl::FunctionRef<bool(const BatchedLayout&)> wanted,
                   absl::FunctionRef<void(const BatchedLayout&)> visit) {
  static constexpr Recompute kAll[] = {Recompute::kNone, Recompute::kSelective, Recompute::kFull};
  static constexpr Recompute kFlash[] = {Recompute::kNone, Recompute::kFull};
  const std::span<const Recompute> recomputes = space.fixed.recompute   ? std::span(&*space.fixed.recompute, 1)
                                                : !space.shape          ? std::span(kAll, 1)
                                                : space.flash_attention ? std::span<const Recompute>(kFlash)
                                                                        : std::span<const Recompute>(kAll);
  AnySplit(space, gpus, [&](const Split& split) {
    const std::span<const int> zero_stages =
        space.fixed.zero_stage ? std::span<const int>(&*space.fixed.zero_stage, 1) : ZeroStages(split);
    BatchedLayout candidate;
    Layout& layout = candidate.layout;
    layout.tensor_parallel = split.tensor;
    layout.pipeline_parallel = split.pipeline;
    layout.context_parallel = split.context;
    layout.data_parallel = split.data;
    layout.virtual_pipeline = space.fixed.virtual_pipeline.value_or(1);
    layout.sequence_parallel = space.fixed.sequence_parallel.value_or(true) && split.tensor > 1;
    layout.zero_stage = zero_stages.front();
    layout.recompute = recomputes.front();
    candidate.micro_batches = MostMicroBatches(space, split.data);
    candidate.global_batch = split.data * candidate.micro_batches;
    if (!wanted(candidate)) return false;
    for (const int64_t expert : space.expert_degrees) {
      if (!ExpertsFit(split, expert)) continue;
      layout.expert_parallel = expert;
      ForEachMicroBatch(space, split.data, [&](int64_t micro_batch, int64_t micro_batches) {
        layout.micro_batch_size = micro_batch;
        candidate.micro_batches = micro_batches;
        candidate.global_batch = split.data * micro_batch * micro_batches;
        const int64_t chunks_of_stage = ChunksOfStage(space, split, micro_batches);
        const int64_t fixed = space.fixed.virtual_pipeline.value_or(0);
        const int64_t most_chunks = fixed > 0 ? fixed : space.interleaved ? chunks_of_stage : 1;
        for (int64_t chunks = fixed > 0 ? fixed : 1; chunks <= most_chunks; ++chunks) {
          if (chunks_of_stage % chunks != 0) continue;
          layout.virtual_pipeline = chunks;
          for (const int zero : zero_stages) {
            layout.zero_stage = zero;
            ForEachShardGroup(space, layout, [&](int64_t group) {
              layout.shard_group = zero >= 3 ? group : 0;
              for (const Recompute recompute : recomputes) {
                layout.recompute = recompute;
                visit(candidate);
              }
            });
          }
        }
        layout.virtual_pipeline = space.fixed.virtual_pipeline.value_or(1);
      });
    }
    return false;
  });
}

bool HasLayout(const LayoutSpace& space, int64_t gpus) {
  return AnySplit(space, gpus, [&](const Split& split) {
    const auto fits = [&](int64_t expert) { return ExpertsFit(split, expert); };
    if (std::none_of(space.expert_degrees.begin(), space.expert_degrees.end(), fits)) return false;
    if (!space.fixed.micro_batch_size) return true;
    const int64_t micro_batch = *space.fixed.micro_batch_size;
    if (space.batch_is_default) return micro_batch <= std::max<int64_t>(1, space.global_batch / split.data);
    return micro_batch <= space.global_batch / split.data && space.global_batch % (split.data * micro_batch) == 0;
  });
}

}  // namespace planner::parallel
