#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <ostream>
#include <string>

#include "absl/time/time.h"
#include "clients/plannerctl/table.h"
#include "planner/v1/estimate.pb.h"

namespace planner::plannerctl {

/// An estimate for people: three lines with the answer, its cost and the work; the candidates as a
/// table; with `explain` where the memory goes and how the numbers of the best one came about.
void PrintEstimate(const v1::EstimateResponse& estimate, bool explain, const TableStyle& style, std::ostream& out);

/// "64 × A100-SXM-80GB".
std::string Cards(const v1::Recommendation& recommendation);

/// "DP 8 × TP 8 × PP 4, EP 2": the degrees above 1, "single GPU" if there are none.
std::string LayoutText(const v1::Layout& layout);

/// "none", "selective", "full".
std::string RecomputeText(v1::Layout::Recompute recompute);

/// Where its times are from: "predicted", "given"; "measured, 12 runs".
std::string SourceOf(const v1::Recommendation& recommendation);

absl::Duration ToDuration(const google::protobuf::Duration& duration);
absl::Time ToTime(const google::protobuf::Timestamp& time);

}  // namespace planner::plannerctl
