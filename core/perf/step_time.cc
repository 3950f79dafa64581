#include "core/perf/step_time.h"

#include <algorithm>
#include <cmath>

#include "core/perf/attention_time.h"
#include "core/perf/collective_time.h"
#include "core/perf/matmul_time.h"

namespace planner::perf {
namespace {

double ToDouble(int64_t value) { return static_cast<double>(value); }

/// max(a, b), rounded where they are close: kernels and launches hide each other imperfectly. (1, 1) -> 1.09.
double SoftMax(double a, double b) {
  const double high = std::max(a, b);
  if (!(high > 0)) return 0;
  const double ratio = std::min(a, b) / high;
  const double r2 = ratio * ratio;
  const double r4 = r2 * r2;
  return high * std::sqrt(std::sqrt(std::sqrt(1 + r4 * r4)));
}

/// Degrees as doubles, and the tokens of one card.
struct Split {
  double tensor, pipeline, virtual_pipeline, context, data, expert;
  double expert_tensor;   ///< Cards that share the matrices of an expert.
  double expert_cards;    ///< Cards that have all experts once.
  double batch;           ///< Sequences of a microbatch.
  double tokens;          ///< Of a microbatch, on one card.
  double sequence_split;  ///< What splits the work between the tensor-parallel regions.
  double send_split;      ///< What splits the sends between stages.
};

/// Positions of a sequence that are computed. Masked language models are trained on documents, shorter ones padded, and the
/// padding is left out: with exponential lengths of mean d, d (1 - exp(-s/d)) of s positions are filled. d 400: 109 of 128,
/// 289 of 512. NVIDIA's BERT figures for 512 positions are above the peak of a V100 otherwise.
double FilledPositions(const StepJob& job, const SharedConstants& shared) {
  if (!job.padded) return job.positions;
  return shared.document_tokens * (1 - std::exp(-job.positions / shared.document_tokens));
}

Split SplitOf(const StepJob& job, double positions, const Layout& layout) {
  Split split{};
  split.tensor = ToDouble(layout.tensor_parallel);
  split.pipeline = ToDouble(layout.pipeline_parallel);
  split.virtual_pipeline = ToDouble(layout.virtual_pipeline);
  split.context = ToDouble(layout.context_parallel);
  split.data = ToDouble(layout.data_parallel);
  split.expert = ToDouble(layout.expert_parallel);
  split.expert_tensor = ToDouble(layout.expert_tensor());
  split.expert_cards = ToDouble(layout.expert_cards());
  split.batch = ToDouble(layout.micro_batch_size);
  split.tokens = split.batch * positions / split.context;
  split.sequence_split = layout.sequence_parallel ? split.tensor : 1;
  split.send_split = job.framework.scatters_sends > 0.5 ? split.tensor : split.sequence_split;
  return split;
}

class Estimator {
 public:
  Estimator(const StepJob& job, const Machine& machine, const SharedConstants& shared, const Layout& layout,
            double micro_batches, const BlockParameters& parameters)
      : job_(job),
        shape_(job.shape),
        machine_(machine),
        shared_(shared),
        layout_(layout),
        positions_(FilledPositions(job, shared)),
        split_(SplitOf(job, positions_, layout)),
        micro_batches_(std::max(1.0, micro_batches)),
        parameters_(parameters) {}

  MicroBatchTime MicroBatch() const { return {Block(), Head(), parameters_}; }
  StepTime Run(const MicroBatchTime& micro_batch) const;
  double Least(const MicroBatchTime& micro_batch) const;

