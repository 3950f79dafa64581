#pragma once

#include <ostream>

#include "clients/plannerctl/table.h"
#include "planner/v1/count.pb.h"

namespace planner::plannerctl {

/// A count for people: parameters, forward and backward work, then the module tree (each level
/// indented) and the totals by kind of operator. MACs, FLOPs and parameters are written out to the
/// last digit: they are exact.
void PrintCount(const v1::CountResponse& count, const TableStyle& style, std::ostream& out);

}  // namespace planner::plannerctl
