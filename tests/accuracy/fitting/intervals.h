#pragma once

#include <vector>

#include "core/perf/step_constants.h"
#include "nlohmann/json.hpp"
#include "tests/accuracy/fitting/row.h"

namespace planner::fitting {

/// Widths that nine of ten residuals lie within, of ever narrower classes, each pulled toward the wider one it is in as if
/// that were 24 rows more. The widest one is of residuals of cross-validation: a class that nothing was seen of.
nlohmann::ordered_json Intervals(const std::vector<Row>& rows, const std::vector<double>& fitted,
                                 const std::vector<double>& crossed);

}  // namespace planner::fitting
