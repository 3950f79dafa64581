#pragma once

#include <optional>
#include <ostream>
#include <vector>

#include "tests/accuracy/fitting/cross_validation.h"

namespace planner::fitting {

/// Errors by source (fitted, its table left out, its publication left out), family and framework, on standard output.
void PrintErrors(const std::vector<Row>& rows, const perf::StepTimeConstants& constants,
                 const std::optional<CrossValidation>& crossed);

/// Memory errors by source; with `each`, every row that says something of memory.
void PrintMemory(const std::vector<planning::MeasuredRun>& runs, const planning::RunCatalogs& catalogs, bool each);

/// A CSV of every row: measured, predicted, and the shares of the terms.
void WriteResiduals(const std::vector<Row>& rows, const perf::StepTimeConstants& constants,
                    const std::optional<CrossValidation>& crossed, std::ostream& out);

}  // namespace planner::fitting
