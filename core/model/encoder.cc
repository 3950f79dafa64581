#include "core/model/encoder.h"

#include <memory>
#include <utility>

#include "core/base/status_macros.h"
#include "core/model/batch_sizes.h"
#include "core/model/decoder.h"

namespace planner::model {
namespace {

bool UsesPooler(const EncoderArchitecture& a) {
  switch (a.head) {
    case EncoderHead::kNone:
    case EncoderHead::kPreTraining:
    case EncoderHead::kNextSentence:
    case EncoderHead::kMultipleChoice:
      return !a.pooler.empty();
    case EncoderHead::kSequenceClassification:
      return !a.pooler.empty() && a.classifier_dense.empty();
    case EncoderHead::kMaskedLanguageModel:
    case EncoderHead::kReplacedToken:
    case EncoderHead::kTokenClassification:
    case EncoderHead::kQuestionAnswering:
      return false;
  }
  return false;
}

class Expansion {
 public:
  Expansion(const EncoderArchitecture& a, const TokenBatch& tokens)
      : a_(a),
        tokens_(tokens),
        rows_(sizes_.Product({tokens.batch, tokens.positions})),
        width_(a.embedding_width > 0 ? a.embedding_width : a.hidden),
        // A bare model's weights have no prefix.
        trunk_(a.head == EncoderHead::kNone ? "" : a.trunk) {
    model_.kind = a.family;
  }

  absl::StatusOr<Module> Run() {
    AddEmbeddings();
    Module block = MakeBlock(a_.block, tokens_.batch, tokens_.positions, tokens_.positions, sizes_);
    block.instances = a_.block_instances;
    block.calls = a_.block_calls;
    Add(Joined(trunk_, a_.blocks), Role::kBlock, std::move(block));
    AddHeads();
    RETURN_IF_ERROR(sizes_.status());
    return std::move(model_);
  }

 private:
  void Add(const std::string& path, Role role, Module module) {
    module.role = role;
    AddModule(model_, path, std::move(module));
  }
  void AddEmbedding(const std::string& name, Module module) {
    Add(Joined(trunk_, "embeddings." + name), Role::kEmbedding, std::move(module));
  }
  void AddHead(const std::string& path, Module module) { Add(path, Role::kHead, std::move(module)); }

  void AddEmbeddings() {
    const int64_t elements = sizes_.Product({rows_, width_});
    AddEmbedding("word_embeddings", EmbeddingModule(rows_, a_.vocab, width_));
    if (a_.position_rows > 0) {
      AddEmbedding("position_embeddings", EmbeddingModule(tokens_.positions, a_.position_rows, width_));
      AddEmbedding("position_add", ElementwiseModule("add", elements));
    }
    if (a_.type_rows > 0) {
      AddEmbedding("token_type_embeddings", EmbeddingModule(rows_, a_.type_rows, width_));
      AddEmbedding("token_type_add", ElementwiseModule("add", elements));
    }
    AddEmbedding("LayerNorm", NormModule(kLayerNorm, elements, width_));
    if (!a_.embedding_projection.empty()) {
      Add(Joined(trunk_, a_.embedding_projection), Role::kEmbedding, LinearModule(rows_, width_, a_.hidden, true));
    }
  }

  void AddMaskedLanguageModel() {
    const int64_t elements = sizes_.Product({rows_, width_});
    AddHead(a_.mask_dense, LinearModule(rows_, a_.hidden, width_, true));
    AddHead("mask_activation", ElementwiseModule(a_.activation, elements));
    AddHead(a_.mask_norm, NormModule(kLayerNorm, elements, width_));
    Module decoder = LinearModule(rows_, width_, a_.vocab, true);
    std::get<Linear>(decoder.operation).head = true;
    std::get<Linear>(decoder.operation).tied = a_.tied;
    AddHead(a_.mask_decoder, std::move(decoder));
  }

