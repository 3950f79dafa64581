#include "core/model/vision.h"

#include <memory>
#include <utility>

#include "core/base/status_macros.h"
#include "core/model/batch_sizes.h"
#include "core/model/decoder.h"

namespace planner::model {
namespace {

void Add(Module& model, const std::string& path, Role role, Module module) {
  module.role = role;
  AddModule(model, path, std::move(module));
}

void AddImageTower(Module& model, const ImageTower& tower, const std::string& trunk, int64_t batch,
                   CheckedSizes& sizes) {
  const auto path = [&](const std::string& name) { return Joined(trunk, name); };
  const int64_t side = tower.image_size / tower.patch_size;
  const int64_t positions = tower.Positions();
  const int64_t elements = sizes.Product({batch, positions, tower.hidden});
  Module patches;
  patches.kind = "Conv2d";
  patches.operation = Convolution{.batch = batch,
                                  .in_channels = tower.channels,
                                  .out_channels = tower.hidden,
                                  .kernel = {tower.patch_size, tower.patch_size},
                                  .in_size = {tower.image_size, tower.image_size},
                                  .out_size = {side, side},
                                  .bias = tower.patch_bias};
  Add(model, path(tower.patches), Role::kEmbedding, std::move(patches));
  for (const std::string& token : {tower.class_token, tower.distillation_token}) {
    if (!token.empty()) Add(model, path(token), Role::kEmbedding, ParameterModule("class_token", tower.hidden));
  }
  Add(model, path(tower.positions), Role::kEmbedding,
      ParameterModule("position_embedding", sizes.Product({positions, tower.hidden}), /*embedding=*/true));
  Add(model, path("position_add"), Role::kEmbedding, ElementwiseModule("add", elements));
  if (!tower.first_norm.empty()) {
    Add(model, path(tower.first_norm), Role::kEmbedding, NormModule(kLayerNorm, elements, tower.hidden));
  }
  AddBlocks(model, path(tower.blocks), {{LayerVariant{}, tower.block, tower.layers, ""}}, batch, positions, positions,
            sizes);
  const int64_t normed = tower.norm_class_only ? sizes.Product({batch, tower.hidden}) : elements;
  Add(model, path(tower.final_norm), Role::kHead, NormModule(kLayerNorm, normed, tower.hidden));
}

void AddTextTower(Module& model, const TextTower& tower, const TokenBatch& tokens, CheckedSizes& sizes) {
  const auto path = [&](const char* name) { return Joined(tower.path, name); };
  const int64_t rows = sizes.Product({tokens.batch, tokens.positions});
  const int64_t elements = sizes.Product({rows, tower.hidden});
  Add(model, path("embeddings.token_embedding"), Role::kEmbedding, EmbeddingModule(rows, tower.vocab, tower.hidden));
  Add(model, path("embeddings.position_embedding"), Role::kEmbedding,
      EmbeddingModule(tokens.positions, tower.max_positions, tower.hidden));
  Add(model, path("embeddings.position_add"), Role::kEmbedding, ElementwiseModule("add", elements));
  AddBlocks(model, path("encoder.layers"), {{LayerVariant{}, tower.block, tower.layers, ""}}, tokens.batch,
            tokens.positions, tokens.positions, sizes);
  Add(model, path("final_layer_norm"), Role::kHead, NormModule(kLayerNorm, elements, tower.hidden));
}

absl::StatusOr<Module> ExpandVision(const VisionArchitecture& a, int64_t batch) {
  CheckedSizes sizes;
  Module model;
  model.kind = a.family;
  const int64_t hidden = a.tower.hidden;
  const bool bare = a.head == ImageHead::kNone || a.head == ImageHead::kPooler;
  AddImageTower(model, a.tower, bare ? "" : a.tower.path, batch, sizes);
  if (a.head == ImageHead::kPooler) {
    const int64_t width = a.pooled > 0 ? a.pooled : hidden;
    Add(model, "pooler.dense", Role::kHead, LinearModule(batch, hidden, width, true));
    Add(model, "pooler.activation", Role::kHead, ElementwiseModule("tanh", sizes.Product({batch, width})));
  } else if (a.head == ImageHead::kClassification) {
    Add(model, "classifier", Role::kHead, LinearModule(batch, hidden, a.labels, true));
  } else if (a.head == ImageHead::kTeacherClassification) {
    Add(model, "cls_classifier", Role::kHead, LinearModule(batch, hidden, a.labels, true));
    Add(model, "distillation_classifier", Role::kHead, LinearModule(batch, hidden, a.labels, true));
  }
  RETURN_IF_ERROR(sizes.status());
  return model;
}

absl::StatusOr<Module> ExpandContrastive(const ContrastiveArchitecture& a, const BatchShape& shape) {
  CheckedSizes sizes;
  Module model;
  model.kind = a.family;
  int64_t batch = shape.batch;
  if (a.image.has_value()) {
    ASSIGN_OR_RETURN(batch, ResolveImages(shape, a.image->channels, a.image->image_size));
    AddImageTower(model, *a.image, a.image->path, batch, sizes);
  }
  if (a.text.has_value()) {
    BatchShape texts = shape;
    if (a.image.has_value()) {
      texts.batch = batch;
      texts.inputs.clear();
    }
    ASSIGN_OR_RETURN(const TokenBatch tokens, ResolveTokens(texts, a.text->max_positions, a.text->max_positions));
    batch = tokens.batch;
    AddTextTower(model, *a.text, tokens, sizes);
  }
  if (a.projection > 0) {
    if (a.image.has_value()) {
      Add(model, "visual_projection", Role::kHead, LinearModule(batch, a.image->hidden, a.projection, false));
    }
    if (a.text.has_value()) {
      Add(model, "text_projection", Role::kHead, LinearModule(batch, a.text->hidden, a.projection, false));
    }
  }
  if (a.logit_scale) {
    Add(model, "logit_scale", Role::kHead, ParameterModule("logit_scale", 1));
    Module comparison;
    comparison.kind = "MatrixProduct";
    comparison.operation = MatrixProduct{.batch = 1, .m = batch, .k = a.projection, .n = batch};
    Add(model, "comparison", Role::kHead, std::move(comparison));
  }
  RETURN_IF_ERROR(sizes.status());
  return model;
}

}  // namespace

int64_t ImageTower::PatchCount() const {
  const int64_t side = image_size / patch_size;
  return side * side;
}

int64_t ImageTower::Positions() const {
  return PatchCount() + (class_token.empty() ? 0 : 1) + (distillation_token.empty() ? 0 : 1);
}

ModelDescription DescribeVision(VisionArchitecture architecture) {
  ModelDescription description;
  description.family = architecture.family;
  description.kind = ModelKind::kVision;
  description.has_sequence = false;
  description.inputs = {{}};
  description.default_seq_len = architecture.tower.Positions();
  description.max_seq_len = architecture.tower.Positions();
  description.transformer = ShapeOf({{LayerVariant{}, architecture.tower.block, architecture.tower.layers, ""}});
  const auto shared = std::make_shared<const VisionArchitecture>(std::move(architecture));
  description.expand = [shared](const BatchShape& shape) -> absl::StatusOr<Module> {
    ASSIGN_OR_RETURN(const int64_t batch, ResolveImages(shape, shared->tower.channels, shared->tower.image_size));
    return ExpandVision(*shared, batch);
  };
  return description;
}

ModelDescription DescribeContrastive(ContrastiveArchitecture architecture) {
  ModelDescription description;
  description.family = architecture.family;
  description.kind = ModelKind::kMultimodal;
  description.has_sequence = architecture.text.has_value();
  // With both towers it is the images', and seq_len is the texts'.
  description.inputs = {{.sequence_dimension = architecture.image.has_value() ? -1 : 1}};
  if (architecture.text.has_value()) {
    const TextTower& tower = *architecture.text;
    description.default_seq_len = description.max_seq_len = tower.max_positions;
    description.transformer = ShapeOf({{LayerVariant{}, tower.block, tower.layers, ""}});
    description.transformer->vocab = tower.vocab;
  }
  // Layouts are made for the larger part, which is the image's.
  if (architecture.image.has_value()) {
    const ImageTower& tower = *architecture.image;
    description.transformer = ShapeOf({{LayerVariant{}, tower.block, tower.layers, ""}});
    if (architecture.text.has_value()) description.transformer->vocab = architecture.text->vocab;
  }
  const auto shared = std::make_shared<const ContrastiveArchitecture>(std::move(architecture));
  description.expand = [shared](const BatchShape& shape) { return ExpandContrastive(*shared, shape); };
  return description;
}

}  // namespace planner::model
