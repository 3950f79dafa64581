#pragma once

#include <functional>
#include <vector>

#include "tests/accuracy/fitting/parameters.h"
#include "tests/accuracy/fitting/row.h"

namespace planner::fitting {

/// Weighted pseudo-Huber loss of log ratios plus the ridge toward the priors, minimized by Levenberg-Marquardt over the
/// logarithms of the constants with a numeric Jacobian.
class Fit {
 public:
  using Rows = std::function<bool(const Row&)>;

  /// `rows` must outlive the fit.
  Fit(std::vector<Parameter> parameters, const std::vector<Row>& rows)
      : parameters_(std::move(parameters)), rows_(rows) {}

  /// Moves `constants` for at most `iterations`, as if rows of `left_out` were not there. Residuals beyond `scale` count by their
  /// size, not their square. Returns the loss.
  double Run(perf::StepTimeConstants& constants, const Rows& left_out, int iterations, double scale = 0.06);

  const std::vector<Parameter>& parameters() const { return parameters_; }

 private:
  double Slope(double residual) const;
  double Loss(perf::StepTimeConstants& constants, const std::vector<const Row*>& used) const;

  std::vector<Parameter> parameters_;
  const std::vector<Row>& rows_;
  double scale_ = 0.06;
};

}  // namespace planner::fitting
