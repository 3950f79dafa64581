#pragma once

#include <cstdint>
#include <string>

#include "core/model/description.h"
#include "core/model/transformer_block.h"

namespace planner::model {

/// What stands on top of an encoder.
enum class EncoderHead {
  kNone,
  kMaskedLanguageModel,
  kPreTraining,    ///< Masked language model and a label for the pair of sentences.
  kNextSentence,   ///< Only the latter.
  kReplacedToken,  ///< ELECTRA's discriminator: one score a token.
  kSequenceClassification,
  kTokenClassification,
  kQuestionAnswering,
  kMultipleChoice,
};

/// A text encoder of BERT's kind, as data. Paths are those of the published weights; `trunk` is put
/// before all but the heads'. An empty path means that the part does not exist.
struct EncoderArchitecture {
  std::string family;
  std::string trunk = "bert";
  int64_t vocab = 1;
  int64_t hidden = 1;
  int64_t embedding_width = 0;  ///< 0: hidden. Else a projection with a bias follows (ALBERT, ELECTRA).
  std::string embedding_projection;
  int64_t position_rows = 0;  ///< Entries of the table of positions.
  int64_t max_positions = 0;  ///< Positions that it can take, which may be fewer.
  int64_t type_rows = 0;      ///< Token types; 0: no table.
  std::string blocks = "encoder.layer";
  Block block;
  int64_t block_instances = 1;
  int64_t block_calls = 1;
  std::string pooler = "pooler.dense";
  EncoderHead head = EncoderHead::kNone;
  bool tied = true;
  int64_t labels = 2;
  std::string activation = "gelu";  ///< Of the heads.
  std::string mask_dense = "cls.predictions.transform.dense";
  std::string mask_norm = "cls.predictions.transform.LayerNorm";
  std::string mask_decoder = "cls.predictions.decoder";
  std::string pair_label = "cls.seq_relationship";
  int64_t pair_labels = 2;
  std::string classifier_dense;  ///< A layer before the classifier's last, in place of the pooler.
  std::string classifier = "classifier";
  std::string choice_dense;  ///< The same for multiple choice.
  std::string choice_activation = "relu";
  bool causal = false;
};

/// The description of an encoder. Heads that need one vector a sample run on `batch` rows; masked
/// language models score every position, as their published code does.
ModelDescription DescribeEncoder(EncoderArchitecture architecture);

}  // namespace planner::model
