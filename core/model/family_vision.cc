// ViT, DeiT and CLIP.

#include <utility>

#include "core/base/status_macros.h"
#include "core/model/family.h"
#include "core/model/vision.h"

namespace planner::model {
namespace {

/// What a tower has where its configuration says nothing. 0: it must say so.
struct TowerDefaults {
  int64_t hidden = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t ffn = 0;
  int64_t patch = 16;
  const char* activation = "gelu";
};

/// The side of a square, given as one number or as height and width.
int64_t ReadSide(Fields& f, const char* name, int64_t fallback) {
  if (!f.IsList(name)) return f.Size({name}, fallback);
  const std::vector<int64_t> sides = f.Counts({name});
  if (sides.size() == 2 && sides[0] == sides[1] && sides[0] > 0) return sides[0];
  f.Fail(name, "must be a size, or two equal ones");
  return fallback;
}

/// The sizes that every image encoder has. `fields` are those of the tower.
ImageTower ReadTower(Fields& f, const TowerDefaults& defaults) {
  ImageTower tower;
  tower.image_size = ReadSide(f, "image_size", 224);
  tower.patch_size = ReadSide(f, "patch_size", defaults.patch);
  tower.channels = f.Size({"num_channels"}, 3);
  constexpr int64_t kLargestImage = 1 << 20;
  if (tower.image_size > kLargestImage) {
    f.Fail("image_size",
           "is too large: image_size=" + std::to_string(tower.image_size) + " limit=" + std::to_string(kLargestImage));
  }
  if (tower.patch_size > tower.image_size) {
    f.Fail("patch_size", "is larger than the image: patch_size=" + std::to_string(tower.patch_size) +
                             " image_size=" + std::to_string(tower.image_size));
  }
  tower.hidden = f.SizeOr({"hidden_size"}, defaults.hidden);
  tower.layers =
      defaults.layers > 0 ? f.Layers({"num_hidden_layers"}, defaults.layers) : f.Layers({"num_hidden_layers"});
  tower.block.hidden = tower.hidden;
  tower.block.norm = kLayerNorm;
  const HeadSizes heads = ReadHeads(f, tower.hidden, {"num_attention_heads"}, {}, {}, defaults.heads);
  AttentionLayer& attention = tower.block.attention;
  attention.heads = attention.kv_heads = heads.heads;
  attention.qk_dim = attention.v_dim = heads.head_dim;
  attention.causal = false;
  attention.SetBias(true, true);
  FeedForward& feed_forward = tower.block.feed_forward;
  feed_forward.gated = false;
  feed_forward.width = f.SizeOr({"intermediate_size"}, defaults.ffn);
  feed_forward.up_bias = feed_forward.down_bias = true;
  feed_forward.activation = ReadActivation(f, {"hidden_act"}, defaults.activation);
  return tower;
}

ImageHead ReadHead(const std::string& architecture, std::vector<std::string>& warnings) {
  const std::string_view name = architecture;
  if (name.ends_with("ForImageClassification")) return ImageHead::kClassification;
  if (name.ends_with("ForImageClassificationWithTeacher")) return ImageHead::kTeacherClassification;
  if (!name.empty() && (!name.ends_with("Model") || NamesTask(name))) {
    warnings.push_back("architectures names " + architecture + ", whose head is not known: planned as the bare model");
  }
  return ImageHead::kPooler;
}

absl::StatusOr<ModelDescription> ReadVitLike(FamilyInput input, bool distilled) {
  Fields& f = input.fields;
  std::vector<std::string> warnings;
  VisionArchitecture a;
  a.family = input.model_type;
  a.tower = ReadTower(f, {});
  a.tower.path = input.model_type;
  if (distilled) a.tower.distillation_token = "embeddings.distillation_token";
  const bool bias = f.Flag({"qkv_bias"}, true);
  Block& block = a.tower.block;
  block.kind = "ViTLayer";
  AttentionLayer& attention = block.attention;
  attention.path = "attention";
  attention.query = "attention.query";
  attention.key = "attention.key";
  attention.value = "attention.value";
  attention.output = "output.dense";
  attention.SetBias(bias, true);
  block.attention_norm = "layernorm_before";
  block.feed_forward_norm = "layernorm_after";
  block.feed_forward.path.clear();
  block.feed_forward.up = "intermediate.dense";
  block.feed_forward.down = "output.dense";
  a.head = ReadHead(input.architecture, warnings);
  a.pooled = f.Size({"pooler_output_size"}, a.tower.hidden);
  a.labels = ReadLabels(f);
  RETURN_IF_ERROR(f.status());
  ModelDescription description = DescribeVision(std::move(a));
  description.warnings = std::move(warnings);
  return description;
}

absl::StatusOr<ModelDescription> ReadVit(FamilyInput input) { return ReadVitLike(std::move(input), false); }
absl::StatusOr<ModelDescription> ReadDeit(FamilyInput input) { return ReadVitLike(std::move(input), true); }

// ---- CLIP ----

void SetClipNames(Block& block) {
  block.kind = "CLIPEncoderLayer";
  block.attention.output = "out_proj";
  block.attention_norm = "layer_norm1";
  block.feed_forward_norm = "layer_norm2";
  block.feed_forward.up = "fc1";
  block.feed_forward.down = "fc2";
}

/// Nested configurations leave out what is as their class has it, which is the size of ViT-B/32.
constexpr TowerDefaults kClipImageDefaults{768, 12, 12, 3072, 32, "quick_gelu"};
constexpr TowerDefaults kClipTextDefaults{512, 12, 8, 2048, 32, "quick_gelu"};

ImageTower ReadClipImage(Fields& f) {
  ImageTower tower = ReadTower(f, kClipImageDefaults);
  tower.path = "vision_model";
  SetClipNames(tower.block);
  tower.patches = "embeddings.patch_embedding";
  tower.patch_bias = false;
  tower.class_token = "embeddings.class_embedding";
  tower.positions = "embeddings.position_embedding";
  tower.first_norm = "pre_layrnorm";
  tower.blocks = "encoder.layers";
  tower.final_norm = "post_layernorm";
  tower.norm_class_only = true;
  return tower;
}

TextTower ReadClipText(Fields& f) {
  // The text side has the same blocks, so its sizes are read alike.
  const ImageTower sizes = ReadTower(f, kClipTextDefaults);
  TextTower tower;
  tower.hidden = sizes.hidden;
  tower.layers = sizes.layers;
  tower.block = sizes.block;
  tower.block.attention.causal = true;
  SetClipNames(tower.block);
  tower.vocab = f.Size({"vocab_size"}, 49408);
  tower.max_positions = f.Size({"max_position_embeddings"}, 77);
  return tower;
}

absl::StatusOr<ModelDescription> ReadClip(FamilyInput input) {
  Fields& f = input.fields;
  ContrastiveArchitecture a;
  a.family = input.model_type;
  // The first files have the sizes in …_dict alone.
  const char* text_name = f.NameOf({"text_config", "text_config_dict"}) == "text_config" ? "text_config" : "text_config_dict";
  const char* image_name =
      f.NameOf({"vision_config", "vision_config_dict"}) == "vision_config" ? "vision_config" : "vision_config_dict";
  Fields text = f.Object(text_name);
  Fields image = f.Object(image_name);
  if (!f.Has({text_name})) f.Fail("text_config", "is missing");
  if (!f.Has({image_name})) f.Fail("vision_config", "is missing");
  a.projection = f.Size({"projection_dim"}, 512);
  a.text = ReadClipText(text);
  a.image = ReadClipImage(image);
  f.Check(text.status());
  f.Check(image.status());
  RETURN_IF_ERROR(f.status());
  ModelDescription description = DescribeContrastive(std::move(a));
  if (!input.architecture.empty() && input.architecture != "CLIPModel") {
    description.warnings.push_back("architectures names " + input.architecture +
                                   ", which is not known: planned as CLIPModel, with both towers and their projections");
  }
  return description;
}

int64_t ReadOneProjection(FamilyInput& input) {
  const bool projects = input.architecture.ends_with("WithProjection");
  return projects ? input.fields.Size({"projection_dim"}, 512) : 0;
}

absl::StatusOr<ModelDescription> ReadClipTextModel(FamilyInput input) {
  ContrastiveArchitecture a;
  a.family = input.model_type;
  a.text = ReadClipText(input.fields);
  a.projection = ReadOneProjection(input);
  a.logit_scale = false;
  RETURN_IF_ERROR(input.fields.status());
  return DescribeContrastive(std::move(a));
}

absl::StatusOr<ModelDescription> ReadClipVisionModel(FamilyInput input) {
  ContrastiveArchitecture a;
  a.family = input.model_type;
  a.image = ReadClipImage(input.fields);
  a.projection = ReadOneProjection(input);
  a.logit_scale = false;
  RETURN_IF_ERROR(input.fields.status());
  return DescribeContrastive(std::move(a));
}

constexpr Family kFamilies[] = {
    {"vit", "ViT", ReadVit},
    {"deit", "DeiT", ReadDeit},
    {"clip", "CLIP", ReadClip},
    {"clip_text_model", "CLIPText", ReadClipTextModel},
    {"clip_vision_model", "CLIPVision", ReadClipVisionModel},
};

}  // namespace

std::span<const Family> VisionFamilies() { return kFamilies; }

}  // namespace planner::model
