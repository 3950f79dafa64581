#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "clients/plannerctl/table.h"
#include "planner/v1/validation.pb.h"

namespace planner::plannerctl {

/// A validation for people: what there was in all, the errors by publication and by GPU family; with `rows`, every row
/// first.
void PrintValidation(const v1::ValidateRunsResponse& validation, bool rows, const TableStyle& style, std::ostream& out);

/// What is said of all rows, a sentence each.
std::vector<std::string> ValidationSummary(const v1::ValidateRunsResponse& validation);

/// The cells of one group: rows, rows with times, MAPE, median ratio, coverage; rows with memory, its MAPE. "-" where
/// nothing was measured.
std::vector<std::string> GroupCells(const v1::RunGroup& group);
/// Their titles.
std::vector<std::string> GroupTitles();

/// Why rows were skipped, and how many: the most frequent first.
std::vector<std::pair<std::string, int>> SkipReasons(const v1::ValidateRunsResponse& validation);

/// "64 × A100-SXM-80GB"; the type alone where the number is unknown.
std::string CardsText(const v1::RunPrediction& row);

/// Seconds of a step with three digits: 63.05 is "63.1 s", 0.0882 "0.0882 s"; 0 is "-".
std::string StepText(double seconds);

/// Predicted over measured less 1, "+4.5 %"; "-" where one is not known.
std::string DeviationText(double predicted, double measured);

}  // namespace planner::plannerctl
