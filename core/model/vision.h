#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/model/description.h"
#include "core/model/transformer_block.h"

namespace planner::model {

/// An image encoder that cuts the image into patches (ViT), as data. Paths are those of the published
/// weights; empty ones do not exist.
struct ImageTower {
  std::string path = "vit";
  int64_t image_size = 224;
  int64_t patch_size = 16;
  int64_t channels = 3;
  int64_t hidden = 1;
  int64_t layers = 1;
  Block block;
  std::string patches = "embeddings.patch_embeddings.projection";
  bool patch_bias = true;
  std::string class_token = "embeddings.cls_token";
  std::string distillation_token;  ///< "embeddings.distillation_token" (DeiT)
  std::string positions = "embeddings.position_embeddings";
  std::string first_norm;  ///< Before the first block, "pre_layrnorm".
  std::string blocks = "encoder.layer";
  std::string final_norm = "layernorm";
  bool norm_class_only = false;  ///< The final norm sees the class token alone (CLIP).

  /// Patches along a side, squared.
  int64_t PatchCount() const;
  /// Positions that the blocks see: patches and tokens.
  int64_t Positions() const;
};

/// A text encoder of CLIP's kind.
struct TextTower {
  std::string path = "text_model";
  int64_t vocab = 1;
  int64_t hidden = 1;
  int64_t layers = 1;
  int64_t max_positions = 77;
  Block block;
};

enum class ImageHead {
  kNone,
  kPooler,
  kClassification,
  kTeacherClassification,  ///< Two classifiers, one for the distillation token.
};

/// An image classifier, or the bare encoder.
struct VisionArchitecture {
  std::string family;
  ImageTower tower;
  ImageHead head = ImageHead::kPooler;
  int64_t pooled = 0;  ///< Width of the pooler; 0: hidden.
  int64_t labels = 2;
};

/// Two towers whose outputs are compared, or one of them.
struct ContrastiveArchitecture {
  std::string family;
  std::optional<ImageTower> image;
  std::optional<TextTower> text;
  int64_t projection = 0;  ///< Width that both are projected to; 0: no projections.
  bool logit_scale = true;
};

ModelDescription DescribeVision(VisionArchitecture architecture);

/// `seq_len` is that of the texts. With both towers a batch is as many images as texts, and every image
/// is compared with every text.
ModelDescription DescribeContrastive(ContrastiveArchitecture architecture);

}  // namespace planner::model
