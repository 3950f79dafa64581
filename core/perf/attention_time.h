#pragma once

#include "core/model/description.h"
#include "core/perf/machine.h"

namespace planner::perf {

/// Seconds of one block's attention core on one card, for one microbatch.
struct AttentionTime {
  double forward = 0;
  double backward = 0;
};

/// What the core works on: heads of one card, sequences of a microbatch, the queries of its part of the sequence.
struct AttentionWork {
  double sequences = 1;
  double heads = 1;    ///< Of the card.
  double queries = 1;  ///< Per sequence, of the card.
  double keys = 1;     ///< Per sequence, all.
};

/// Fused: 2 q k (qk_dim + v_dim) FLOPs per head forward, half of it where causal (blocks above the diagonal are left out,
/// one of 128 half filled), and `backward_attention` times as long backward (5 products for 2, at a lower rate), at the rates of family and
/// framework; heads narrower than 128 run at `narrow_heads` of it for each halving. 65,536 positions, 20 heads of 128, causal: 2 x 65,536^2 x 256 x
/// 20 / 2 = 22.0 TFLOP forward.
///
/// Eager: two batched products in full, and `score_bytes` for each score between them (scale, mask, softmax, dropout, each
/// read and written); backward twice the products and 1.5 times the bytes.
AttentionTime AttentionSeconds(const Machine& machine, const SharedConstants& shared,
                               const FrameworkConstants& framework, const model::TransformerShape& shape,
                               const AttentionWork& work, bool flash);

}  // namespace planner::perf
