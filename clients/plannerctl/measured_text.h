#pragma once

#include <string>

#include "planner/v1/utilization.pb.h"

namespace planner::plannerctl {

/// "71 % busy, 35 % tensor, 12 of 16 GPUs occupied, 20s ago; timeout: …": what was last measured of a pool, how old it is, and why there is
/// nothing newer.
std::string MeasuredText(const v1::MeasuredUtilization& measured);

}  // namespace planner::plannerctl
