#pragma once

#include <span>
#include <string_view>

#include "core/hardware/precision.h"
#include "core/model/description.h"
#include "core/perf/layout.h"
#include "core/perf/machine.h"
#include "core/perf/step_constants.h"

namespace planner::perf {

/// A training as far as the time of one step depends on it, whatever the cards and the layout.
struct StepJob {
  model::TransformerShape shape;
  double positions = 2048;  ///< Sequence length; of a ViT, its patches.
  hardware::Recipe recipe;  ///< Bytes per trained parameter.
  bool flash_attention = true;
  double logit_share = 1;      ///< Positions with logits: 1 for decoders, about 0.15 for masked language models.
  bool padded = false;         ///< Sequences hold documents, and what they do not fill is not computed.
  double recompute_share = 1;  ///< Of the forward pass that full recomputation concerns.
  bool frozen_base = false;    ///< Adapters are trained.
  double frozen_bytes = 2;     ///< Per frozen parameter; below 2 they are expanded before every product.
  double adapter_parameters = 0;
  FrameworkConstants framework;
};

/// Parameters of one block and of the tables: what optimizers, gradients and gathers move.
struct BlockParameters {
  double dense = 0;    ///< Attention, norms, dense or shared feed-forward layers: the mean over the blocks.
  double experts = 0;  ///< Routed experts: the mean over the blocks.
  double head = 0;     ///< The table onto the vocabulary; 0 without one.
};
BlockParameters ParametersOf(const model::TransformerShape& shape);
/// Matrix FLOPs of a forward pass of one sequence through the blocks and the head, attention in full: 2 x parameters x positions,
/// and 2 s^2 (qk + v) for each head. What a counter finds beyond is work that the shape does not tell (cross-attention).
double ForwardFlops(const StepJob& job);

/// Seconds of one step, by what they are spent on, on the critical path: the terms add up. Everything that runs for each
/// microbatch is that of the slowest pipeline stage.
struct StepTime {
  double matmul = 0;       ///< Products with weights, and the logits.
  double attention = 0;    ///< The attention core.
  double elementwise = 0;  ///< Norms, activations, residuals, the loss, casts: bytes over memory bandwidth.
  double recompute = 0;    ///< Forward work that is done again.
  double launch = 0;       ///< What the CPU needs beyond the card's time.
  double tensor = 0;       ///< Tensor-parallel collectives.
  double context = 0;      ///< The ring of context parallelism.
  double expert = 0;       ///< All-to-all of expert parallelism.
  double pipeline = 0;     ///< Sends between stages.
  double bubble = 0;       ///< Stages waiting while the pipeline fills and drains.
  double data = 0;         ///< Gradients and sharded weights, as far as nothing hides them.
  double optimizer = 0;    ///< Update of the states, and what is done once a step.

  double total() const {
    return matmul + attention + elementwise + recompute + launch + tensor + context + expert + pipeline + bubble +
           data + optimizer;
  }
  /// Every term times `factor`.
  StepTime operator*(double factor) const;
};

/// The terms by name, in the order in which they are read: "matmul", "attention", ….
struct StepTerm {
  std::string_view name;
  double StepTime::* seconds;
};
std::span<const StepTerm> StepTerms();

/// Seconds of one block, or of the head, for one microbatch on one card, in one direction.
struct BlockTime {
  double matmul = 0;
  double attention = 0;
  double elementwise = 0;
  double tensor = 0;
  double context = 0;
  double expert = 0;

  double total() const { return matmul + attention + elementwise + tensor + context + expert; }
  BlockTime& operator+=(const BlockTime& o) {
    matmul += o.matmul;
    attention += o.attention;
    elementwise += o.elementwise;
    tensor += o.tensor;
    context += o.context;
    expert += o.expert;
    return *this;
  }
  BlockTime operator*(double f) const {
    return {matmul * f, attention * f, elementwise * f, tensor * f, context * f, expert * f};
  }
};

struct BlockTimes {
  BlockTime forward;
  BlockTime backward;
};

/// The part of a step that depends, of the layout, on the tensor, context and expert degree, the microbatch and sequence
/// parallelism alone: a search works it out once for all pipelines, data parallel degrees and numbers of microbatches.
struct MicroBatchTime {
  BlockTimes block;  ///< The mean over the blocks.
  BlockTimes head;   ///< Final norm, logits and loss.
  BlockParameters parameters;
};
MicroBatchTime EstimateMicroBatch(const StepJob& job, const Machine& machine, const SharedConstants& shared,
                                  const Layout& layout);

/// The closed form. `micro_batches`: per pipeline and step. With t(i) the time of stage i for one microbatch, forward and
/// backward, and the slowest of them t:
///
///   step = m t + (sum of t(i) - t)/v + exposed gradient collectives + optimizer
///
/// which is m t (1 + (p - 1)/(m v)) for even stages (SC21, 2104.04473). A stage's time is that of its kernels or of the CPU
/// that launches them, whichever is longer, forward and backward apart. Pure, no allocation, safe for concurrent use.
StepTime EstimateStepTime(const StepJob& job, const Machine& machine, const SharedConstants& shared,
                          const Layout& layout, double micro_batches);
/// The same with its first part at hand. `micro_batch` must be of a layout with the same degrees.
StepTime EstimateStepTime(const StepJob& job, const Machine& machine, const SharedConstants& shared,
                          const Layout& layout, double micro_batches, const MicroBatchTime& micro_batch);
/// At most EstimateStepTime's total, in a fraction of its time: blocks and the bubble alone. What a search leaves out by.
double LeastStepSeconds(const StepJob& job, const Machine& machine, const SharedConstants& shared, const Layout& layout,
                        double micro_batches, const MicroBatchTime& micro_batch);

}  // namespace planner::perf
