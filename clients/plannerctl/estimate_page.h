#pragma once

#include <string>
#include <string_view>

#include "planner/v1/estimate.pb.h"

namespace planner::plannerctl {

/// An estimate as one HTML page without scripts and without anything from elsewhere: what
/// `estimate --html` writes, to be mailed or kept beside the job.
std::string EstimatePage(const v1::EstimateResponse& estimate);

/// `text` with the five characters that mean something to HTML replaced.
std::string EscapeHtml(std::string_view text);

}  // namespace planner::plannerctl
