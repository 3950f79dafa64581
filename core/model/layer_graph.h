#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "core/model/description.h"
#include "core/model/limits.h"
#include "core/model/module.h"

namespace planner::model {

/// The layers of a typed graph: plain values that mirror planner.v1.LayerGraph field by field, where units, ranges and
/// defaults are written. An absent optional is inferred from the input; lists of spatial values hold one value for all
/// dimensions, one for each, or none for the default.
namespace graph {

using Sizes = std::vector<int64_t>;

struct Linear {
  int64_t out_features = 0;
  std::optional<int64_t> in_features;
  bool bias = true;
  std::string tied_to;
  bool vocabulary_head = false;
};

struct Convolution {
  int64_t out_channels = 0;
  std::optional<int64_t> in_channels;
  Sizes kernel;
  Sizes stride;
  Sizes padding;
  bool same = false;
  Sizes dilation;
  int64_t groups = 1;
  bool bias = true;
};

struct TransposedConvolution {
  int64_t out_channels = 0;
  std::optional<int64_t> in_channels;
  Sizes kernel;
  Sizes stride;
  Sizes padding;
  Sizes output_padding;
  Sizes dilation;
  int64_t groups = 1;
  bool bias = true;
};

struct Recurrent {
  RecurrentCell cell = RecurrentCell::kLstm;
  int64_t hidden_size = 0;
  std::optional<int64_t> input_size;
  int64_t layers = 1;
  bool bidirectional = false;
  int64_t projection = 0;
  bool bias = true;
  bool batch_first = true;
};

enum class ActivationKind {
  kRelu,
  kRelu6,
  kLeakyRelu,
  kPrelu,
  kElu,
  kSelu,
  kGelu,
  kGeluTanh,
  kSilu,
  kMish,
  kSigmoid,
  kTanh,
  kHardSigmoid,
  kHardSwish,
  kSoftplus,
  kGlu,
};

struct MixtureOfExperts {
  int64_t experts = 0;
  int64_t top_k = 0;
  std::optional<int64_t> expert_ffn;
  int64_t shared_ffn = 0;
};

struct TransformerBlocks {
  bool decoder = false;
  int64_t layers = 1;
  int64_t heads = 0;
  std::optional<int64_t> kv_heads;
  std::optional<int64_t> head_dim;
  std::optional<int64_t> ffn;
  bool gated = false;
  ActivationKind activation = ActivationKind::kRelu;
  NormKind norm = NormKind::kLayerNorm;
  bool pre_norm = false;
  bool bias = true;
  std::optional<bool> qkv_bias;
  bool final_norm = false;
  std::optional<MixtureOfExperts> moe;
  int64_t window = 0;
  std::optional<bool> causal;
  bool rotary = false;
  std::optional<int64_t> hidden;
};

struct MultiHeadAttention {
  int64_t heads = 0;
  std::optional<int64_t> kv_heads;
  std::optional<int64_t> head_dim;
  bool bias = true;
  bool causal = false;
  int64_t window = 0;
  bool rotary = false;
  std::optional<int64_t> hidden;
};

struct Embedding {
  int64_t entries = 0;
  int64_t width = 0;
};

struct PositionEmbedding {
  int64_t entries = 0;
};

struct ClassToken {
  int64_t count = 1;
};

struct Parameter {
  Sizes shape;
};

struct Norm {
  NormKind kind = NormKind::kLayerNorm;
  std::optional<bool> affine;
  std::optional<bool> bias;
  std::optional<int64_t> groups;
  int64_t normalized_dimensions = 1;
  std::optional<int64_t> features;
};

struct Activation {
  ActivationKind kind = ActivationKind::kRelu;
  int64_t prelu_parameters = 1;
  int64_t dimension = -1;
};

struct Softmax {
  int64_t dimension = -1;
};

enum class PoolKind { kMax, kAverage };

struct Pool {
  PoolKind kind = PoolKind::kMax;
  Sizes kernel;
  Sizes stride;
  Sizes padding;
  Sizes dilation;
  bool ceil_mode = false;
};

struct AdaptivePool {
  PoolKind kind = PoolKind::kAverage;
  Sizes output_size;
};

struct GlobalPool {
  PoolKind kind = PoolKind::kAverage;
  bool keep_dimensions = false;
};

enum class UpsampleMode { kNearest, kLinear, kBicubic };

struct Upsample {
  Sizes size;
  std::vector<double> scale;
  UpsampleMode mode = UpsampleMode::kNearest;
};

struct Flatten {
  int64_t start = 1;
  int64_t end = -1;
};

struct Reshape {
  Sizes shape;
};

struct Permute {
  Sizes dimensions;
};

struct Add {};

struct Multiply {};

struct Concat {
  int64_t dimension = 1;
};

struct Dropout {};

struct MatrixProduct {
  bool transpose_second = false;
};

struct Select {
  int64_t dimension = 1;
  int64_t index = 0;
};

struct Slice {
  int64_t dimension = 1;
  int64_t start = 0;
  int64_t end = 0;
};

enum class ReduceKind { kMean, kSum, kMax };

struct Reduce {
  ReduceKind kind = ReduceKind::kMean;
  Sizes dimensions;
  bool keep_dimensions = false;
};

struct Operation {
  std::string kind;
  Sizes shape;  ///< Empty: the inputs broadcast.
  std::optional<int64_t> flops_per_element;
};

struct Layer;

struct Sequence {
  std::vector<Layer> layers;
};

struct Residual {
  std::vector<Layer> body;
  std::vector<Layer> shortcut;
};

using LayerKind = std::variant<Linear, Convolution, TransposedConvolution, Recurrent, TransformerBlocks, Embedding,
                               PositionEmbedding, ClassToken, Parameter, Norm, Activation, Softmax, Pool, AdaptivePool,
                               GlobalPool, Upsample, Flatten, Reshape, Permute, Add, Multiply, Concat, Dropout,
                               MatrixProduct, MultiHeadAttention, Sequence, Residual, Select, Slice, Reduce, Operation>;

struct Layer {
  std::string name;
  std::vector<std::string> inputs;
  int64_t repeat = 1;
  LayerKind kind;
  bool shared = false;
};

struct Input {
  std::string name = "input";
  Sizes shape;
  int64_t batch_dimension = 0;                ///< -1: none.
  std::optional<int64_t> sequence_dimension;  ///< Absent: by the layers that read it; -1: none.
};

}  // namespace graph

struct LayerGraph {
  std::string name;
  std::vector<graph::Input> inputs;
  std::vector<graph::Layer> layers;
};

inline constexpr int kMaxLayerNesting =
    32;  ///< Bodies within bodies; as deep as every spelling of a graph can carry (JSON: 100 brackets).
inline constexpr int64_t kMaxLayerSize = (int64_t{1} << 31) - 1;  ///< Any one size that a graph states.

/// The name that a field of planner.v1.Layer has for this kind of layer, as error paths write it: "conv", "linear".
const char* FieldName(const graph::LayerKind& kind);

/// Checks a graph and describes it. The description's `expand` infers every shape from the inputs: BatchShape.inputs
/// replace the graph's own input shapes by position (same number of dimensions), otherwise BatchShape.batch replaces the
/// batch dimension of every input and BatchShape.seq_len the sequence dimension of those that have one. A repeated layer
/// that keeps its input's shape becomes one Module with that many instances and calls. Transformer blocks of one shape
/// fill TransformerShape, so layouts can be searched.
///
/// Errors, from here or from `expand`, are INVALID_ARGUMENT: "layers[3].conv.kernel[1]: must be positive: kernel=-1" for a
/// wrong field, "layers[7]: \"fc\" expects 2048 input features: shape=1x512" for an input that does not fit.
absl::StatusOr<ModelDescription> DescribeLayerGraph(LayerGraph layer_graph);

}  // namespace planner::model
