#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace planner::plannerctl {

/// The server's text with the flags of `estimate` and `count` in place of the request's fields that
/// they fill: "data_set.token_count: must be above 0" reads "--tokens: must be above 0". A field
/// within a description stays, behind its flag: "--model: model.layer_graph.layers[3]: is cyclic".
std::string NameFlags(std::string_view text);

/// The same for the text of an error.
absl::Status NameFlags(const absl::Status& status);

}  // namespace planner::plannerctl
