#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/accuracy/fitting/fit.h"

namespace planner::fitting {

/// Log ratios of every row, by constants that were fitted without it.
struct CrossValidation {
  std::vector<double> by_publication;  ///< Its whole publication was left out.
  std::vector<double> by_table;        ///< Its table was; that of publications with a single one is all of it.
};

struct CrossValidationOptions {
  std::vector<std::string> publications;  ///< Parts of names: of the others, errors are those of the fit. Empty: all.
  bool tables = true;                     ///< Whether tables of publications are left out one by one, too.
};

/// Fits again without each, from a start part of the way back to the priors. INTERNAL where a refit found nothing better than
/// its start.
absl::StatusOr<CrossValidation> CrossValidate(Fit& fit, const std::vector<Row>& rows,
                                              const perf::StepTimeConstants& constants,
                                              const CrossValidationOptions& options = {});

}  // namespace planner::fitting
