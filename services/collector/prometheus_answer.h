#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::collector {

/// The newest sample of a series.
struct Series {
  std::vector<std::string> labels;  ///< The values of the labels that were asked for, in their order; "": it has none of the name.
  absl::Time time;
  double value = 0;  ///< May be NaN or infinite.
};

/// Reads an answer of Prometheus' HTTP API to an instant query (/api/v1/query): an instant vector, or the ranges of samples of a matrix, of
/// each of which the newest is taken. The time of a vector's sample is that of the query. Series without a plain number (histograms) are left
/// out. Memory is that of what is kept; nothing recurses, however deep the text.
///
/// INVALID_ARGUMENT for anything else, FAILED_PRECONDITION for an answer that says it is an error.
absl::StatusOr<std::vector<Series>> ParseAnswer(std::string_view body, const std::vector<std::string>& labels);

}  // namespace planner::collector
