#pragma once

#include <cstdint>

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

}  // namespace planner::model
