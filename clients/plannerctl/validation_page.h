#pragma once

#include <string>
#include <string_view>

#include "planner/v1/validation.pb.h"

namespace planner::plannerctl {

/// A validation as one page: predicted against measured by source, the errors by source and GPU family, the rows that are
/// furthest off, and why rows were skipped. `name` is the table's. Texts of the table are escaped.
std::string ValidationPage(std::string_view name, const v1::ValidateRunsResponse& validation);

}  // namespace planner::plannerctl
