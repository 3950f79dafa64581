#pragma once

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
  double logit_share = 1;       ///< Positions with logits: 1 for decoders, about 0.15 for masked language models.
  bool frozen_base = false;     ///< Adapters are trained.
  double frozen_bytes = 2;      ///< Per frozen parameter; below 2 they are expanded before every product.
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
    return matmul + attention + elementwise + recompute + launch + tensor + context + expert + pipeline + bubble + data +
           optimizer;
  }
};

/// The closed form. `micro_batches`: per pipeline and step. With t(i) the time of stage i for one microbatch, forward and
/// backward, and the slowest of them t:
///
///   step = m t + (sum of t(i) - t)/v + exposed gradient collectives + optimizer
///
/// which is m t (1 + (p - 1)/(m v)) for even stages (SC21, 2104.04473). A stage's time is that of its kernels or of the CPU
/// that launches them, whichever is longer, forward and backward apart. Pure, no allocation, safe for concurrent use.
StepTime EstimateStepTime(const StepJob& job, const Machine& machine, const SharedConstants& shared,
                          const Layout& layout, double micro_batches);

}  // namespace planner::perf
