#pragma once

#include <ostream>
#include <string>

#include "clients/plannerctl/table.h"
#include "planner/v1/run_service.pb.h"

namespace planner::plannerctl {

/// "20260101-000000-4f3a9c01" of "runs/20260101-000000-4f3a9c01".
std::string RunShortName(const std::string& name);

/// "running", "succeeded", …
std::string StateText(v1::Run::State state);
/// "on plan", "late", "early", "stalled"; "-": not known.
std::string DriftText(v1::ActualRun::Drift drift);

/// A run for people: planned beside actual.
void PrintRun(const v1::Run& run, const TableStyle& style, std::ostream& out);

/// Runs, a line each.
void PrintRuns(const v1::ListRunsResponse& list, const TableStyle& style, std::ostream& out);

/// One line: "45.2 % done, 46.0 % planned, late: 12 % slower than planned: …".
std::string ProgressText(const v1::Run& run);

}  // namespace planner::plannerctl
