#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace planner::base {

/// What a program needs to know of an error beside its text: the request's field that was wrong,
/// and a reason that does not change with the wording. `services/errors` turns it into
/// google.rpc.BadRequest and ErrorInfo.
struct ErrorDetail {
  std::string reason;  ///< UPPER_SNAKE_CASE, "BATCH_TOO_LARGE"; empty if none was given.
  std::string field;   ///< Path in the request or file, "model.layers[3].kernel"; empty if none.
  std::map<std::string, std::string> metadata;  ///< The values in the text, by name.
};

/// INVALID_ARGUMENT at `field`: the text reads "field: message".
absl::Status InvalidField(std::string_view field, std::string_view message, std::string_view reason = "INVALID_FIELD",
                          std::map<std::string, std::string> metadata = {});

/// NOT_FOUND with a reason, "no model is named \"lama-7b\"; nearest: llama-7b".
absl::Status NotFound(std::string_view field, std::string_view message, std::string_view reason);

/// The same error with a reason ("DISK_FULL") that does not change with the wording, and values of the text by name beside those that
/// it has. OK stays OK.
absl::Status WithReason(const absl::Status& status, std::string_view reason, const std::map<std::string, std::string>& metadata = {});

/// The same error with `prefix` put before its field's path: InvalidField("kernel", …) inside layer
/// 3 becomes "layers[3].kernel". A status without a field gets `prefix` as its field. OK stays OK.
absl::Status AtField(std::string_view prefix, const absl::Status& status);

/// The same error at `field` in place of its own field. OK stays OK.
absl::Status WithField(std::string_view field, const absl::Status& status);

/// The detail that one of the functions above attached; empty fields if there is none.
ErrorDetail DetailOf(const absl::Status& status);

/// The names of `candidates` closest to `name` by edit distance, best first, at most `count`; of equal
/// distances those of its own length first, then in the order given.
std::vector<std::string> NearestNames(std::string_view name, const std::vector<std::string>& candidates, int count = 3);

/// The one of `candidates` that `name` is likely a slip of: the nearest, if no more than a third of the letters of `name`
/// (and one at least) are wrong. "estimte" of "estimate": one of seven. Empty: none is.
std::string LikelyName(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace planner::base
