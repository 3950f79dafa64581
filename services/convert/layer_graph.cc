#include "services/convert/layer_graph.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::convert {
namespace {

namespace graph = model::graph;

graph::Sizes SizesFrom(const google::protobuf::RepeatedField<int64_t>& values) {
  return {values.begin(), values.end()};
}
graph::Sizes SizesFrom(const google::protobuf::RepeatedField<int32_t>& values) {
  return {values.begin(), values.end()};
}

absl::Status Unspecified(std::string_view field) { return base::InvalidField(field, "is required"); }
absl::Status Unknown(std::string_view field, int value) {
  return base::InvalidField(field, absl::StrCat("has no such value: value=", value));
}

absl::StatusOr<graph::ActivationKind> KindFrom(v1::Activation::Kind kind, std::string_view field) {
  using Kind = graph::ActivationKind;
  switch (kind) {
    case v1::Activation::KIND_UNSPECIFIED:
      return Unspecified(field);
    case v1::Activation::RELU:
      return Kind::kRelu;
    case v1::Activation::RELU6:
      return Kind::kRelu6;
    case v1::Activation::LEAKY_RELU:
      return Kind::kLeakyRelu;
    case v1::Activation::PRELU:
      return Kind::kPrelu;
    case v1::Activation::ELU:
      return Kind::kElu;
    case v1::Activation::SELU:
      return Kind::kSelu;
    case v1::Activation::GELU:
      return Kind::kGelu;
    case v1::Activation::GELU_TANH:
      return Kind::kGeluTanh;
    case v1::Activation::SILU:
      return Kind::kSilu;
    case v1::Activation::MISH:
      return Kind::kMish;
    case v1::Activation::SIGMOID:
      return Kind::kSigmoid;
    case v1::Activation::TANH:
      return Kind::kTanh;
    case v1::Activation::HARD_SIGMOID:
      return Kind::kHardSigmoid;
    case v1::Activation::HARD_SWISH:
      return Kind::kHardSwish;
    case v1::Activation::SOFTPLUS:
      return Kind::kSoftplus;
    case v1::Activation::GLU:
      return Kind::kGlu;
    default:
      return Unknown(field, kind);
  }
}

absl::StatusOr<model::NormKind> KindFrom(v1::Norm::Kind kind, std::string_view field) {
  switch (kind) {
    case v1::Norm::KIND_UNSPECIFIED:
      return Unspecified(field);
    case v1::Norm::LAYER_NORM:
      return model::NormKind::kLayerNorm;
    case v1::Norm::RMS_NORM:
      return model::NormKind::kRmsNorm;
    case v1::Norm::BATCH_NORM:
      return model::NormKind::kBatchNorm;
    case v1::Norm::GROUP_NORM:
      return model::NormKind::kGroupNorm;
    case v1::Norm::INSTANCE_NORM:
      return model::NormKind::kInstanceNorm;
    default:
      return Unknown(field, kind);
  }
}

absl::StatusOr<graph::PoolKind> KindFrom(v1::Pool::Kind kind) {
  switch (kind) {
    case v1::Pool::KIND_UNSPECIFIED:
      return Unspecified("kind");
    case v1::Pool::MAX:
      return graph::PoolKind::kMax;
    case v1::Pool::AVERAGE:
      return graph::PoolKind::kAverage;
    default:
      return Unknown("kind", kind);
  }
}

/// The kind of adaptive and global pools, which have a default.
absl::StatusOr<graph::PoolKind> KindOrAverage(v1::Pool::Kind kind) {
  if (kind == v1::Pool::KIND_UNSPECIFIED) return graph::PoolKind::kAverage;
  return KindFrom(kind);
}

absl::StatusOr<graph::UpsampleMode> ModeFrom(v1::Upsample::Mode mode) {
  switch (mode) {
    case v1::Upsample::MODE_UNSPECIFIED:
    case v1::Upsample::NEAREST:
      return graph::UpsampleMode::kNearest;
    case v1::Upsample::LINEAR:
      return graph::UpsampleMode::kLinear;
    case v1::Upsample::BICUBIC:
      return graph::UpsampleMode::kBicubic;
    default:
      return Unknown("mode", mode);
  }
}

absl::StatusOr<graph::ReduceKind> KindFrom(v1::Reduce::Kind kind) {
  switch (kind) {
    case v1::Reduce::KIND_UNSPECIFIED:
    case v1::Reduce::MEAN:
      return graph::ReduceKind::kMean;
    case v1::Reduce::SUM:
      return graph::ReduceKind::kSum;
    case v1::Reduce::MAX:
      return graph::ReduceKind::kMax;
    default:
      return Unknown("kind", kind);
  }
}

absl::StatusOr<graph::LayerKind> From(const v1::Linear& proto) {
  graph::Linear layer;
  layer.out_features = proto.out_features();
  if (proto.has_in_features()) layer.in_features = proto.in_features();
  if (proto.has_bias()) layer.bias = proto.bias();
  layer.tied_to = proto.tied_to();
  layer.vocabulary_head = proto.has_vocabulary_head() ? proto.vocabulary_head() : !layer.tied_to.empty();
  return layer;
}

/// The fields that both kinds of convolution have.
template <typename To, typename Proto>
To ConvolutionFrom(const Proto& proto) {
  To layer;
  layer.out_channels = proto.out_channels();
  if (proto.has_in_channels()) layer.in_channels = proto.in_channels();
  layer.kernel = SizesFrom(proto.kernel());
  layer.stride = SizesFrom(proto.stride());
  layer.padding = SizesFrom(proto.padding());
  layer.dilation = SizesFrom(proto.dilation());
  if (proto.has_groups()) layer.groups = proto.groups();
  if (proto.has_bias()) layer.bias = proto.bias();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Convolution& proto) {
  auto layer = ConvolutionFrom<graph::Convolution>(proto);
  layer.same = proto.same();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::TransposedConvolution& proto) {
  auto layer = ConvolutionFrom<graph::TransposedConvolution>(proto);
  layer.output_padding = SizesFrom(proto.output_padding());
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Recurrent& proto) {
  graph::Recurrent layer;
  switch (proto.cell()) {
    case v1::Recurrent::CELL_UNSPECIFIED:
      return Unspecified("cell");
    case v1::Recurrent::RNN:
      layer.cell = model::RecurrentCell::kRnn;
      break;
    case v1::Recurrent::GRU:
      layer.cell = model::RecurrentCell::kGru;
      break;
    case v1::Recurrent::LSTM:
      layer.cell = model::RecurrentCell::kLstm;
      break;
    default:
      return Unknown("cell", proto.cell());
  }
  layer.hidden_size = proto.hidden_size();
  if (proto.has_input_size()) layer.input_size = proto.input_size();
  if (proto.has_layers()) layer.layers = proto.layers();
  layer.bidirectional = proto.bidirectional();
  layer.projection = proto.projection();
  if (proto.has_bias()) layer.bias = proto.bias();
  if (proto.has_batch_first()) layer.batch_first = proto.batch_first();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::TransformerBlocks& proto, bool decoder) {
  graph::TransformerBlocks layer;
  layer.decoder = decoder;
  if (proto.has_layers()) layer.layers = proto.layers();
  layer.heads = proto.heads();
  if (proto.has_kv_heads()) layer.kv_heads = proto.kv_heads();
  if (proto.has_head_dim()) layer.head_dim = proto.head_dim();
  if (proto.has_ffn()) layer.ffn = proto.ffn();
  layer.gated = proto.gated();
  if (proto.activation() != v1::Activation::KIND_UNSPECIFIED) {
    ASSIGN_OR_RETURN(layer.activation, KindFrom(proto.activation(), "activation"));
  }
  if (proto.norm() != v1::Norm::KIND_UNSPECIFIED) {
    ASSIGN_OR_RETURN(layer.norm, KindFrom(proto.norm(), "norm"));
  }
  if (!v1::TransformerBlocks::NormPosition_IsValid(proto.norm_position())) {
    return Unknown("norm_position", proto.norm_position());
  }
  layer.pre_norm = proto.norm_position() == v1::TransformerBlocks::PRE;
  if (proto.has_bias()) layer.bias = proto.bias();
  if (proto.has_qkv_bias()) layer.qkv_bias = proto.qkv_bias();
  layer.final_norm = proto.final_norm();
  if (proto.has_moe()) {
    graph::MixtureOfExperts moe;
    moe.experts = proto.moe().experts();
    moe.top_k = proto.moe().top_k();
    if (proto.moe().has_expert_ffn()) moe.expert_ffn = proto.moe().expert_ffn();
    moe.shared_ffn = proto.moe().shared_ffn();
    layer.moe = moe;
  }
  layer.window = proto.window();
  if (proto.has_causal()) layer.causal = proto.causal();
  layer.rotary = proto.rotary();
  if (proto.has_hidden()) layer.hidden = proto.hidden();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::MultiHeadAttention& proto) {
  graph::MultiHeadAttention layer;
  layer.heads = proto.heads();
  if (proto.has_kv_heads()) layer.kv_heads = proto.kv_heads();
  if (proto.has_head_dim()) layer.head_dim = proto.head_dim();
  if (proto.has_bias()) layer.bias = proto.bias();
  layer.causal = proto.causal();
  layer.window = proto.window();
  layer.rotary = proto.rotary();
  if (proto.has_hidden()) layer.hidden = proto.hidden();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Norm& proto) {
  graph::Norm layer;
  ASSIGN_OR_RETURN(layer.kind, KindFrom(proto.kind(), "kind"));
  if (proto.has_affine()) layer.affine = proto.affine();
  if (proto.has_bias()) layer.bias = proto.bias();
  if (proto.has_groups()) layer.groups = proto.groups();
  if (proto.has_normalized_dimensions()) layer.normalized_dimensions = proto.normalized_dimensions();
  if (proto.has_features()) layer.features = proto.features();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Activation& proto) {
  graph::Activation layer;
  ASSIGN_OR_RETURN(layer.kind, KindFrom(proto.kind(), "kind"));
  if (proto.has_prelu_parameters()) layer.prelu_parameters = proto.prelu_parameters();
  if (proto.has_dimension()) layer.dimension = proto.dimension();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Pool& proto) {
  graph::Pool layer;
  ASSIGN_OR_RETURN(layer.kind, KindFrom(proto.kind()));
  layer.kernel = SizesFrom(proto.kernel());
  layer.stride = SizesFrom(proto.stride());
  layer.padding = SizesFrom(proto.padding());
  layer.dilation = SizesFrom(proto.dilation());
  layer.ceil_mode = proto.ceil_mode();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::AdaptivePool& proto) {
  graph::AdaptivePool layer;
  ASSIGN_OR_RETURN(layer.kind, KindOrAverage(proto.kind()));
  layer.output_size = SizesFrom(proto.output_size());
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::GlobalPool& proto) {
  graph::GlobalPool layer;
  ASSIGN_OR_RETURN(layer.kind, KindOrAverage(proto.kind()));
  layer.keep_dimensions = proto.keep_dimensions();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Upsample& proto) {
  graph::Upsample layer;
  layer.size = SizesFrom(proto.size());
  layer.scale = {proto.scale().begin(), proto.scale().end()};
  ASSIGN_OR_RETURN(layer.mode, ModeFrom(proto.mode()));
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Flatten& proto) {
  graph::Flatten layer;
  if (proto.has_start()) layer.start = proto.start();
  if (proto.has_end()) layer.end = proto.end();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Reduce& proto) {
  graph::Reduce layer;
  ASSIGN_OR_RETURN(layer.kind, KindFrom(proto.kind()));
  layer.dimensions = SizesFrom(proto.dimensions());
  layer.keep_dimensions = proto.keep_dimensions();
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Operation& proto) {
  graph::Operation layer;
  layer.kind = proto.kind();
  layer.shape = SizesFrom(proto.shape());
  if (proto.has_flops_per_element()) layer.flops_per_element = proto.flops_per_element();
  return layer;
}

absl::StatusOr<std::vector<graph::Layer>> BodyFrom(const google::protobuf::RepeatedPtrField<v1::Layer>& layers,
                                                   std::string_view field, int depth);

absl::StatusOr<graph::LayerKind> From(const v1::Sequence& proto, int depth) {
  graph::Sequence layer;
  ASSIGN_OR_RETURN(layer.layers, BodyFrom(proto.layers(), "layers", depth));
  return layer;
}

absl::StatusOr<graph::LayerKind> From(const v1::Residual& proto, int depth) {
  graph::Residual layer;
  ASSIGN_OR_RETURN(layer.body, BodyFrom(proto.body(), "body", depth));
  ASSIGN_OR_RETURN(layer.shortcut, BodyFrom(proto.shortcut(), "shortcut", depth));
  return layer;
}

absl::StatusOr<graph::LayerKind> KindFrom(const v1::Layer& proto, int depth) {
  switch (proto.kind_case()) {
    case v1::Layer::kLinear:
      return From(proto.linear());
    case v1::Layer::kConv:
      return From(proto.conv());
    case v1::Layer::kConvTranspose:
      return From(proto.conv_transpose());
    case v1::Layer::kRecurrent:
      return From(proto.recurrent());
    case v1::Layer::kTransformerEncoder:
      return From(proto.transformer_encoder(), /*decoder=*/false);
    case v1::Layer::kTransformerDecoder:
      return From(proto.transformer_decoder(), /*decoder=*/true);
    case v1::Layer::kEmbedding:
      return graph::Embedding{proto.embedding().entries(), proto.embedding().width()};
    case v1::Layer::kPositionEmbedding:
      return graph::PositionEmbedding{proto.position_embedding().entries()};
    case v1::Layer::kClassToken:
      return graph::ClassToken{proto.class_token().has_count() ? proto.class_token().count() : 1};
    case v1::Layer::kParameter:
      return graph::Parameter{SizesFrom(proto.parameter().shape())};
    case v1::Layer::kNorm:
      return From(proto.norm());
    case v1::Layer::kActivation:
      return From(proto.activation());
    case v1::Layer::kSoftmax:
      return graph::Softmax{proto.softmax().has_dimension() ? proto.softmax().dimension() : -1};
    case v1::Layer::kPool:
      return From(proto.pool());
    case v1::Layer::kAdaptivePool:
      return From(proto.adaptive_pool());
    case v1::Layer::kGlobalPool:
      return From(proto.global_pool());
    case v1::Layer::kUpsample:
      return From(proto.upsample());
    case v1::Layer::kFlatten:
      return From(proto.flatten());
    case v1::Layer::kReshape:
      return graph::Reshape{SizesFrom(proto.reshape().shape())};
    case v1::Layer::kPermute:
      return graph::Permute{SizesFrom(proto.permute().dimensions())};
    case v1::Layer::kAdd:
      return graph::Add{};
    case v1::Layer::kMultiply:
      return graph::Multiply{};
    case v1::Layer::kConcat:
      return graph::Concat{proto.concat().has_dimension() ? proto.concat().dimension() : 1};
    case v1::Layer::kDropout:
      return graph::Dropout{};
    case v1::Layer::kMatmul:
      return graph::MatrixProduct{proto.matmul().transpose_second()};
    case v1::Layer::kMultiHeadAttention:
      return From(proto.multi_head_attention());
    case v1::Layer::kSequence:
      return From(proto.sequence(), depth);
    case v1::Layer::kResidual:
      return From(proto.residual(), depth);
    case v1::Layer::kSelect:
      return graph::Select{proto.select().has_dimension() ? proto.select().dimension() : 1, proto.select().index()};
    case v1::Layer::kSlice:
      return graph::Slice{proto.slice().has_dimension() ? proto.slice().dimension() : 1, proto.slice().start(),
                          proto.slice().end()};
    case v1::Layer::kReduce:
      return From(proto.reduce());
    case v1::Layer::kOperation:
      return From(proto.operation());
    case v1::Layer::KIND_NOT_SET:
      break;
  }
  return base::InvalidField(
      "", "has no kind: one of linear, conv, recurrent, ... is needed (\"flatten: {}\" for one without fields)");
}

/// "conv", as the field of the layer's kind is called; empty if it has none.
std::string KindName(const v1::Layer& layer) {
  const auto* oneof = v1::Layer::descriptor()->FindOneofByName("kind");
  const auto* field = v1::Layer::GetReflection()->GetOneofFieldDescriptor(layer, oneof);
  return field == nullptr ? "" : field->name();
}

absl::StatusOr<std::vector<graph::Layer>> BodyFrom(const google::protobuf::RepeatedPtrField<v1::Layer>& layers,
                                                   std::string_view field, int depth) {
  if (depth >= model::kMaxLayerNesting) {
    return base::InvalidField(field, absl::StrCat("is nested too deeply: maximum=", model::kMaxLayerNesting));
  }
  std::vector<graph::Layer> body;
  body.reserve(static_cast<size_t>(layers.size()));
  for (int i = 0; i < layers.size(); ++i) {
    const v1::Layer& proto = layers[i];
    graph::Layer layer;
    layer.name = proto.name();
    layer.inputs = {proto.inputs().begin(), proto.inputs().end()};
    if (proto.has_repeat()) layer.repeat = proto.repeat();
    layer.shared = proto.shared();
    absl::StatusOr<graph::LayerKind> kind = KindFrom(proto, depth + 1);
    if (!kind.ok()) {
      return base::AtField(absl::StrCat(std::string(field), "[", i, "]"),
                           base::AtField(KindName(proto), kind.status()));
    }
    layer.kind = *std::move(kind);
    body.push_back(std::move(layer));
  }
  return body;
}

}  // namespace