 private:
  /// CPU time to launch one block's forward pass.
  double LaunchSeconds() const;
  /// Sends between stages for one microbatch, of each chunk, there and back.
  double SendSeconds() const;
  /// A stage's time for one microbatch, forward and backward: of its kernels, and of them and of the CPU that launches them as
  /// `together` makes one of two.
  struct Stage {
    double gpu, cpu_bound;
  };
  template <typename Together>
  Stage StageSeconds(const MicroBatchTime& micro_batch, double blocks, bool with_head, double again, double launch,
                     Together together) const;
  void AddMlp(BlockTimes& block, double rows, double width, double rate, double count, double share) const;
  void AddExperts(BlockTimes& block, double share) const;
  /// An all-reduce, or a gather and a sum, of cards that split a layer, of which nothing hides the share `exposed`.
  double TensorExchange(const Group& group, double bytes, double exposed) const {
    return exposed * 2 * GatherSeconds(machine_, shared_, group, bytes) + job_.framework.sync_us * 1e-6 * std::log2(group.size);
  }
  /// The gradient of a weight is written and read: added to the sum over the microbatches, which is read and written too, or
  /// (ZeRO-3) sent to the card that owns it.
  double GradientSum(double weights) const {
    const double sum = layout_.zero_stage >= 3 ? 0 : job_.recipe.gradient_bytes;
    return 2 * (machine_.element_bytes + sum) * weights / machine_.memory;
  }
  BlockTimes Block() const;
  BlockTimes Head() const;
  double Recomputed(const BlockTimes& block) const;
  double StageParameters(double layers, bool first, bool last) const;
  double DataSeconds(double layers, bool first, bool last, double step_compute, double idle) const;
  double OptimizerSeconds(double layers, bool first, bool last) const;

  double moe_share() const {
    return shape_.moe_layers > 0
               ? std::min(1.0, ToDouble(shape_.moe_layers) / ToDouble(std::max<int64_t>(1, shape_.layers)))
               : 0;
  }

