#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/model/description.h"
#include "core/model/transformer_block.h"

namespace planner::model {

/// What a block may differ in from its neighbours.
struct LayerVariant {
  bool experts = false;
  int64_t window = 0;  ///< 0: attends to everything.
  bool rotary = true;
  friend bool operator==(const LayerVariant&, const LayerVariant&) = default;
};

/// Equal blocks of a stack.
struct BlockGroup {
  LayerVariant variant;
  Block block;
  int64_t count = 1;
  std::string label;  ///< "dense", "moe", "sliding", "moe_full": empty if all blocks are equal.
};

/// Groups a stack's layers by their variants, in the order in which these first appear, so that a
/// model of a thousand layers is a tree of as many nodes as it has different ones.
std::vector<BlockGroup> GroupBlocks(int64_t layers, const std::function<LayerVariant(int64_t)>& variant_of,
                                    const std::function<Block(const LayerVariant&)>& make_block);

/// What stands on top of a decoder.
enum class DecoderHead {
  kNone,
  kLanguageModel,
  kSequenceClassification,  ///< A score for each label, without bias.
  kTokenClassification,
  kQuestionAnswering,
  kDoubleHeads,  ///< A language-model head, and a summary of one position for multiple choice (GPT-2).
};

/// A decoder-only language model, as data. Paths are those of the published weights; `trunk` is put
/// before all but the head's.
struct DecoderArchitecture {
  std::string family;
  std::string trunk = "model";
  int64_t vocab = 1;
  int64_t hidden = 1;
  std::string embedding = "embed_tokens";
  int64_t embedding_width = 0;  ///< 0: hidden. Else projections stand between (opt-350m).
  bool scaled_embedding = false;
  std::string position_table;  ///< Learned positions: "wpe".
  int64_t position_rows = 0;   ///< Entries of that table.
  std::string embedding_norm;  ///< "word_embeddings_layernorm"
  std::string blocks = "layers";
  std::vector<BlockGroup> groups;
  NormStyle norm;
  std::string final_norm = "norm";
  DecoderHead head = DecoderHead::kLanguageModel;
  std::string head_name = "lm_head";
  bool tied = false;
  bool head_bias = false;
  int64_t labels = 2;
  int64_t question_outputs = 2;  ///< The start and the end of an answer.
  int64_t summary_width = 0;     ///< Of kDoubleHeads' summary; 0: it has no weights.
  bool logit_softcap = false;
  int64_t max_positions = 0;  ///< 0: unlimited.
  int64_t extra_stored_parameters = 0;
  std::vector<std::string> warnings;
};

/// The description of a decoder. Its expansion names blocks by their groups: "model.layers.mlp", or
/// "model.layers.moe.mlp" where there are several.
ModelDescription DescribeDecoder(DecoderArchitecture architecture);

/// Below `stack`, at `path`: each group as one module with as many instances and calls as it has
/// blocks.
void AddBlocks(Module& stack, const std::string& path, const std::vector<BlockGroup>& groups, int64_t batch,
               int64_t positions, int64_t memory_positions, CheckedSizes& sizes);

/// Sizes of a stack for planners. `vocab` and `tied_embeddings` are left to the caller.
TransformerShape ShapeOf(const std::vector<BlockGroup>& groups);

/// The default sequence length: min(longest, 4096), or 2048 for models without a longest one.
int64_t DefaultPositions(int64_t max_positions);

}  // namespace planner::model