  void AddHeads() {
    const int64_t batch = tokens_.batch;
    const int64_t pooled = sizes_.Product({batch, a_.hidden});
    if (UsesPooler(a_)) {
      AddHead(Joined(trunk_, a_.pooler), LinearModule(batch, a_.hidden, a_.hidden, true));
      AddHead(Joined(trunk_, "pooler_activation"), ElementwiseModule("tanh", pooled));
    }
    switch (a_.head) {
      case EncoderHead::kNone:
        break;
      case EncoderHead::kMaskedLanguageModel:
        AddMaskedLanguageModel();
        break;
      case EncoderHead::kPreTraining:
        AddMaskedLanguageModel();
        AddHead(a_.pair_label, LinearModule(batch, a_.hidden, a_.pair_labels, true));
        break;
      case EncoderHead::kNextSentence:
        AddHead(a_.pair_label, LinearModule(batch, a_.hidden, a_.pair_labels, true));
        break;
      case EncoderHead::kReplacedToken:
        AddHead("discriminator_predictions.dense", LinearModule(rows_, a_.hidden, a_.hidden, true));
        AddHead("discriminator_predictions.activation",
                ElementwiseModule(a_.activation, sizes_.Product({rows_, a_.hidden})));
        AddHead("discriminator_predictions.dense_prediction", LinearModule(rows_, a_.hidden, 1, true));
        break;
      case EncoderHead::kSequenceClassification:
        if (!a_.classifier_dense.empty()) {
          AddHead(a_.classifier_dense, LinearModule(batch, a_.hidden, a_.hidden, true));
          AddHead("classifier_activation", ElementwiseModule("tanh", pooled));
        }
        AddHead(a_.classifier, LinearModule(batch, a_.hidden, a_.labels, true));
        break;
      case EncoderHead::kTokenClassification:
        AddHead("classifier", LinearModule(rows_, a_.hidden, a_.labels, true));
        break;
      case EncoderHead::kQuestionAnswering:
        AddHead("qa_outputs", LinearModule(rows_, a_.hidden, a_.labels, true));
        break;
      case EncoderHead::kMultipleChoice:
        // Without a pooler a layer of the head's own takes its place (DistilBERT, ELECTRA).
        if (a_.pooler.empty() && !a_.choice_dense.empty()) {
          AddHead(a_.choice_dense, LinearModule(batch, a_.hidden, a_.hidden, true));
          AddHead("choice_activation", ElementwiseModule(a_.choice_activation, pooled));
        }
        AddHead("classifier", LinearModule(batch, a_.hidden, 1, true));
        break;
    }
  }

  const EncoderArchitecture& a_;
  const TokenBatch tokens_;
  CheckedSizes sizes_;
  const int64_t rows_;
  const int64_t width_;
  const std::string trunk_;
  Module model_;
};

}  // namespace

ModelDescription DescribeEncoder(EncoderArchitecture architecture) {
  ModelDescription description;
  description.family = architecture.family;
  description.kind = ModelKind::kEncoder;
  description.max_seq_len = architecture.max_positions;
  description.default_seq_len = DefaultPositions(architecture.max_positions);
  description.inputs = {{.sequence_dimension = 1}};
  architecture.block.attention.causal = architecture.causal;
  TransformerShape shape = ShapeOf({{LayerVariant{}, architecture.block, architecture.block_calls, ""}});
  shape.vocab = architecture.vocab;
  shape.tied_embeddings = architecture.tied;
  description.transformer = shape;
  const auto shared = std::make_shared<const EncoderArchitecture>(std::move(architecture));
  description.expand = [shared,
                        positions = description.default_seq_len](const BatchShape& batch) -> absl::StatusOr<Module> {
    ASSIGN_OR_RETURN(const TokenBatch tokens,
                     ResolveTokens(batch, positions, shared->position_rows > 0 ? shared->max_positions : 0));
    return Expansion(*shared, tokens).Run();
  };
  return description;
}

}  // namespace planner::model
