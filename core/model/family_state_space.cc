// Mamba, in transformers' spelling and in that of the original files.

#include <utility>

#include "core/base/checked.h"
#include "core/base/status_macros.h"
#include "core/model/family.h"
#include "core/model/state_space.h"

namespace planner::model {
namespace {

absl::StatusOr<ModelDescription> ReadMamba(FamilyInput input) {
  Fields& f = input.fields;
  std::vector<std::string> warnings;
  MambaArchitecture a;
  a.family = input.model_type;
  a.hidden = f.Size({"hidden_size", "d_model"});
  a.layers = f.Layers({"num_hidden_layers", "n_layer"});
  a.vocab = f.Size({"vocab_size"});
  // The original pads the vocabulary, whose size its files give without the padding.
  const int64_t multiple = f.Size({"pad_vocab_size_multiple"}, 1);
  a.vocab = (a.vocab + multiple - 1) / multiple * multiple;
  const int64_t expand = f.Size({"expand"}, 2);
  // transformers derives the inner width from expand, whatever intermediate_size says.
  a.inner = (base::Checked(expand) * a.hidden).ValueOrZero();
  if (a.inner == 0) f.Fail("expand", "is too large: expand=" + std::to_string(expand));
  a.state = f.Size({"state_size", "d_state"}, 16);
  a.kernel = f.Size({"conv_kernel", "d_conv"}, 4);
  const Fields layer = f.Object("ssm_cfg");
  if (layer.Has({"layer"}) && !layer.TextIs("layer", "Mamba1")) {
    f.Fail("ssm_cfg.layer", "is not supported: only Mamba-1's layers are");
  }
  if (f.Counts({"attn_layer_idx"}).size() > 0) f.Fail("attn_layer_idx", "is not supported: attention among the layers");
  const bool automatic = f.TextIs("time_step_rank", "auto");
  a.step_rank = automatic ? (a.hidden + 15) / 16 : f.Size({"time_step_rank"}, (a.hidden + 15) / 16);
  a.bias = f.Flag({"use_bias"}, false);
  a.convolution_bias = f.Flag({"use_conv_bias"}, true);
  a.tied = f.Flag({"tie_word_embeddings", "tie_embeddings"}, true);
  a.has_head = ReadDecoderHead(input.architecture, warnings) != DecoderHead::kNone;
  RETURN_IF_ERROR(f.status());
  ModelDescription description = DescribeMamba(std::move(a));
  description.warnings = std::move(warnings);
  return description;
}

constexpr Family kFamilies[] = {{"mamba", "Mamba", ReadMamba}};

}  // namespace

std::span<const Family> StateSpaceFamilies() { return kFamilies; }

}  // namespace planner::model