absl::StatusOr<model::LayerGraph> LayerGraphFromProto(const v1::LayerGraph& proto) {
  model::LayerGraph layer_graph;
  layer_graph.name = proto.name();
  for (const v1::GraphInput& input : proto.inputs()) {
    graph::Input converted;
    if (!input.name().empty()) converted.name = input.name();
    converted.shape = SizesFrom(input.shape());
    if (input.has_batch_dimension()) converted.batch_dimension = input.batch_dimension();
    if (input.has_sequence_dimension()) converted.sequence_dimension = input.sequence_dimension();
    static constexpr std::string_view kTypes[] = {"",      "float32", "float16", "bfloat16", "float64",
                                                  "int64", "int32",   "int8",    "uint8",    "bool"};
    if (std::find(std::begin(kTypes), std::end(kTypes), input.dtype()) == std::end(kTypes)) {
      return base::InvalidField(
          absl::StrCat("inputs[", layer_graph.inputs.size(), "].dtype"),
          absl::StrCat("has no such type: dtype=", input.dtype(),
                       "; known: float32, float16, bfloat16, float64, int64, int32, int8, uint8, bool"));
    }
    layer_graph.inputs.push_back(std::move(converted));
  }
  ASSIGN_OR_RETURN(layer_graph.layers, BodyFrom(proto.layers(), "layers", 0));
  return layer_graph;
}

}  // namespace planner::convert
