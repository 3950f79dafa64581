#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/model/description.h"
#include "core/model/transformer_block.h"

namespace planner::model {

/// One side of an encoder-decoder model. Paths are below `path`; empty ones do not exist.
struct TransformerStack {
  std::string path = "encoder";
  std::string blocks = "layers";
  Block block;
  int64_t layers = 1;
  std::string position_table;  ///< Learned positions, "embed_positions".
  int64_t position_rows = 0;
  std::string embedding_norm;  ///< "layernorm_embedding"
  std::string final_norm;
  std::string relative_table;    ///< Relative positions that all blocks share (T5).
  int64_t relative_entries = 0;  ///< Buckets x heads.
};

/// The convolutions that make positions of a spectrogram (Whisper): two of kernel 3, the second with
/// stride 2.
struct SpeechInput {
  int64_t bins = 80;         ///< Of the spectrogram.
  int64_t positions = 1500;  ///< That leave the convolutions; the model takes no other number.
};

enum class EncoderDecoderHead {
  kNone,
  kLanguageModel,
  kSequenceClassification,
  kQuestionAnswering,    ///< Start and end of an answer at every position of the decoder.
  kEncoderOnly,          ///< Not even a decoder (T5EncoderModel).
  kTokenClassification,  ///< On the encoder alone.
};

/// Whether a model with the head has a decoder.
constexpr bool HasDecoder(EncoderDecoderHead head) {
  return head != EncoderDecoderHead::kEncoderOnly && head != EncoderDecoderHead::kTokenClassification;
}

/// A model with two sides, as data. Paths are those of the published weights; `trunk` is put before
/// all but the head's.
struct EncoderDecoderArchitecture {
  std::string family;
  std::string trunk;
  int64_t vocab = 1;
  int64_t hidden = 1;
  std::string embedding = "shared";  ///< Of both sides; of the decoder alone with a speech input.
  std::optional<SpeechInput> speech;
  TransformerStack encoder;
  TransformerStack decoder;
  EncoderDecoderHead head = EncoderDecoderHead::kLanguageModel;
  std::string head_name = "lm_head";
  bool tied = true;
  bool scaled_embedding = false;
  bool scaled_output = false;  ///< Before a tied head (T5).
  int64_t labels = 2;
  int64_t max_positions = 0;
  int64_t default_positions = 512;
};

/// The description. `seq_len` is the length of both sides; of the decoder alone with a speech input.
ModelDescription DescribeEncoderDecoder(EncoderDecoderArchitecture architecture);

}  // namespace planner::model
