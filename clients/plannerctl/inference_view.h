#pragma once

#include <ostream>

#include "clients/plannerctl/table.h"
#include "planner/v1/estimate.pb.h"

namespace planner::plannerctl {

/// The answer to an estimate of inference for people: a line with the best option, the options as a table; with `explain` the memory and the
/// decode step of the first one, and how the numbers came about.
void PrintInference(const v1::EstimateResponse& estimate, bool explain, const TableStyle& style, std::ostream& out);

}  // namespace planner::plannerctl
