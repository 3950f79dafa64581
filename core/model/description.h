#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/model/module.h"

namespace planner::model {

/// The shape of an input. A loaded module also needs to know which argument it is and of which type; a description that is
/// expanded knows both itself.
struct TensorInput {
  TensorInput() = default;
  TensorInput(std::vector<int64_t> of) : sizes(std::move(of)) {}            // NOLINT: a shape alone is an input.
  TensorInput(std::initializer_list<int64_t> of) : sizes(of) {}             // NOLINT
  std::vector<int64_t> sizes;  ///< With the batch dimension: 1, 3, 224, 224.
  std::string dtype;           ///< "float32", "int64"; empty: the model's own.
  std::string name;            ///< The argument or dictionary key; empty: by position.
  friend bool operator==(const TensorInput&, const TensorInput&) = default;
};

/// The sizes of one batch. What does not apply to a model is ignored by it (a ViT has no sequence
/// length).
struct BatchShape {
  int64_t batch = 1;               ///< Samples: sequences, images.
  std::optional<int64_t> seq_len;  ///< Positions per sample; of both sides for encoder-decoder
                                   ///< models. Absent: the model's default.
  /// Inputs of a layer graph by position, with the batch dimension ("1x3x224x224"). Empty: as the
  /// graph says. For image models the first one gives batch, channels, height and width.
  std::vector<TensorInput> inputs;
};

/// Transformer sizes that parallel layouts and activation memory depend on. For an encoder-decoder
/// model, of the decoder, with `layers` those of both sides.
struct TransformerShape {
  int64_t layers = 1;
  int64_t hidden = 1;
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t qk_dim = 1;  ///< Per head.
  int64_t v_dim = 1;   ///< Per head.
  int64_t ffn = 1;     ///< Width of a dense block's feed-forward layer.
  bool gated = false;  ///< Gate, up and down projections, not two.
  int64_t vocab = 0;   ///< 0 where there is none (ViT).
  bool tied_embeddings = false;
  bool causal = true;
  int64_t window = 0;         ///< Sliding window of those layers that have one; 0: none.
  int64_t window_layers = 0;  ///< Blocks with a window.
  int64_t experts = 0;  ///< Routed experts per MoE block; 0: dense.
  int64_t experts_per_token = 0;
  int64_t expert_ffn = 0;         ///< Width of one routed expert.
  int64_t shared_expert_ffn = 0;  ///< Width of the shared experts together; 0: none.
  int64_t moe_layers = 0;         ///< Blocks with experts.
  /// Weights of a block's attention projections where they are low-rank (multi-head latent attention); 0: as the widths say.
  int64_t attention_projection = 0;
  /// Elements that inference keeps of a token in one block where they are fewer than the keys and values of all heads
  /// (multi-head latent attention: the compressed ones and the rotary key, 512 + 64); 0: kv_heads (qk_dim + v_dim).
  int64_t cached_elements = 0;
};

/// What a model keeps of a sequence however long it is.
struct RecurrentState {
  int64_t blocks = 0;    ///< That have one; 0: none has.
  int64_t elements = 0;  ///< Of all of them, for one sequence.
};

enum class ModelKind {
  kDecoder,         ///< Causal language model.
  kEncoder,         ///< BERT and its kin.
  kEncoderDecoder,  ///< T5, Whisper.
  kVision,          ///< Image in.
  kMultimodal,      ///< CLIP: two towers.
  kStateSpace,      ///< Mamba.
  kLayerGraph,      ///< Described layer by layer.
  kModule,          ///< A loaded module: only a counter that runs it knows what it does.
};

/// An input of a model whose shape a caller may give.
struct InputUse {
  int sequence_dimension = -1;  ///< Which of its dimensions holds the positions; -1: none.
  int64_t positions = 0;        ///< Of it where the caller gives neither a shape nor seq_len; 0: default_seq_len.
};

/// How a description was given.
enum class SourceFormat { kHuggingFaceConfig, kLayerGraph, kTorchScript };

/// A model file of the store, by its content.
struct ModelFile {
  std::string sha256;  ///< 64 lower case hexadecimal digits.
  int64_t size_bytes = 0;
  std::string path;  ///< Where it is kept on this host.
};

/// What a description was made from, for counters in other processes.
struct ModelSource {
  SourceFormat format = SourceFormat::kHuggingFaceConfig;
  std::string text;  ///< config.json, or a planner.v1.LayerGraph as bytes.
  ModelFile file;    ///< kTorchScript.
};

/// A model as it was described, before a batch is chosen. A value: copies are independent, all
/// members are safe to use from several threads.
struct ModelDescription {
  std::string name;    ///< "llama-7b", or the file's or graph's own name; may be empty.
  std::string family;  ///< model_type ("llama", "qwen2_moe") or "layer_graph".
  ModelKind kind = ModelKind::kDecoder;
  bool has_sequence = true;        ///< Whether seq_len means something to it.
  int64_t default_seq_len = 2048;  ///< min(longest position, 2048 for encoders and decoders without
                                   ///< a limit, 4096 otherwise).
  /// The inputs that BatchShape::inputs are for, by position: one of text or images, all of a layer graph.
  std::vector<InputUse> inputs;
  int64_t default_batch = 1;       ///< Samples that are counted if the caller names none: a layer graph's own.
  int64_t max_seq_len = 0;         ///< Positions it was made for; 0: unlimited.
  std::optional<TransformerShape> transformer;  ///< Absent for CNNs, RNNs and others that only data parallelism splits.
  RecurrentState state;                         ///< Of state-space models.
  int64_t extra_stored_parameters =
      0;  ///< What the published file stores beyond the unique tensors: a tied head, MTP layers.
  std::vector<std::string> warnings;  ///< What was assumed: said in every answer that uses it.
  /// Expands the description for one batch. INVALID_ARGUMENT names the field of BatchShape or the
  /// layer that does not fit. Pure. Null for kModule.
  std::function<absl::StatusOr<Module>(const BatchShape&)> expand;
  /// Null where the description was made in this process (tests).
  std::shared_ptr<const ModelSource> source;
};

}  // namespace planner::model
