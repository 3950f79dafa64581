#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/model/description.h"

namespace planner::model {

/// A batch of token sequences.
struct TokenBatch {
  int64_t batch = 1;
  int64_t positions = 1;  ///< Of each sample.
};

/// The sizes that a language model runs with: `shape.inputs[0]`, if it has two dimensions, is batch x
/// positions; else `batch` and `seq_len`, else `default_positions`. INVALID_ARGUMENT at "batch",
/// "seq_len" or "inputs[0]" for sizes that are not positive or absurd, and for more positions than a
/// learned table has (`table_positions`; 0: no such table).
absl::StatusOr<TokenBatch> ResolveTokens(const BatchShape& shape, int64_t default_positions, int64_t table_positions);

/// The samples that an image model runs with: `shape.inputs[0]`, if present, must be batch x
/// `channels` x `size` x `size`; else `batch`. Errors as above.
absl::StatusOr<int64_t> ResolveImages(const BatchShape& shape, int64_t channels, int64_t size);

/// A batch with what says something about the model, and a sentence for each thing that was left out because it does
/// not: "seq_len is ignored: the model has no sequences".
struct ApplicableShape {
  BatchShape shape;
  std::vector<std::string> ignored;
};

/// Leaves out seq_len where there are no sequences or the shapes of the inputs say it already, and shapes beyond the
/// model's inputs. A loaded module and a layer graph know themselves what does not fit them, as errors; beside the shapes of a
/// module's inputs a batch or length that none of them has is only told of, for inputs without a shape are built with it. `prefix` is put
/// before the fields' names ("data_set.").
ApplicableShape LeaveOutIgnored(const ModelDescription& model, BatchShape shape, const std::string& prefix);

/// Positions of one sample of a batch: the longest that the shapes of the inputs say, else seq_len, else the model's own.
/// 0 for models without sequences. A decoder on 1x512: 512.
int64_t PositionsPerSample(const ModelDescription& model, const BatchShape& shape);

}  // namespace planner::model