  const StepJob& job_;
  const model::TransformerShape& shape_;
  const Machine& machine_;
  const SharedConstants& shared_;
  const Layout& layout_;
  const double positions_;
  const Split split_;
  const double micro_batches_;
  const BlockParameters& parameters_;
};

/// Adds a feed-forward layer of `rows` rows through `width` columns of the card, `count` of them at once.
void Estimator::AddMlp(BlockTimes& block, double rows, double width, double rate, double count, double share) const {
  const double hidden = ToDouble(shape_.hidden);
  ProductTime products = WeightProduct(machine_, shared_, rate, rows, hidden, shape_.gated ? 2 * width : width, count);
  products += WeightProduct(machine_, shared_, rate, rows, width, hidden, count);
  block.forward.matmul += share * products.forward;
  block.backward.matmul += share * (products.input_gradient + (job_.frozen_base ? 0 : products.weight_gradient));
  // Activation: gate and up read, product written; backward reads them and the gradient, and writes two.
  const double element = machine_.element_bytes * job_.framework.elementwise * rows * count * width / machine_.memory;
  block.forward.elementwise += share * (shape_.gated ? 3 : 2) * element;
  block.backward.elementwise += share * shared_.backward_bytes * (shape_.gated ? 3 : 2) * element;
  if (machine_.casts) {
    const double cast = shared_.cast * 4 * rows * count * (hidden + width) / machine_.memory;
    block.forward.elementwise += share * cast;
    block.backward.elementwise += share * 1.5 * cast;
  }
}

void Estimator::AddExperts(BlockTimes& block, double share) const {
  const double hidden = ToDouble(shape_.hidden);
  const double per_token = std::max(1.0, ToDouble(shape_.experts_per_token));
  const double experts = std::max(1.0, ToDouble(shape_.experts));
  // Tokens between the layers are split over tensor-parallel cards. Those that share an expert gather the rows of each other.
  const double sent = split_.tokens / split_.tensor * per_token * shared_.imbalance;
  const double rows = sent * split_.expert_tensor;
  const double local = std::max(1.0, experts / split_.expert);
  AddMlp(block, rows / local, ToDouble(shape_.expert_ffn) / split_.expert_tensor, machine_.grouped_matmul, local, share);
  if (shape_.shared_expert_ffn > 0) {
    AddMlp(block, split_.tokens, ToDouble(shape_.shared_expert_ffn) / split_.tensor, machine_.matmul, 1, share);
  }
  // Permutation there and back, a read and a write each; of all tokens where the half of the block gathered them before.
  const double permuted = split_.expert > 1 ? sent : rows;
  const double permute = 4 * permuted * hidden * machine_.element_bytes * job_.framework.elementwise / machine_.memory;
  block.forward.elementwise += share * permute;
  block.backward.elementwise += share * permute;
  if (split_.expert > 1) {
    // All-to-all there and back; before experts that are split a gather, after them a sum, which no product hides: there is none
    // that does not wait for these rows.
    const double row = machine_.element_bytes * hidden;
    const double exchange =
        shared_.expert_exposed * 2 *
            AllToAllSeconds(machine_, shared_, Group{split_.expert, split_.expert_tensor}, row * sent) +
        TensorExchange(Group{split_.expert_tensor, 1}, row * rows, 1);
    block.forward.expert += share * exchange;
    block.backward.expert += share * exchange;
  }
}

BlockTimes Estimator::Block() const {
  BlockTimes block;
  const double hidden = ToDouble(shape_.hidden);
  const double tensor = split_.tensor;
  const double heads = ToDouble(shape_.heads) / tensor;
  // Fewer key-value heads than cards are copied.
  const double kv_heads = std::max(1.0, ToDouble(shape_.kv_heads) / tensor);
  const double qk = ToDouble(shape_.qk_dim);
  const double v = ToDouble(shape_.v_dim);

  // Projections.
  ProductTime projections =
      WeightProduct(machine_, shared_, machine_.matmul, split_.tokens, hidden, heads * qk + kv_heads * (qk + v));
  projections += WeightProduct(machine_, shared_, machine_.matmul, split_.tokens, heads * v, hidden);
  if (shape_.attention_projection > 0) {  // Low-rank: as much time as its share of the full products.
    const double full = hidden * (ToDouble(shape_.heads) * (qk + v) + ToDouble(shape_.kv_heads) * (qk + v));
    projections *= ToDouble(shape_.attention_projection) / full;
  }
  block.forward.matmul += projections.forward;
  block.backward.matmul += projections.input_gradient + (job_.frozen_base ? 0 : projections.weight_gradient);

  const AttentionTime attention = AttentionSeconds(machine_, shared_, job_.framework, shape_,
                                                   {.sequences = split_.batch,
                                                    .heads = std::max(1.0, heads),
                                                    .queries = positions_ / split_.context,
                                                    .keys = positions_},
                                                   job_.flash_attention);
  block.forward.attention = attention.forward;
  block.backward.attention = attention.backward;

  // Two norms (read, write), two residual additions with dropout or bias (two reads, a write); backward half as much again.
  const double element = machine_.element_bytes * job_.framework.elementwise * split_.tokens / machine_.memory;
  const double between = 10 * hidden / split_.sequence_split * element;
  const double rotary = shape_.gated ? 2 * (heads + kv_heads) * qk * element : 0;
  block.forward.elementwise += between + rotary;
  block.backward.elementwise += shared_.backward_bytes * between + rotary;
  if (machine_.casts) {
    const double cast = shared_.cast * 4 * split_.tokens * (hidden + heads * v) / machine_.memory;
    block.forward.elementwise += cast;
    block.backward.elementwise += 1.5 * cast;
  }

  if (!job_.frozen_base) {
    block.backward.elementwise += GradientSum(parameters_.dense / tensor + parameters_.experts / split_.expert_cards);
  }

  const double moe = moe_share();
  if (moe < 1) AddMlp(block, split_.tokens, ToDouble(shape_.ffn) / tensor, machine_.matmul, 1, 1 - moe);
  if (moe > 0) AddExperts(block, moe);

  if (job_.frozen_base) {
    // Adapters: two thin products beside each, bound by the bytes that they read and write.
    const double adapters = 4 * element * (hidden * 4 + heads * qk + ToDouble(shape_.ffn) / tensor);
    block.forward.elementwise += 0.5 * adapters;
    block.backward.elementwise += adapters;
    if (job_.frozen_bytes < 2) {
      const double expand = shared_.dequantize * (parameters_.dense / tensor + parameters_.experts / split_.expert_cards) *
                            (job_.frozen_bytes + 2) / machine_.memory;
      block.forward.elementwise += expand;
      block.backward.elementwise += expand;
    }
  }

  if (tensor > 1) {
    // An all-reduce, or a reduce-scatter and an all-gather, after each half of the block. Tokens that go to experts elsewhere stay
    // as they are split; shared experts need all of them.
    const bool gathers_for_experts = shape_.shared_expert_ffn > 0 || (split_.expert <= 1 && split_.expert_tensor > 1);
    const double halves = gathers_for_experts ? 2 : 2 - moe;
    const Group group{tensor, 1};
    const double bytes = machine_.element_bytes * split_.tokens * hidden;
    const double exchange = halves * TensorExchange(group, bytes, job_.framework.tensor_exposed);
    block.forward.tensor = exchange;
    block.backward.tensor = exchange;
  }
  if (split_.context > 1) {
    // Keys and values of the other parts go round; backward also their gradients.
    const Group group{split_.context, tensor};
    const double bytes = machine_.element_bytes * split_.batch * positions_ * kv_heads * (qk + v);
    const double ring = GatherSeconds(machine_, shared_, group, bytes);
    const auto exposed = [&](double exchange, double hidden_behind) {
      return shared_.context_exposed * exchange +
             (1 - shared_.context_exposed) * std::max(0.0, exchange - hidden_behind);
    };
    block.forward.context = exposed(ring, attention.forward);
    block.backward.context = exposed(2 * ring, attention.backward);
  }
  return block;
}

/// Final norm, logits and loss, on the last stage.
BlockTimes Estimator::Head() const {
  BlockTimes head;
  if (shape_.vocab <= 0) return head;
  const double vocab = std::ceil(ToDouble(shape_.vocab) / split_.tensor);
  const double rows = std::max(1.0, split_.tokens * job_.logit_share);
  const ProductTime product =
      WeightProduct(machine_, shared_, machine_.head_matmul, rows, ToDouble(shape_.hidden), vocab);
  head.forward.matmul = product.forward;
  head.backward.matmul = product.input_gradient + (job_.frozen_base ? 0 : product.weight_gradient);
  // The loss in fp32: logits converted, their maximum, exponents and sum; the gradient. Of the passes three quarters are forward.
  const double passes = job_.framework.loss_passes * 4 * rows * vocab / machine_.memory;
  head.forward.elementwise = 0.75 * passes;
  head.backward.elementwise = 0.25 * passes;
  if (!job_.frozen_base) head.backward.elementwise += GradientSum(parameters_.head / split_.tensor);
  return head;
}

/// Seconds of forward work that the backward pass of one block does again.
double Estimator::Recomputed(const BlockTimes& block) const {
  switch (layout_.recompute) {
    case Recompute::kFull:
      return job_.recompute_share * job_.framework.recomputed * block.forward.total();
    case Recompute::kSelective:
      return job_.flash_attention && job_.framework.selects_operators > 0.5
                 ? shared_.selective_flash * (block.forward.matmul + block.forward.elementwise)
                 : block.forward.attention;
    case Recompute::kNone:
      break;
  }
  return 0;
}

/// Trained parameters of a stage, of one card, before ZeRO.
double Estimator::StageParameters(double layers, bool first, bool last) const {
  if (job_.frozen_base) return job_.adapter_parameters / (split_.tensor * split_.pipeline);
  const double tables =
      (first ? parameters_.head : 0) + (last && !(first && shape_.tied_embeddings) ? parameters_.head : 0);
  return (layers * parameters_.dense + tables) / split_.tensor;
}

double Estimator::DataSeconds(double layers, bool first, bool last, double step_compute, double idle) const {
  const double replicas = split_.data * split_.context;
  const double shards = ToDouble(layout_.shards());
  const Group group{shards, split_.tensor};
  const double dense = StageParameters(layers, first, last);
  const double expert = job_.frozen_base ? 0 : layers * parameters_.experts / split_.expert_cards;
  const double expert_replicas = expert > 0 ? layout_.expert_shards() : 1;
  const Group expert_group{expert_replicas, split_.expert_cards};
  // Gradients travel in the type of the activations, whatever they are summed in.
  const double weight = machine_.element_bytes;
  const double gradient = std::min(job_.recipe.gradient_bytes, weight);
  const auto exposed = [&](double exchange, double hidden_behind) {
    return job_.framework.exposed * exchange +
           std::max(0.0, 1 - job_.framework.exposed) * std::max(0.0, exchange - hidden_behind);
  };
  if (replicas <= 1 && expert_replicas <= 1) return 0;
  if (layout_.zero_stage >= 3 && split_.pipeline <= 1) {
    // Weights are gathered for the forward and for the backward pass of every microbatch, gradients scattered. The stages of a
    // pipeline keep both from the first microbatch to the last, as with a sharded optimizer.
    const double frozen = job_.frozen_base ? layers * parameters_.dense / split_.tensor : 0;
    const double bytes = (2 * weight + gradient) * dense + 2 * std::min(weight, job_.frozen_bytes) * frozen;
    const double expert_bytes = (2 * weight + gradient) * expert;
    double exchange = 3 * layers * CollectiveLatency(machine_, group) +
                      (GatherSeconds(machine_, shared_, group, bytes) +
                       GatherSeconds(machine_, shared_, expert_group, expert_bytes)) /
                          job_.framework.shard_bandwidth;
    if (shards < replicas) {
      // Groups sum what each of their cards has of the gradients.
      const Group groups{replicas / shards, split_.tensor * shards};
      exchange += 2 * GatherSeconds(machine_, shared_, groups, gradient * (dense + expert) / shards);
    }
    // What is exchanged is read and written once by each card, by a ring or from and to its buffers. That is the card's own work,
    // which no computation hides.
    const double copied = (shards > 1 ? bytes : 0) + (expert_replicas > 1 ? expert_bytes : 0);
    return micro_batches_ * 2 * copied / machine_.memory + exposed(micro_batches_ * exchange, step_compute);
  }
  // Gradients are summed once a step (ZeRO-2: for every microbatch); sharded optimizers gather the weights.
  const double sums = layout_.zero_stage == 2 ? micro_batches_ : 1;
  const double back = layout_.zero_stage == 0 ? gradient : weight;
  const auto once_a_step = [&](const Group& replicas_of, double bytes) {
    const double rate = replicas_of.Domains(machine_) > 1 ? job_.framework.sum_network : 1;
    return GatherSeconds(machine_, shared_, replicas_of, bytes) / rate;
  };
  const double exchange = once_a_step(group, (sums * gradient + back) * dense) +
                          once_a_step(expert_group, (sums * gradient + back) * expert);
  return exposed(exchange, idle);
}

double Estimator::OptimizerSeconds(double layers, bool first, bool last) const {
  const double replicas = ToDouble(layout_.shards());
  const double expert = job_.frozen_base ? 0 : layers * parameters_.experts / split_.expert_cards;
  const double expert_replicas = layout_.expert_shards();
  const bool sharded = layout_.zero_stage >= 1;
  const double owned =
      StageParameters(layers, first, last) / (sharded ? replicas : 1) + expert / (sharded ? expert_replicas : 1);
  const double bytes = 2 * job_.recipe.optimizer_bytes + job_.recipe.gradient_bytes + job_.recipe.weight_bytes;
  return shared_.optimizer_passes * bytes * owned / machine_.memory + job_.framework.step_ms * 1e-3;
}

double Estimator::LaunchSeconds() const {
  const double processes = std::min(split_.tensor, 8.0) / 8;
  const double jitter = split_.tensor > 1 ? shared_.parallel_launch * processes * processes * processes : 0;
  double launch = job_.framework.layer_launch_us * 1e-6 * (1 + jitter);
  if (shape_.moe_layers > 0) launch *= 1 + moe_share() * (shared_.expert_launch - 1);
  if (job_.frozen_base) launch *= 1 + shared_.adapter_launch;
  return launch;
}

double Estimator::SendSeconds() const {
  if (split_.pipeline <= 1) return 0;
  const double bytes = machine_.element_bytes * split_.tokens * ToDouble(shape_.hidden) / split_.send_split;
  const bool near = split_.tensor * split_.context * split_.data * split_.pipeline <= machine_.domain;
  const double latency = near ? machine_.link_latency : machine_.network_latency;
  return job_.framework.send * split_.virtual_pipeline *
         (2 * bytes / (near ? machine_.link : machine_.network) + 2 * latency);
}

template <typename Together>
Estimator::Stage Estimator::StageSeconds(const MicroBatchTime& micro_batch, double blocks, bool with_head, double again,
                                         double launch, Together together) const {
  const BlockTimes& block = micro_batch.block;
  const BlockTimes& head = micro_batch.head;
  const FrameworkConstants& framework = job_.framework;
  const double launch_again = layout_.recompute == Recompute::kFull ? job_.recompute_share * launch : 0;
  const double forward = blocks * block.forward.total() + (with_head ? head.forward.total() : 0);
  const double backward = blocks * (block.backward.total() + again) + (with_head ? head.backward.total() : 0);
  // Embedding and loss are at the two ends of the pipeline.
  const double ends = split_.pipeline > 1 ? 0.5 : 1;
  const double cpu_forward = blocks * launch + ends * framework.micro_batch_ms * 1e-3;
  const double cpu_backward = blocks * (launch_again + launch * shared_.backward_launch);
  // Kernels that have nothing to do still take their few microseconds.
  const double idle_forward = framework.kernel_share * cpu_forward;
  const double idle_backward = framework.kernel_share * cpu_backward;
  return {forward + backward,
          together(forward + idle_forward, cpu_forward) + together(backward + idle_backward, cpu_backward)};
}

double Estimator::Least(const MicroBatchTime& micro_batch) const {
  const double again = Recomputed(micro_batch.block);
  const double layers = std::max(1.0, ToDouble(shape_.layers));
  const double most = std::ceil(layers / split_.pipeline);
  const auto longer = [](double a, double b) { return std::max(a, b); };
  const double stage =
      StageSeconds(micro_batch, most, split_.pipeline <= 1, again, LaunchSeconds(), longer).cpu_bound;
  // The other stages hold the other blocks, and nothing less for each.
  const double others = (layers - most) / most * stage;
  // The sends of the last stages wait for nobody: their share of the bubble is left out.
  return micro_batches_ * (stage + SendSeconds()) + others / split_.virtual_pipeline + job_.framework.step_ms * 1e-3;
}

StepTime Estimator::Run(const MicroBatchTime& micro_batch) const {
  const BlockTimes& block = micro_batch.block;
  const BlockTimes& head = micro_batch.head;
  const double again = Recomputed(block);

  // Blocks of the stages: as even as they go, the last stage and then the first one with fewer.
  const double pipeline = split_.pipeline;
  const double layers = std::max(1.0, ToDouble(shape_.layers));
  const double most = std::ceil(layers / pipeline);
  const double missing = most * pipeline - layers;
  const double last_layers = pipeline > 1 && missing >= 1 ? most - 1 : most;

  const double launch = LaunchSeconds();
  const double send = SendSeconds();
  const auto stage_seconds = [&](double blocks_of_stage, bool with_head) {
    return StageSeconds(micro_batch, blocks_of_stage, with_head, again, launch, SoftMax);
  };
  const bool has_middle = pipeline > 1;
  const Stage full = stage_seconds(most, !has_middle);
  const Stage last = has_middle ? stage_seconds(last_layers, true) : full;
  const bool last_is_slowest = !has_middle || last.cpu_bound >= full.cpu_bound;
  const Stage& slowest = last_is_slowest ? last : full;
  const double blocks = last_is_slowest ? last_layers : most;
  // All stages together: those that miss a block beside the last one count for what they have.
  const double fewer = std::max(0.0, missing - 1);
  const double all =
      has_middle ? (pipeline - 1) * full.cpu_bound + last.cpu_bound - fewer * full.cpu_bound / most : full.cpu_bound;

  StepTime step;
  const double m = micro_batches_;
  BlockTime work = block.forward;
  work += block.backward;
  work = work * blocks;
  if (last_is_slowest) {
    work += head.forward;
    work += head.backward;
  }
  step.matmul = m * work.matmul;
  step.attention = m * work.attention;
  step.elementwise = m * work.elementwise;
  step.tensor = m * work.tensor;
  step.context = m * work.context;
  step.expert = m * work.expert;
  step.recompute = m * blocks * again;
  step.launch = m * (slowest.cpu_bound - slowest.gpu);
  step.pipeline = m * send;
  step.bubble = (all - slowest.cpu_bound + (pipeline - 1) * send) / split_.virtual_pipeline;
  // Sums hide behind the last microbatch and the draining pipeline, gathers behind the first one and the filling. Chunks of an
  // interleaved pipeline take p microbatches each in turn, so that all but one chunk has that many to hide behind.
  const double turn = std::max(1.0, std::min(m, pipeline) * (1 - 1 / split_.virtual_pipeline));
  step.data = DataSeconds(most, true, !has_middle, m * slowest.cpu_bound, turn * slowest.cpu_bound + step.bubble);
  step.optimizer = OptimizerSeconds(most, true, !has_middle);
  return step;
}

}  // namespace

std::span<const StepTerm> StepTerms() {
  static constexpr StepTerm kTerms[] = {
      {"matmul", &StepTime::matmul},     {"attention", &StepTime::attention}, {"elementwise", &StepTime::elementwise},
      {"recompute", &StepTime::recompute}, {"launch", &StepTime::launch},     {"tensor parallel", &StepTime::tensor},
      {"context parallel", &StepTime::context}, {"expert parallel", &StepTime::expert},
      {"pipeline sends", &StepTime::pipeline},  {"bubble", &StepTime::bubble}, {"data parallel", &StepTime::data},
      {"optimizer", &StepTime::optimizer}};
  return kTerms;
}

StepTime StepTime::operator*(double factor) const {
  return {matmul * factor, attention * factor, elementwise * factor, recompute * factor, launch * factor, tensor * factor,
          context * factor, expert * factor, pipeline * factor, bubble * factor, data * factor, optimizer * factor};
}

BlockParameters ParametersOf(const model::TransformerShape& shape) {
  const double hidden = ToDouble(shape.hidden);
  const double heads = ToDouble(shape.heads);
  const double kv_heads = ToDouble(shape.kv_heads);
  const double qk = ToDouble(shape.qk_dim);
  const double v = ToDouble(shape.v_dim);
  const double attention = shape.attention_projection > 0 ? ToDouble(shape.attention_projection)
                                                          : hidden * (heads * (qk + v) + kv_heads * (qk + v));
  const double matrices = shape.gated ? 3 : 2;
  const double moe = shape.moe_layers > 0
                         ? std::min(1.0, ToDouble(shape.moe_layers) / ToDouble(std::max<int64_t>(1, shape.layers)))
                         : 0;
  BlockParameters parameters;
  parameters.dense = attention + (1 - moe) * matrices * hidden * ToDouble(shape.ffn) +
                     moe * (matrices * hidden * ToDouble(shape.shared_expert_ffn) + hidden * ToDouble(shape.experts));
  parameters.experts = moe * matrices * hidden * ToDouble(shape.expert_ffn) * ToDouble(shape.experts);
  parameters.head = hidden * ToDouble(shape.vocab);
  return parameters;
}

double ForwardFlops(const StepJob& job) {
  const model::TransformerShape& shape = job.shape;
  const BlockParameters parameters = ParametersOf(shape);
  const double layers = ToDouble(std::max<int64_t>(1, shape.layers));
  const double active =
      shape.experts > 0 ? parameters.experts * ToDouble(shape.experts_per_token) / ToDouble(shape.experts) : 0;
  const double attention = 2 * job.positions * ToDouble(shape.heads) * (ToDouble(shape.qk_dim) + ToDouble(shape.v_dim));
  return job.positions *
         (layers * (2 * (parameters.dense + active) + attention) + 2 * job.logit_share * parameters.head);
}

StepTime EstimateStepTime(const StepJob& job, const Machine& machine, const SharedConstants& shared,
                          const Layout& layout, double micro_batches) {
  return EstimateStepTime(job, machine, shared, layout, micro_batches, EstimateMicroBatch(job, machine, shared, layout));
}

MicroBatchTime EstimateMicroBatch(const StepJob& job, const Machine& machine, const SharedConstants& shared,
                                  const Layout& layout) {
  return Estimator(job, machine, shared, layout, 1, ParametersOf(job.shape)).MicroBatch();
}

StepTime EstimateStepTime(const StepJob& job, const Machine& machine, const SharedConstants& shared,
                          const Layout& layout, double micro_batches, const MicroBatchTime& micro_batch) {
  return Estimator(job, machine, shared, layout, micro_batches, micro_batch.parameters).Run(micro_batch);
}

double LeastStepSeconds(const StepJob& job, const Machine& machine, const SharedConstants& shared, const Layout& layout,
                        double micro_batches, const MicroBatchTime& micro_batch) {
  return Estimator(job, machine, shared, layout, micro_batches, micro_batch.parameters).Least(micro_batch);
}

}  // namespace planner::perf
