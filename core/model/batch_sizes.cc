#include "core/model/batch_sizes.h"

#include <algorithm>
#include <string>
#include <utility>

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

ApplicableShape LeaveOutIgnored(const ModelDescription& model, BatchShape shape, const std::string& prefix) {
  ApplicableShape applicable;
  // A loaded module's inputs are built where none are given.
  if (model.kind == ModelKind::kModule && !shape.inputs.empty()) {
    const auto says = [&shape](size_t dimension, int64_t size) {
      return std::any_of(shape.inputs.begin(), shape.inputs.end(), [&](const TensorInput& input) {
        return input.sizes.size() > dimension && input.sizes[dimension] == size;
      });
    };
    if (shape.batch > 1 && !says(0, shape.batch))
      applicable.ignored.push_back(prefix + "batch is ignored: the shapes of the inputs say it");
    if (shape.seq_len.has_value() && !says(1, *shape.seq_len))
      applicable.ignored.push_back(prefix + "seq_len is ignored: the shapes of the inputs say it");
  }
  if (model.kind != ModelKind::kModule) {
    const auto ignore = [&](const std::string& field, const std::string& why) {
      applicable.ignored.push_back(prefix + field + " is ignored: " + why);
    };
    const size_t most = model.inputs.size();
    const size_t given = shape.inputs.size();
    // Nothing is left of seq_len where every sequence's length stands in a shape.
    bool stands_in_shapes = false;
    bool stands_open = false;
    for (size_t i = 0; i < most; ++i) {
      if (model.inputs[i].sequence_dimension >= 0) (i < given ? stands_in_shapes : stands_open) = true;
    }
    if (shape.seq_len.has_value() && !model.has_sequence) {
      ignore("seq_len", "the model has no sequences");
      shape.seq_len.reset();
    } else if (shape.seq_len.has_value() && stands_in_shapes && !stands_open) {
      ignore("seq_len", "the shape of the input says it");
      shape.seq_len.reset();
    }
    if (model.kind != ModelKind::kLayerGraph && given > most) {
      for (size_t i = most; i < given; ++i) {
        ignore("inputs[" + std::to_string(i) + "]",
               "the model takes " + std::to_string(most) + (most == 1 ? " shape" : " shapes"));
      }
      shape.inputs.resize(most);
    }
    for (size_t i = 0; i < shape.inputs.size(); ++i) {
      if (shape.inputs[i].name.empty()) continue;
      ignore("inputs[" + std::to_string(i) + "].name",
             "only the inputs of a loaded module go by name, others by position");
      shape.inputs[i].name.clear();
    }
  }
  applicable.shape = std::move(shape);
  return applicable;
}

int64_t PositionsPerSample(const ModelDescription& model, const BatchShape& shape) {
  if (!model.has_sequence) return 0;
  const int64_t by_default = shape.seq_len.value_or(model.default_seq_len);
  int64_t longest = 0;
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    const InputUse& use = model.inputs[i];
    if (use.sequence_dimension < 0) continue;
    const auto dimension = static_cast<size_t>(use.sequence_dimension);
    const bool given = i < shape.inputs.size() && dimension < shape.inputs[i].sizes.size();
    const int64_t own = use.positions > 0 && !shape.seq_len.has_value() ? use.positions : by_default;
    longest = std::max(longest, given ? shape.inputs[i].sizes[dimension] : own);
  }
  return longest > 0 ? longest : by_default;
}

}  // namespace planner::model
