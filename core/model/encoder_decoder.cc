#include "core/model/encoder_decoder.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/base/status_macros.h"
#include "core/model/batch_sizes.h"
#include "core/model/decoder.h"

namespace planner::model {
namespace {

class Expansion {
 public:
  Expansion(const EncoderDecoderArchitecture& a, const TokenBatch& tokens)
      : a_(a),
        tokens_(tokens),
        memory_positions_(a.speech.has_value() ? a.speech->positions : tokens.positions),
        trunk_(a.head == EncoderDecoderHead::kNone ? "" : a.trunk) {
    model_.kind = a.family;
  }

  absl::StatusOr<Module> Run() {
    const bool decodes = HasDecoder(a_.head);
    const int64_t token_rows = sizes_.Product({tokens_.batch, tokens_.positions});
    if (a_.speech.has_value()) {
      AddSpeech();
    } else {
      // Both sides look up in one table.
      AddTable(decodes ? sizes_.Product({2, token_rows}) : token_rows);
    }
    AddStack(a_.encoder, memory_positions_);
    if (decodes) {
      if (a_.speech.has_value()) AddTable(token_rows);
      AddStack(a_.decoder, tokens_.positions);
    }
    AddHead(token_rows);
    RETURN_IF_ERROR(sizes_.status());
    return std::move(model_);
  }

 private:
  void Add(const std::string& path, Role role, Module module) {
    module.role = role;
    AddModule(model_, Joined(trunk_, path), std::move(module));
  }

  void AddTable(int64_t rows) {
    Add(a_.embedding, Role::kEmbedding, EmbeddingModule(rows, a_.vocab, a_.hidden));
    if (a_.scaled_embedding) {
      Add("embedding_scale", Role::kEmbedding, ElementwiseModule("scale", sizes_.Product({rows, a_.hidden})));
    }
  }

  void AddSpeech() {
    const auto add = [&](const char* name, int64_t channels, int64_t in_size, int64_t out_size) {
      Module convolution;
      convolution.kind = "Conv1d";
      convolution.operation = Convolution{.batch = tokens_.batch,
                                          .in_channels = channels,
                                          .out_channels = a_.hidden,
                                          .kernel = {3},
                                          .in_size = {in_size},
                                          .out_size = {out_size},
                                          .bias = true};
      Add(Joined(a_.encoder.path, name), Role::kEmbedding, std::move(convolution));
      Add(Joined(a_.encoder.path, std::string(name) + "_activation"), Role::kEmbedding,
          ElementwiseModule("gelu", sizes_.Product({tokens_.batch, a_.hidden, out_size})));
    };
    const int64_t frames = sizes_.Product({2, a_.speech->positions});
    add("conv1", a_.speech->bins, frames, frames);
    add("conv2", a_.hidden, frames, a_.speech->positions);
  }

  void AddStack(const TransformerStack& stack, int64_t positions) {
    const int64_t elements = sizes_.Product({tokens_.batch, positions, a_.hidden});
    const auto path = [&](std::string_view name) { return Joined(stack.path, name); };
    if (!stack.position_table.empty()) {
      Add(path(stack.position_table), Role::kEmbedding, EmbeddingModule(positions, stack.position_rows, a_.hidden));
      Add(path("position_add"), Role::kEmbedding, ElementwiseModule("add", elements));
    }
    if (!stack.embedding_norm.empty()) {
      Add(path(stack.embedding_norm), Role::kEmbedding, NormModule(stack.block.norm, elements, a_.hidden));
    }
    if (!stack.relative_table.empty()) {
      Add(path(stack.relative_table), Role::kEmbedding,
          ParameterModule("relative_position_bias", stack.relative_entries));
    }
    AddBlocks(model_, Joined(trunk_, path(stack.blocks)), {{LayerVariant{}, stack.block, stack.layers, ""}},
              tokens_.batch, positions, memory_positions_, sizes_);
    if (!stack.final_norm.empty()) {
      Add(path(stack.final_norm), Role::kHead, NormModule(stack.block.norm, elements, a_.hidden));
    }
  }

  void AddHead(int64_t rows) {
    const auto add = [&](const std::string& name, Module module) {
      module.role = Role::kHead;
      AddModule(model_, name, std::move(module));
    };
    if (a_.head == EncoderDecoderHead::kLanguageModel) {
      if (a_.scaled_output && a_.tied) {
        add("output_scale", ElementwiseModule("scale", sizes_.Product({rows, a_.hidden})));
      }
      Module head = LinearModule(rows, a_.hidden, a_.vocab, false);
      std::get<Linear>(head.operation).head = true;
      std::get<Linear>(head.operation).tied = a_.tied;
      add(a_.head_name, std::move(head));
    } else if (a_.head == EncoderDecoderHead::kSequenceClassification) {
      add("classification_head.dense", LinearModule(tokens_.batch, a_.hidden, a_.hidden, true));
      add("classification_head.activation", ElementwiseModule("tanh", sizes_.Product({tokens_.batch, a_.hidden})));
      add("classification_head.out_proj", LinearModule(tokens_.batch, a_.hidden, a_.labels, true));
    } else if (a_.head == EncoderDecoderHead::kQuestionAnswering) {
      add("qa_outputs", LinearModule(rows, a_.hidden, a_.labels, true));
    } else if (a_.head == EncoderDecoderHead::kTokenClassification) {
      add("classifier", LinearModule(rows, a_.hidden, a_.labels, true));
    }
  }

  const EncoderDecoderArchitecture& a_;
  const TokenBatch tokens_;
  const int64_t memory_positions_;
  const std::string trunk_;
  CheckedSizes sizes_;
  Module model_;
};

TransformerShape ShapeOfBoth(const EncoderDecoderArchitecture& a) {
  const bool decodes = HasDecoder(a.head);
  const TransformerStack& stack = decodes ? a.decoder : a.encoder;
  TransformerShape shape = ShapeOf({{LayerVariant{}, stack.block, stack.layers, ""}});
  if (decodes) shape.layers += a.encoder.layers;
  shape.vocab = a.vocab;
  shape.tied_embeddings = a.tied;
  return shape;
}

}  // namespace

ModelDescription DescribeEncoderDecoder(EncoderDecoderArchitecture architecture) {
  ModelDescription description;
  description.family = architecture.family;
  description.kind =
      HasDecoder(architecture.head) ? ModelKind::kEncoderDecoder : ModelKind::kEncoder;
  description.max_seq_len = architecture.max_positions;
  description.default_seq_len = architecture.default_positions;
  description.inputs = {{.sequence_dimension = 1}};
  description.transformer = ShapeOfBoth(architecture);
  const auto shared = std::make_shared<const EncoderDecoderArchitecture>(std::move(architecture));
  description.expand = [shared](const BatchShape& shape) -> absl::StatusOr<Module> {
    const int64_t table = shared->decoder.position_table.empty() ? 0 : shared->max_positions;
    ASSIGN_OR_RETURN(const TokenBatch tokens, ResolveTokens(shape, shared->default_positions, table));
    return Expansion(*shared, tokens).Run();
  };
  return description;
}

}  // namespace planner::model
