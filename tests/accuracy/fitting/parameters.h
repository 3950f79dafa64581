#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/perf/step_constants.h"
#include "tests/accuracy/fitting/row.h"

namespace planner::fitting {

/// A constant that may move: its place, and what is believed of it before any run was seen.
struct Parameter {
  std::string name;
  std::function<double&(perf::StepTimeConstants&)> at;
  double prior = 0;
  double spread = 0;
  double low = 0, high = 0;
  std::string family, framework;  ///< Rows of others do not depend on it; empty: all do.
  bool all_frameworks = true;
  std::string field;  ///< Constants of one field are believed to be off their priors alike: see Fit.

  bool Concerns(const Row& row) const {
    return (family.empty() || row.family == family) && (all_frameworks || row.framework_key == framework);
  }
};

/// All that the fields' spreads let move, but for the typical framework.
std::vector<Parameter> ParametersOf(const perf::StepTimeConstants& priors);

/// Makes the typical framework the mean of those that large models are trained with on GPUs: its times are the mean of theirs, as far as
/// times are sums of terms that grow with a constant, or shrink with one that is a rate (whose reciprocals are averaged).
void SetTypicalFramework(perf::StepTimeConstants& constants);

}  // namespace planner::fitting
