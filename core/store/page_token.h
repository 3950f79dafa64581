#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/store/store.h"

namespace planner::store {

/// Where a list goes on, as an opaque text: `scope` says what list it is of, `position` what came
/// last. ("gpus", "9") -> "677075730a39".
std::string EncodePageToken(std::string_view scope, std::string_view position);

/// The position; empty for an empty token (the first page). INVALID_ARGUMENT at "page_token" for
/// anything that EncodePageToken did not give for this scope.
absl::StatusOr<std::string> DecodePageToken(std::string_view scope, std::string_view token);

/// The same for a position that is a number from 0; an empty token gives `first`.
absl::StatusOr<int64_t> DecodeNumberToken(std::string_view scope, std::string_view token, int64_t first);

/// The scope of a store's list: "cluster/name", "plan/newest".
std::string ListScope(Kind kind, Order order);

}  // namespace planner::store
