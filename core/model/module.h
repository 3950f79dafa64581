#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace planner::model {

// The one form that every description of a model comes down to: a tree of modules whose leaves are
// primitive operations with concrete sizes, for one batch. Hugging Face configurations and layer
// graphs are expanded into it; counters walk it. All sizes are positive unless said otherwise;
// products of them may exceed 64 bits, which counters must check.

/// A matrix product with a stored weight: rows x in_features times in_features x out_features,
/// `rows * in * out` MACs.
struct Linear {
  int64_t rows = 1;  ///< Vectors that are multiplied in one call: batch x positions.
  int64_t in_features = 1;
  int64_t out_features = 1;
  bool bias = false;
  bool tied = false;  ///< The weight is another module's tensor (a head that shares the embedding):
                      ///< no unique parameters.
  bool head = false;  ///< Projects onto the vocabulary: not among the non-embedding parameters.
  /// Its input is the tensor that an operation before it already keeps for the backward pass
  /// (k_proj and v_proj after q_proj, up_proj after gate_proj), so it keeps none of its own.
  bool shared_input = false;
};

/// A table look-up: no MACs.
struct Embedding {
  int64_t rows = 1;     ///< Look-ups in one call.
  int64_t entries = 1;  ///< Rows of the table.
  int64_t width = 1;
};

/// Convolution in 1 to 3 dimensions. MACs: output positions x out_channels x in_channels/groups x
/// kernel volume; transposed: input positions x in_channels x out_channels/groups x kernel volume.
struct Convolution {
  int64_t batch = 1;
  int64_t in_channels = 1;
  int64_t out_channels = 1;
  int64_t groups = 1;
  std::vector<int64_t> kernel;    ///< One entry a dimension.
  std::vector<int64_t> in_size;   ///< Spatial size of the input.
  std::vector<int64_t> out_size;  ///< Spatial size of the output.
  bool bias = false;
  bool transposed = false;
};

/// The core of attention: Q K^T and scores x V, no projections. MACs in full: batch x heads x
/// queries x keys x (qk_dim + v_dim).
struct Attention {
  int64_t batch = 1;
  int64_t heads = 1;
  int64_t kv_heads = 1;  ///< Does not change the MACs, only the bytes of K and V.
  int64_t queries = 1;   ///< Positions of the query side.
  int64_t keys = 1;      ///< Positions of the key side.
  int64_t qk_dim = 1;    ///< Size of a head's query and key.
  int64_t v_dim = 1;     ///< Size of a head's value.
  bool causal = false;
  int64_t window = 0;    ///< Keys that a query can see (sliding window, or chunk); 0: all.
  bool chunked = false;  ///< The window is a chunk that does not slide (llama4).
};

enum class RecurrentCell { kRnn, kGru, kLstm };

/// RNN, GRU or LSTM over a whole sequence, as torch.nn's. `projection` (LSTM only) is 0 for none.
struct Recurrent {
  RecurrentCell cell = RecurrentCell::kLstm;
  int64_t batch = 1;
  int64_t steps = 1;
  int64_t input_size = 1;
  int64_t hidden_size = 1;
  int64_t projection = 0;
  int64_t layers = 1;
  bool bidirectional = false;
  bool bias = true;
};

/// A product of two activations (einsum, a gate over experts, a state-space update): batch x m x k
/// times k x n.
struct MatrixProduct {
  int64_t batch = 1;
  int64_t m = 1;
  int64_t k = 1;
  int64_t n = 1;
  bool keeps_factors = true;  ///< Whether training keeps both; a fused kernel that computes them again does not.
};

enum class NormKind { kLayerNorm, kRmsNorm, kBatchNorm, kGroupNorm, kInstanceNorm };

/// A normalization over `elements` values in one call.
struct Norm {
  NormKind kind = NormKind::kLayerNorm;
  int64_t elements = 1;
  int64_t width = 1;   ///< Entries of the scale (and of the shift).
  bool scale = true;   ///< A stored scale.
  bool shift = false;  ///< A stored shift.
};

/// Work without parameters, element by element: activations, residual additions, products of gates,
/// rotary positions, softmax, pooling, upsampling. `kind` names it in reports ("silu", "add",
/// "softmax", "max_pool").
struct Elementwise {
  std::string kind;
  int64_t elements = 1;           ///< Elements of the output.
  int64_t flops_per_element = 1;  ///< FLOPs for each, by the table in core/model/elementwise.h; may
                                  ///< be 0 (dropout in inference).
  int64_t saved_elements = 0;     ///< Elements that training keeps for the backward pass.
};

/// Parameters that no operation above owns: position tables, class tokens, attention sinks, a
/// router's bias.
struct ParameterTensor {
  std::string kind;  ///< "position_embedding", "sinks".
  int64_t elements = 1;
  bool embedding = false;  ///< Counts as an embedding, not among the non-embedding parameters.
};

/// A module that is only its children.
struct Container {};

using Operation = std::variant<Container, Linear, Embedding, Convolution, Attention, Recurrent, MatrixProduct, Norm,
                               Elementwise, ParameterTensor>;

/// What a module is to a planner that splits models over cards. Set on the outermost module it
/// holds for; children inherit it.
enum class Role {
  kUnspecified,
  kEmbedding,  ///< Before the first block, on the first pipeline stage.
  kBlock,      ///< One of the repeated blocks that pipeline stages share out.
  kHead,       ///< After the last block: final norm, logits, loss.
};

/// A node of the tree. It stands for `instances` sets of parameters, and its operations run `calls`
/// times in one pass: a decoder's blocks 32 and 32; ALBERT's shared block 1 and 12; 8 experts of
/// which a token takes 2: 8 and 2 (each call over all of the batch's tokens). Parameters that a
/// token uses: min(instances, calls) of them. 0 instances: it runs with the parameters of another module, which counts
/// them. Nested counts multiply.
struct Module {
  std::string name;  ///< One segment of the path: "layers", "self_attn", "q_proj".
  std::string kind;  ///< What it is, for readers: "LlamaDecoderLayer", "Linear". Never empty.
  Operation operation = Container{};
  int64_t instances = 1;
  int64_t calls = 1;
  Role role = Role::kUnspecified;
  bool expert = false;  ///< Routed expert: sharded by expert parallelism.
  std::vector<Module> children;
};

}  // namespace planner::model
