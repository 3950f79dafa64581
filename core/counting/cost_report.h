#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace planner::counting {

/// Work of one pass over one batch. MACs are products of matrix multiplications and convolutions,
/// nothing else; their FLOPs are 2 x macs, and `other_flops` are those of every other operator.
/// Exact.
struct Work {
  int64_t macs = 0;
  int64_t causal_macs = 0;  ///< As macs, with the masked half of causal attention left out (forward
                            ///< only; backward: 2 x forward's).
  int64_t other_flops = 0;
  int64_t flops() const { return 2 * macs; }  ///< Counters keep macs below 2^62.
  friend bool operator==(const Work&, const Work&) = default;
};

/// A module with its whole subtree. Parameters are those of all instances; work that of all calls.
struct ModuleCost {
  std::string path;  ///< "model.layers.self_attn.q_proj"; "" is the model.
  std::string kind;
  int depth = 0;  ///< Segments of the path.
  int64_t instances = 1;
  int64_t parameters = 0;  ///< Unique.
  Work forward;
  Work backward;
  int64_t activation_bytes = 0;
};

/// All operators of one kind ("linear", "convolution", "attention", "rms_norm", "silu").
struct OperatorCost {
  std::string kind;
  int64_t call_count = 0;
  Work forward;
  Work backward;
};

/// What counters could not count.
struct UncountedOperator {
  std::string kind;
  int64_t call_count = 0;
};

enum class BackwardSource { kCounted, kDerived };

/// A counter's answer: a model's parameters and its work over one batch.
struct CostReport {
  int64_t parameters = 0;         ///< Unique: a tied tensor once.
  int64_t active_parameters = 0;  ///< Without the routed experts that a token does not select.
  int64_t stored_parameters = 0;  ///< As the published file stores them.
  /// Without token and position embeddings and without the head onto the vocabulary.
  int64_t non_embedding_parameters = 0;
  int64_t expert_parameters = 0;  ///< Of routed experts, all of them.
  Work forward;
  Work backward;  ///< Zero in inference mode.
  /// What training keeps between forward and backward for this batch. 0 in inference.
  int64_t activation_bytes = 0;
  int64_t peak_live_bytes = 0;  ///< Most bytes of tensors alive at one moment, beside parameters; 0: not found.
  /// Bytes of tensors that all operators read and write, forward and (training) backward; 0: not found.
  double accessed_bytes = 0;
  Work block_forward;                   ///< Of modules with Role::kBlock: what full recomputation runs again.
  Work attention_forward;               ///< Of attention cores: what selective recomputation runs again.
  std::vector<ModuleCost> modules;      ///< Depth first, the model first; children of a module add up to at most it.
  std::vector<OperatorCost> operators;  ///< By kind, alphabetically.
  std::vector<UncountedOperator> uncounted_operators;
  std::vector<std::string> warnings;
  std::string counter;
  std::string counter_version;
  BackwardSource backward_source = BackwardSource::kDerived;
  bool cached = false;  ///< Of an earlier count of the same model and request.
};

}  // namespace planner::counting
