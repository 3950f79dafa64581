#pragma once

#include <functional>
#include <vector>

#include "tests/accuracy/fitting/parameters.h"
#include "tests/accuracy/fitting/row.h"

namespace planner::fitting {

/// How strongly the fit holds on to the priors.
struct PriorStrength {
  double ridge =
      0.0005;  ///< Weight of a constant that is one spread off its prior, in rows that are off by all of their value.
  /// Correlation of how far the constants of one field (`exposed` of every framework) are from their priors: what most
  /// frameworks tell of it, one that little was seen of is believed to have too.
  double alike = 0;
};

/// Weighted pseudo-Huber loss of log ratios plus the ridge toward the priors, minimized by Levenberg-Marquardt over the
/// logarithms of the constants with a numeric Jacobian. The ridge is that of Gaussian priors: with d the distances of a field's n
/// constants from their priors in spreads, of correlation a between any two,
///
///   1/2 ridge (sum of d^2 - a/(1 - a + n a) (sum of d)^2) / (1 - a)
class Fit {
 public:
  using Rows = std::function<bool(const Row&)>;

  /// `rows` must outlive the fit.
  Fit(std::vector<Parameter> parameters, const std::vector<Row>& rows, PriorStrength strength);

  /// Moves `constants` for at most `iterations`, as if rows of `left_out` were not there. Residuals beyond `scale` count by their
  /// size, not their square. Returns the loss.
  double Run(perf::StepTimeConstants& constants, const Rows& left_out, int iterations, double scale = 0.06);

  const std::vector<Parameter>& parameters() const { return parameters_; }

 private:
  double Slope(double residual) const;
  double Loss(perf::StepTimeConstants& constants, const std::vector<const Row*>& used) const;
  /// Spreads from the priors, of logarithms of constants.
  std::vector<double> Distances(const std::vector<double>& x) const;
  double PriorLoss(const std::vector<double>& x) const;
  void AddPrior(const std::vector<double>& x, std::vector<double>& normal, std::vector<double>& gradient) const;

  std::vector<Parameter> parameters_;
  std::vector<std::vector<size_t>> alike_;  ///< Numbers of the parameters of each field, and of each that is alone.
  const std::vector<Row>& rows_;
  PriorStrength strength_;
  double scale_ = 0.06;
};

}  // namespace planner::fitting
