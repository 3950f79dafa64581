#include "tests/accuracy/fitting/fit.h"

#include <algorithm>
#include <cmath>

namespace planner::fitting {

using perf::StepTimeConstants;

namespace {

constexpr double kRidge = 0.0005;

/// (normal + damping diagonal) step = gradient, by Cholesky.
std::vector<double> Solve(std::vector<double> a, std::vector<double> b, double damping) {
  const size_t n = b.size();
  for (size_t i = 0; i < n; ++i) a[i * n + i] *= 1 + damping;
  for (size_t j = 0; j < n; ++j) {
    for (size_t k = 0; k < j; ++k) a[j * n + j] -= a[j * n + k] * a[j * n + k];
    a[j * n + j] = std::sqrt(std::max(a[j * n + j], 1e-12));
    for (size_t i = j + 1; i < n; ++i) {
      for (size_t k = 0; k < j; ++k) a[i * n + j] -= a[i * n + k] * a[j * n + k];
      a[i * n + j] /= a[j * n + j];
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

}  // namespace

double Fit::Run(StepTimeConstants& constants, const Rows& left_out, int iterations, double scale) {
  scale_ = scale;
  bool converged = false;
  std::vector<const Row*> used;
  for (const Row& row : rows_) {
    if (!left_out(row)) used.push_back(&row);
  }
  const size_t n = parameters_.size();
  std::vector<double> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = std::log(parameters_[i].at(constants));
  double loss = Loss(constants, used);
  double damping = 1e-3;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    std::vector<double> base(used.size());
    for (size_t r = 0; r < used.size(); ++r) base[r] = LogRatio(*used[r], constants);
    std::vector<std::vector<float>> jacobian(n, std::vector<float>(used.size()));
    constexpr double kStep = 1e-4;
    for (size_t i = 0; i < n; ++i) {
      double& value = parameters_[i].at(constants);
      const double kept = value;
      value = kept * std::exp(kStep);
      for (size_t r = 0; r < used.size(); ++r) {
        if (parameters_[i].Concerns(*used[r]))
          jacobian[i][r] = static_cast<float>((LogRatio(*used[r], constants) - base[r]) / kStep);
      }
      value = kept;
    }
    std::vector<double> normal(n * n), gradient(n);
    for (size_t r = 0; r < used.size(); ++r) {
      const double w = used[r]->weight * Slope(base[r]);
      std::vector<size_t> moved;
      for (size_t i = 0; i < n; ++i) {
        if (jacobian[i][r] != 0) moved.push_back(i);
      }
      for (const size_t i : moved) {
        gradient[i] += w * jacobian[i][r] * base[r];
        for (const size_t j : moved) normal[i * n + j] += w * jacobian[i][r] * jacobian[j][r];
      }
    }
    for (size_t i = 0; i < n; ++i) {
      const double ridge = kRidge / (parameters_[i].spread * parameters_[i].spread);
      normal[i * n + i] += ridge;
      gradient[i] += ridge * (x[i] - std::log(parameters_[i].prior));
    }
    bool better = false;
    for (int attempt = 0; attempt < 20 && !better; ++attempt) {
      std::vector<double> step = Solve(normal, gradient, damping);
      std::vector<double> trial(n);
      for (size_t i = 0; i < n; ++i) {
        const double moved = x[i] - std::clamp(step[i], -0.5, 0.5);
        trial[i] = std::clamp(moved, std::log(parameters_[i].low), std::log(parameters_[i].high));
        parameters_[i].at(constants) = std::exp(trial[i]);
      }
      const double trial_loss = Loss(constants, used);
      if (trial_loss < loss) {
        better = true;
        converged = loss - trial_loss < 1e-6 * loss;
        loss = trial_loss;
        x = trial;
        damping = std::max(1e-6, damping * 0.3);
      } else {
        damping *= 4;
      }
    }
    if (!better) {
      for (size_t i = 0; i < n; ++i) parameters_[i].at(constants) = std::exp(x[i]);
      break;
    }
    if (converged) break;
  }
  return loss;
}

double Fit::Slope(double residual) const { return 1 / std::sqrt(1 + residual * residual / (scale_ * scale_)); }

double Fit::Loss(StepTimeConstants& constants, const std::vector<const Row*>& used) const {
  double loss = 0;
  for (const Row* row : used) {
    const double r = LogRatio(*row, constants) / scale_;
    loss += row->weight * scale_ * scale_ * (std::sqrt(1 + r * r) - 1);
  }
  for (const Parameter& parameter : parameters_) {
    const double d = std::log(parameter.at(constants) / parameter.prior) / parameter.spread;
    loss += 0.5 * kRidge * d * d;
  }
  return loss;
}

}  // namespace planner::fitting
