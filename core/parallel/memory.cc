#include "core/parallel/memory.h"

#include <algorithm>
#include <cmath>

namespace planner::parallel {
namespace {

constexpr double kMib = 1024.0 * 1024.0;
constexpr double kCommunicatorBytes = 512 * kMib;  ///< NCCL's buffers for one dimension of the layout.

double ToDouble(int64_t value) { return static_cast<double>(value); }

/// Saturates: five of them must add up within 64 bits.
int64_t ToBytes(double bytes) {
  constexpr double kMost = 1e18;
  return static_cast<int64_t>(bytes < kMost ? std::max(bytes, 0.0) + 0.5 : kMost);
}

/// What one card owns.
struct Owned {
  double dense = 0;    ///< Parameters that every data-parallel rank replicates.
  double experts = 0;  ///< Routed experts of this card.
  double block = 0;    ///< Largest part that ZeRO-3 gathers at once: one block.
};

struct StageSizes {
  double layers = 1;
  double moe_layers = 0;
};

StageSizes SizesOf(const model::TransformerShape& shape, const Layout& layout) {
  const double layers = std::max(1.0, ToDouble(shape.layers));
  const double stage = std::ceil(layers / ToDouble(layout.pipeline_parallel));
  return {stage, std::min(stage, std::ceil(ToDouble(shape.moe_layers) / ToDouble(layout.pipeline_parallel)))};
}

Owned OwnedBy(const MemoryInputs& inputs, const Layout& layout, bool first, bool last) {
  if (!inputs.shape) return {inputs.parameters, 0, inputs.parameters};
  const model::TransformerShape& shape = *inputs.shape;
  const StageSizes stage = SizesOf(shape, layout);
  const double tensor = ToDouble(layout.tensor_parallel);
  const double blocks = std::max(0.0, inputs.parameters - inputs.embedding_parameters - inputs.expert_parameters);
  const double block = blocks / std::max(1.0, ToDouble(shape.layers));
  const double head = std::min(inputs.embedding_parameters, ToDouble(shape.vocab) * ToDouble(shape.hidden));
  const double tables = shape.tied_embeddings ? inputs.embedding_parameters : inputs.embedding_parameters - head;

  Owned owned;
  owned.dense = block * stage.layers;
  if (first) owned.dense += tables;
  // A tied head on its own stage is a copy.
  if (last && !(first && shape.tied_embeddings)) owned.dense += head;
  owned.dense /= tensor;
  const double moe_block = inputs.expert_parameters / std::max(1.0, ToDouble(shape.moe_layers)) /
                           ToDouble(layout.expert_cards());
  owned.experts = moe_block * stage.moe_layers;
  owned.block = block / tensor + moe_block;
  return owned;
}

/// Bytes per parameter as the framework keeps them: ZeRO-3 has no weights beside the master copy (MemoryHabits::shards_master_weights).
hardware::Recipe KeptRecipe(const MemoryInputs& inputs, int zero_stage) {
  hardware::Recipe recipe = inputs.recipe;
  if (inputs.habits.gradient_bytes > 0) recipe.gradient_bytes = inputs.habits.gradient_bytes;
  recipe.optimizer_bytes += inputs.habits.gradient_part_bytes;
  if (zero_stage < 3 || !inputs.habits.shards_master_weights || recipe.master_bytes <= 0) return recipe;
  recipe.weight_bytes = recipe.master_bytes;
  recipe.optimizer_bytes -= recipe.master_bytes;
  return recipe;
}

}  // namespace

StateBytes ShardedState(double parameters, const hardware::Recipe& recipe, int zero_stage, double shards) {
  return {recipe.weight_bytes * parameters / (zero_stage >= 3 ? shards : 1),
          recipe.gradient_bytes * parameters / (zero_stage >= 2 ? shards : 1),
          recipe.optimizer_bytes * parameters / (zero_stage >= 1 ? shards : 1)};
}

double BlockActivationBytes(const MemoryInputs& inputs, const Layout& layout) {
  const model::TransformerShape& shape = *inputs.shape;
  const double hidden = ToDouble(shape.hidden);
  const double heads = ToDouble(shape.heads);
  const double width = inputs.activation_bytes;
  const double tensor = ToDouble(layout.tensor_parallel);
  const double tokens = ToDouble(layout.micro_batch_size) * inputs.positions / ToDouble(layout.context_parallel);

  // Per token: what tensor parallelism splits, and what it replicates unless the sequence is split too.
  const bool dropout = inputs.dropout.value_or(!shape.gated);
  const double replicated =
      4 * hidden * width + (dropout ? 2 * hidden : 0);  // Inputs of norms and of both halves; masks.
  const double attention =
      width * (heads * ToDouble(shape.qk_dim) +                                               // Q,
               ToDouble(shape.kv_heads) * (ToDouble(shape.qk_dim) + ToDouble(shape.v_dim)) +  // K, V,
               heads * ToDouble(shape.v_dim));                                                // output.
  const double mlp_copies = shape.gated ? 3 : 2;  // Gate, up and product; or before and after the activation.
  double mlp = mlp_copies * width * ToDouble(shape.ffn);
  if (shape.moe_layers > 0) {
    // The mean over dense and expert blocks; a stage has many of them. Permuted copies in and out, whole on each card of those
    // that share an expert, and fp32 router scores.
    const double share = std::min(1.0, ToDouble(shape.moe_layers) / std::max(1.0, ToDouble(shape.layers)));
    const double routed =
        ToDouble(shape.experts_per_token) *
        (mlp_copies * width * ToDouble(shape.expert_ffn) + 2 * width * hidden * ToDouble(layout.expert_tensor()));
    const double shared = mlp_copies * width * ToDouble(shape.shared_expert_ffn);
    mlp = (1 - share) * mlp + share * (routed + shared + 8 * ToDouble(shape.experts));
  }
  double scores = 0;
  if (inputs.flash_attention) {
    scores = 4 * heads;
  } else if (layout.recompute != Recompute::kSelective) {
    const double keys = shape.window > 0 ? std::min(ToDouble(shape.window), inputs.positions) : inputs.positions;
    scores = heads * keys * (dropout ? 2 * width + 1 : width);  // Softmax, its dropout, and the mask.
  }
  double unfused = 0;
  if (inputs.habits.unfused_blocks) unfused = 8 * hidden + width * ToDouble(shape.gated ? shape.ffn : 0);
  const double kept =
      inputs.flash_attention && layout.recompute == Recompute::kSelective ? inputs.habits.selective_share : 1;
  return kept * tokens *
         ((replicated + unfused + inputs.adapter_token_bytes) / (layout.sequence_parallel ? tensor : 1) +
          (attention + mlp + scores) / tensor);
}

double LeastStateBytes(const MemoryInputs& inputs, const Layout& layout) {
  if (!inputs.shape || inputs.frozen_base) return 0;
  const double model_cards = ToDouble(layout.tensor_parallel * layout.pipeline_parallel);
  const double shards = ToDouble(layout.shards());
  const double blocks = std::max(0.0, inputs.parameters - inputs.embedding_parameters - inputs.expert_parameters);
  const hardware::Recipe recipe = KeptRecipe(inputs, layout.zero_stage);
  return ShardedState(blocks / model_cards, recipe, layout.zero_stage, shards).total() +
         ShardedState(inputs.expert_parameters / ToDouble(layout.expert_cards() * layout.pipeline_parallel), recipe,
                      layout.zero_stage, layout.expert_shards())
             .total();
}

MemoryPerGpu PeakMemory(const MemoryInputs& inputs, const Layout& layout, double micro_batches) {
  const double tensor = ToDouble(layout.tensor_parallel);
  const double pipeline = ToDouble(layout.pipeline_parallel);
  const double context = ToDouble(layout.context_parallel);
  const double shards = ToDouble(layout.shards());
  const double expert_shards = layout.expert_shards();
  const MemoryHabits& habits = inputs.habits;
  const int zero = habits.gradient_copy_bytes > 0 ? std::max(1, layout.zero_stage) : layout.zero_stage;
  const hardware::Recipe recipe = KeptRecipe(inputs, zero);
  const double batch = ToDouble(layout.micro_batch_size);
  const double block = inputs.shape ? BlockActivationBytes(inputs, layout) : 0;
  double working_set = 0;  // Of the one block whose backward pass runs, beyond what is kept of it.
  if (inputs.shape && layout.recompute == Recompute::kFull) working_set = block;
  if (inputs.shape && layout.recompute == Recompute::kSelective) {
    Layout working = layout;
    working.recompute = Recompute::kNone;
    working_set = BlockActivationBytes(inputs, working) - block;  // The scores.
  }
  if (inputs.shape && !inputs.flash_attention) {
    working_set += inputs.habits.score_gradient_bytes * batch * inputs.positions / context * inputs.positions *
                   ToDouble(inputs.shape->heads) / tensor;
  }

  const auto stage_memory = [&](bool first, bool last) {
    const Owned owned = OwnedBy(inputs, layout, first, last);
    StateBytes state;
    if (inputs.frozen_base) {
      const double share = inputs.parameters > 0 ? (owned.dense + owned.experts) / inputs.parameters : 0;
      state = ShardedState(inputs.adapter_parameters * share, recipe, zero, shards);
      // Tables stay in 16 bits where the matrices are narrower.
      const double tables = inputs.frozen_bytes < 2 ? std::min(owned.dense, inputs.embedding_parameters / tensor) : 0;
      state.weights += (inputs.frozen_bytes * (owned.dense - tables) + 2 * tables) / (zero >= 3 ? shards : 1) +
                       inputs.frozen_bytes * owned.experts / (zero >= 3 ? expert_shards : 1);
    } else {
      const StateBytes dense = ShardedState(owned.dense, recipe, zero, shards);
      const StateBytes experts = ShardedState(owned.experts, recipe, zero, expert_shards);
      state = {dense.weights + experts.weights, dense.gradients + experts.gradients,
               dense.optimizer + experts.optimizer};
      if (zero < 2) state.gradients += habits.gradient_copy_bytes * (owned.dense + owned.experts);
      if (habits.updates_in_backward) state.gradients = inputs.recipe.gradient_bytes * owned.block;
    }

    double activations = 0;
    double gathered = 0;
    double boundary = 0;  // Activations of one microbatch, at the boundary of two blocks.
    if (inputs.shape) {
      boundary = inputs.activation_bytes * batch * inputs.positions / context * ToDouble(inputs.shape->hidden) /
                 (layout.sequence_parallel ? tensor : 1);
      const double layers = SizesOf(*inputs.shape, layout).layers;
      double in_flight = first ? std::min(micro_batches, pipeline) : 1;
      if (first && layout.virtual_pipeline > 1)
        in_flight *= 1 + (pipeline - 1) / (pipeline * ToDouble(layout.virtual_pipeline));
      double kept = block;  // Of one block.
      if (layout.recompute == Recompute::kFull) kept = habits.checkpoints_on_host && zero >= 3 ? 0 : boundary;
      // The logits are gone before the backward pass of the blocks begins.
      double logits = 0;
      if (last && inputs.has_logits) {
        logits = habits.logit_bytes * batch * inputs.positions / context * ToDouble(inputs.shape->vocab) / tensor;
      }
      activations = kept * layers * in_flight + std::max(working_set, logits);
    } else {
      activations = inputs.sample_activation_bytes * batch;
    }
    if (shards > 1 && zero >= 3)
      gathered += inputs.activation_bytes * std::min(2 * owned.block, habits.most_live_parameters);
    // Under a pipeline they stay gathered between microbatches, and the gradients whole until the last one.
    if (shards > 1 && zero >= 3 && pipeline > 1 && !inputs.frozen_base)
      gathered += 2 * inputs.activation_bytes * owned.dense;
    if (shards > 1 && zero >= 2 && !inputs.frozen_base)
      gathered += inputs.recipe.gradient_bytes * std::min(owned.block, habits.most_reduced_parameters);
    // Weights in 4 bits are expanded block by block.
    if (inputs.frozen_base && inputs.frozen_bytes < 1) gathered += inputs.activation_bytes * owned.block;

    const int dimensions = (layout.data_parallel > 1) + (layout.tensor_parallel > 1) + (layout.pipeline_parallel > 1) +
                           (layout.context_parallel > 1) + (layout.expert_parallel > 1);
    const double sent = pipeline > 1 ? 2 * boundary : 0;  // One received, one sent: an activation, a gradient.
    const double overhead = habits.context_bytes + kCommunicatorBytes * dimensions + sent + gathered +
                            habits.allocator_fraction * (state.total() + activations + gathered);
    return MemoryPerGpu{ToBytes(state.weights), ToBytes(state.gradients), ToBytes(state.optimizer),
                        ToBytes(activations), ToBytes(overhead)};
  };

  if (layout.pipeline_parallel <= 1) return stage_memory(true, true);
  // The stages between hold fewer tables than the first and fewer microbatches.
  const MemoryPerGpu first = stage_memory(true, false);
  const MemoryPerGpu last = stage_memory(false, true);
  return first.total_bytes() >= last.total_bytes() ? first : last;
}

}  // namespace planner::parallel
