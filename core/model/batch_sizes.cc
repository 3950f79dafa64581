#include "core/model/batch_sizes.h"

#include <string>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/json_fields.h"

namespace planner::model {
namespace {

absl::Status CheckSize(const char* field, int64_t value) {
  if (value >= 1 && value <= kMaxSize) return absl::OkStatus();
  return base::InvalidField(field, "must be 1 to " + std::to_string(kMaxSize) + ": value=" + std::to_string(value));
}

}  // namespace

absl::StatusOr<TokenBatch> ResolveTokens(const BatchShape& shape, int64_t default_positions, int64_t table_positions) {
  TokenBatch tokens{shape.batch, shape.seq_len.value_or(default_positions)};
  const char* field = "seq_len";
  if (!shape.inputs.empty()) {
    if (shape.inputs[0].sizes.size() != 2) {
      return base::InvalidField("inputs[0]", "must be batch x positions for a language model: dimensions=" +
                                                 std::to_string(shape.inputs[0].sizes.size()));
    }
    field = "inputs[0]";
    tokens = {shape.inputs[0].sizes[0], shape.inputs[0].sizes[1]};
  }
  RETURN_IF_ERROR(CheckSize(shape.inputs.empty() ? "batch" : field, tokens.batch));
  RETURN_IF_ERROR(CheckSize(field, tokens.positions));
  if (table_positions > 0 && tokens.positions > table_positions) {
    return base::InvalidField(
        field, "is longer than the model's table of positions: positions=" + std::to_string(tokens.positions) +
                   " table=" + std::to_string(table_positions));
  }
  return tokens;
}

absl::StatusOr<int64_t> ResolveImages(const BatchShape& shape, int64_t channels, int64_t size) {
  int64_t batch = shape.batch;
  if (!shape.inputs.empty()) {
    const std::vector<int64_t>& input = shape.inputs[0].sizes;
    if (input.size() != 4 || input[1] != channels || input[2] != size || input[3] != size) {
      std::string text;
      for (const int64_t dimension : input) {
        text += (text.empty() ? "" : "x") + std::to_string(dimension);
      }
      return base::InvalidField("inputs[0]", "must be batch x " + std::to_string(channels) + " x " +
                                                 std::to_string(size) + " x " + std::to_string(size) +
                                                 ": shape=" + text);
    }
    batch = input[0];
  }
  RETURN_IF_ERROR(CheckSize(shape.inputs.empty() ? "batch" : "inputs[0]", batch));
  return batch;
}

}  // namespace planner::model
