#pragma once

#include <string>

#include "planner/v1/estimate.pb.h"

namespace planner::plannerctl {

/// An estimate as one HTML page without scripts and without anything from elsewhere: what
/// `estimate --html` writes, to be mailed or kept beside the job.
std::string EstimatePage(const v1::EstimateResponse& estimate);

}  // namespace planner::plannerctl
