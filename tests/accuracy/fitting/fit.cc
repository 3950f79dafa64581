#include "tests/accuracy/fitting/fit.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace planner::fitting {

using perf::StepTimeConstants;

namespace {

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

Fit::Fit(std::vector<Parameter> parameters, const std::vector<Row>& rows, PriorStrength strength)
    : parameters_(std::move(parameters)), rows_(rows), strength_(strength) {
  std::map<std::string, std::vector<size_t>> fields;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    fields[parameter.field.empty() ? parameter.name : parameter.field].push_back(i);
  }
  for (auto& [field, numbers] : fields) alike_.push_back(std::move(numbers));
}

std::vector<double> Fit::Distances(const std::vector<double>& x) const {
  std::vector<double> distances(x.size());
  for (size_t i = 0; i < x.size(); ++i) distances[i] = (x[i] - std::log(parameters_[i].prior)) / parameters_[i].spread;
  return distances;
}

double Fit::PriorLoss(const std::vector<double>& x) const {
  const std::vector<double> distances = Distances(x);
  double loss = 0;
  for (const std::vector<size_t>& field : alike_) {
    const double n = static_cast<double>(field.size());
    const double alike = field.size() > 1 ? strength_.alike : 0;
    double sum = 0, squares = 0;
    for (const size_t i : field) {
      sum += distances[i];
      squares += distances[i] * distances[i];
    }
    loss += 0.5 * strength_.ridge * (squares - alike / (1 - alike + n * alike) * sum * sum) / (1 - alike);
  }
  return loss;
}

void Fit::AddPrior(const std::vector<double>& x, std::vector<double>& normal, std::vector<double>& gradient) const {
  const size_t size = x.size();
  const std::vector<double> distances = Distances(x);
  for (const std::vector<size_t>& field : alike_) {
    const double n = static_cast<double>(field.size());
    const double alike = field.size() > 1 ? strength_.alike : 0;
    const double common = alike / (1 - alike + n * alike);
    const double ridge = strength_.ridge / (1 - alike);
    for (const size_t i : field) {
      for (const size_t j : field) {
        const double precision = ridge * ((i == j ? 1 : 0) - common) / (parameters_[i].spread * parameters_[j].spread);
        normal[i * size + j] += precision;
        gradient[i] += precision * distances[j] * parameters_[j].spread;
      }
    }
  }
}

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
    AddPrior(x, normal, gradient);
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
  std::vector<double> x(parameters_.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::log(parameters_[i].at(constants));
  return loss + PriorLoss(x);
}

}  // namespace planner::fitting
