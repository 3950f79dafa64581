// Fits the constants of the step-time model to a table of measured runs and prints the errors by source: see
// tests/accuracy/README.md. Started by tests/accuracy/fit.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "core/perf/step_constants.h"
#include "core/planning/run_prediction.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "services/catalog/catalog.h"

namespace planner {
namespace {

using perf::StepTimeConstants;
using planning::MeasuredRun;
using planning::RunDescription;

/// A constant that may move: its place, and what is believed of it before any run was seen.
struct Parameter {
  std::string name;
  std::function<double&(StepTimeConstants&)> at;
  double prior = 0;
  double spread = 0;
  double low = 0, high = 0;
  std::string family, framework;  ///< Rows of others do not depend on it; empty: all do.
  bool all_frameworks = true;

  template <typename Row>
  bool Concerns(const Row& row) const {
    return (family.empty() || row.family == family) && (all_frameworks || row.framework_key == framework);
  }
};

struct Row {
  std::string id, source, family, framework, framework_key;
  RunDescription description;
  double measured = 0;
  double weight = 1;
  size_t source_index = 0;
};

std::vector<Parameter> ParametersOf(const StepTimeConstants& priors) {
  std::vector<Parameter> parameters;
  for (const auto& [family, values] : priors.families) {
    for (const auto& field : perf::FamilyFields()) {
      if (field.spread <= 0) continue;
      parameters.push_back({fmt::format("families.{}.{}", family, field.name),
                            [name = family, member = field.member](StepTimeConstants& c) -> double& {
                              return c.families.find(name)->second.*member;
                            },
                            values.*field.member, field.spread, field.low, field.high, family});
    }
  }
  for (const auto& [framework, values] : priors.frameworks) {
    for (const auto& field : perf::FrameworkFields()) {
      if (field.spread <= 0) continue;
      parameters.push_back({fmt::format("frameworks.{}.{}", framework, field.name),
                            [name = framework, member = field.member](StepTimeConstants& c) -> double& {
                              return c.frameworks.find(name)->second.*member;
                            },
                            values.*field.member, field.spread, field.low, field.high, "", framework, false});
    }
  }
  for (const auto& field : perf::SharedFields()) {
    if (field.spread <= 0) continue;
    parameters.push_back({fmt::format("shared.{}", field.name),
                          [member = field.member](StepTimeConstants& c) -> double& { return c.shared.*member; },
                          priors.shared.*field.member, field.spread, field.low, field.high, "", "", true});
  }
  return parameters;
}

double LogRatio(const Row& row, const StepTimeConstants& constants) {
  const auto step = planning::StepTimeOf(row.description, constants);
  return step.ok() ? std::log(step->total() / row.measured) : 0;
}

/// A publication whose figures scatter (readings of single iterations, several versions of a program under one description)
/// says less: rows weigh by how closely the model can follow their publication, within a factor of six.
void WeighByNoise(std::vector<Row>& rows, const StepTimeConstants& constants) {
  std::map<size_t, std::vector<double>> residuals;
  for (const Row& row : rows) residuals[row.source_index].push_back(std::abs(LogRatio(row, constants)));
  for (Row& row : rows) {
    std::vector<double>& of_source = residuals[row.source_index];
    std::nth_element(of_source.begin(), of_source.begin() + static_cast<ptrdiff_t>(of_source.size() / 2),
                     of_source.end());
    constexpr double kUsual = 0.05;
    constexpr double kLeast = 0.018;
    row.weight *= std::clamp(std::pow(kUsual / std::max(kLeast, of_source[of_source.size() / 2]), 1.5), 0.8, 5.0);
  }
}

/// Weighted pseudo-Huber loss of log ratios plus the ridge toward the priors, minimized by Levenberg-Marquardt over the
/// logarithms of the constants with a numeric Jacobian.
class Fit {
 public:
  Fit(std::vector<Parameter> parameters, const std::vector<Row>& rows)
      : parameters_(std::move(parameters)), rows_(rows) {}

  using Rows = std::function<bool(const Row&)>;

  /// Rows of `left_out` do not count. Returns the loss.
  double Run(StepTimeConstants& constants, const Rows& left_out, int iterations, double scale = 0.06) {
    scale_ = scale;
    converged_ = false;
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
          converged_ = loss - trial_loss < 1e-6 * loss;
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
      if (converged_) break;
    }
    return loss;
  }

  const std::vector<Parameter>& parameters() const { return parameters_; }

 private:
  double scale_ = 0.06;  ///< Residuals beyond it count by their size, not their square.
  static constexpr double kRidge = 0.0005;

  double Slope(double residual) const { return 1 / std::sqrt(1 + residual * residual / (scale_ * scale_)); }

  double Loss(StepTimeConstants& constants, const std::vector<const Row*>& used) const {
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

  /// (normal + damping diagonal) step = gradient, by Cholesky.
  static std::vector<double> Solve(std::vector<double> a, std::vector<double> b, double damping) {
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

  std::vector<Parameter> parameters_;
  const std::vector<Row>& rows_;
  bool converged_ = false;
};

struct Errors {
  int rows = 0;
  double sum = 0;
  std::vector<double> ratios;
  int covered = 0;

  void Add(double log_ratio, bool within = false) {
    covered += within;
    ++rows;
    sum += std::abs(std::exp(log_ratio) - 1);
    ratios.push_back(std::exp(log_ratio));
  }
  double mape() const { return rows > 0 ? 100 * sum / rows : 0; }
  double median() {
    if (ratios.empty()) return 1;
    std::sort(ratios.begin(), ratios.end());
    return ratios[ratios.size() / 2];
  }
};

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

nlohmann::ordered_json Values(const StepTimeConstants& constants) {
  const auto rounded = [](double value) { return std::stod(fmt::format("{:.4g}", value)); };
  nlohmann::ordered_json json;
  for (const auto& [name, values] : constants.families) {
    for (const auto& field : perf::FamilyFields())
      json["families"][name][std::string(field.name)] = rounded(values.*field.member);
  }
  for (const auto& [name, values] : constants.frameworks) {
    for (const auto& field : perf::FrameworkFields())
      json["frameworks"][name][std::string(field.name)] = rounded(values.*field.member);
  }
  for (const auto& field : perf::SharedFields())
    json["shared"][std::string(field.name)] = rounded(constants.shared.*field.member);
  return json;
}

/// Widths that nine of ten residuals lie within, of ever narrower classes, each pulled toward the wider one it is in as if
/// that were kPull rows more. The widest one is of residuals of cross-validation: a class that nothing was seen of.
nlohmann::ordered_json Intervals(const std::vector<Row>& rows, const std::vector<double>& fitted,
                                 const std::vector<double>& crossed) {
  constexpr double kPull = 24;
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, std::vector<double>> classes;
  for (size_t r = 0; r < rows.size(); ++r) {
    const std::string size(perf::SizeClass(rows[r].description.memory.parameters));
    const std::string& framework = rows[r].description.framework;
    for (const Key& key : {Key{"*", "*", "*"}, Key{framework, "*", "*"}, Key{framework, rows[r].family, "*"},
                           Key{framework, rows[r].family, size}}) {
      classes[key].push_back(std::abs(std::get<0>(key) == "*" ? crossed[r] : fitted[r]));
    }
  }
  const auto quantile = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[static_cast<size_t>(0.93 * static_cast<double>(values.size() - 1) + 0.5)];
  };
  std::map<Key, double> widths;
  const auto width = [&](const Key& key, double parent) {
    const std::vector<double>& values = classes[key];
    const double n = static_cast<double>(values.size());
    return (n * quantile(values) + kPull * parent) / (n + kPull);
  };
  const double all = quantile(classes[{"*", "*", "*"}]);
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& [key, values] : classes) {
    const auto& [framework, family, size] = key;
    double value = all;
    if (framework != "*") value = width({framework, "*", "*"}, all);
    if (family != "*") value = width({framework, family, "*"}, value);
    if (size != "*") value = width(key, value);
    json.push_back({{"framework", framework},
                    {"family", family},
                    {"size", size},
                    {"rows", values.size()},
                    {"half_width", std::stod(fmt::format("{:.3f}", value))}});
  }
  return json;
}

/// The part of a source's name before its own subdivisions, so that a source is left out as a whole.
std::string Publication(const std::string& source) { return source.substr(0, source.find(" / ")); }

/// Memory of every row that says something of it, and the errors.
void PrintMemory(const std::vector<MeasuredRun>& runs, const planning::RunCatalogs& catalogs, bool each) {
  constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
  std::map<std::string, Errors> by_source;
  Errors all;
  int ok_rows = 0, ok_wrong = 0, oom_rows = 0, oom_wrong = 0;
  for (const MeasuredRun& run : runs) {
    const planning::RunPrediction prediction = planning::Predict(run, catalogs);
    if (!prediction.fits) continue;
    const auto measured = planning::MeasuredPeakMemoryGib(run);
    const bool oom = run.status == "oom";
    (oom ? oom_rows : ok_rows) += 1;
    const bool wrong = oom == *prediction.fits;
    if (wrong) (oom ? oom_wrong : ok_wrong) += 1;
    if (measured) {
      by_source[run.source].Add(std::log(*prediction.peak_memory_gib / *measured));
      all.Add(std::log(*prediction.peak_memory_gib / *measured));
    }
    if (each && (measured || wrong || oom)) {
      const auto d = planning::DescribeRun(run, catalogs.gpus, catalogs.models);
      const auto m = parallel::PeakMemory(d->memory, d->layout, d->micro_batches);
      const auto gib = [](int64_t bytes) { return static_cast<double>(bytes) / kGib; };
      std::printf(
          "%s %-22.22s %-9.9s t%ld p%ld d%ld v%ld e%ld mb%ld z%d rc%d %s %s %s | measured %.1f predicted %.1f of %.0f: "
          "w %.1f g %.1f o %.1f act %.1f over %.1f%s\n",
          run.id.c_str(), run.model.c_str(), run.gpu_type.c_str(), d->layout.tensor_parallel,
          d->layout.pipeline_parallel, d->layout.data_parallel, d->layout.virtual_pipeline, d->layout.expert_parallel,
          d->layout.micro_batch_size, d->layout.zero_stage, static_cast<int>(d->layout.recompute),
          run.precision.c_str(), run.framework.c_str(), run.task.c_str(), measured.value_or(0),
          *prediction.peak_memory_gib, d->capacity_bytes / kGib, gib(m.parameter_bytes), gib(m.gradient_bytes),
          gib(m.optimizer_bytes), gib(m.activation_bytes), gib(m.overhead_bytes),
          wrong ? (oom ? "  OOM ROW FITS" : "  OK ROW DOES NOT FIT") : "");
    }
  }
  for (auto& [source, errors] : by_source)
    std::printf("memory %4d %8.2f %8.3f  %s\n", errors.rows, errors.mape(), errors.median(), source.c_str());
  std::printf("memory %4d %8.2f %8.3f  all; oom rows that fit: %d of %d; ok rows that do not: %d of %d\n", all.rows,
              all.mape(), all.median(), oom_wrong, oom_rows, ok_wrong, ok_rows);
}

int Main(int argc, char** argv) {
  std::string runs_path, constants_path, residuals_path;
  bool cross = true, fit_it = true, memory_rows = false;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--no-cross-validation") {
      cross = false;
    } else if (flag == "--no-fit") {
      fit_it = cross = false;
    } else if (flag == "--memory") {
      memory_rows = true;
    } else if (i + 1 < argc && flag == "--runs") {
      runs_path = argv[++i];
    } else if (i + 1 < argc && flag == "--constants") {
      constants_path = argv[++i];
    } else if (i + 1 < argc && flag == "--residuals") {
      residuals_path = argv[++i];
    } else {
      std::cerr << "usage: fit --runs FILE.csv [--constants FILE.json] [--residuals FILE.csv] [--no-cross-validation] "
                   "[--no-fit]\n";
      return 2;
    }
  }
  const auto runs = planning::ParseMeasuredRuns(ReadFile(runs_path));
  if (!runs.ok()) {
    std::cerr << runs_path << ": " << runs.status().message() << "\n";
    return 2;
  }
  const std::string file =
      constants_path.empty() ? std::string(perf::StepTimeConstantsFile()) : ReadFile(constants_path);
  const auto priors = perf::ReadStepTimeConstants(file, "priors");
  const auto values = perf::ReadStepTimeConstants(file, "values");
  if (!priors.ok() || !values.ok()) {
    std::cerr << "constants: " << (priors.ok() ? values : priors).status().message() << "\n";
    return 2;
  }
  const auto gpus = *hardware::GpuCatalog::Create();
  std::vector<planning::KnownModel> models;
  const auto entries = catalog::ModelCatalog().Entries();
  for (const auto& entry : *entries) {
    if (entry->description.transformer) models.push_back({entry->name, *entry->description.transformer});
  }

  std::vector<Row> rows;
  std::map<std::string, int> per_source;
  std::map<std::string, size_t> publications;
  std::map<std::string, int> skipped;
  int comparable = 0;
  for (const MeasuredRun& run : *runs) {
    if (!planning::IsComparable(run)) continue;
    const auto measured = planning::MeasuredStepSeconds(run);
    if (!measured) continue;
    ++comparable;
    const auto description = planning::DescribeRun(run, gpus, models);
    if (!description.ok()) {
      ++skipped[std::string(description.status().message())];
      continue;
    }
    const std::string publication = Publication(run.source);
    const size_t index = publications.emplace(publication, publications.size()).first->second;
    rows.push_back({run.id, run.source, values->family_of_architecture.find(description->gpu->architecture)->second,
                    run.framework,
                    description->framework == "layer_microbench"          ? "megatron-lm"
                    : values->frameworks.contains(description->framework) ? description->framework
                                                                          : "",
                    *description, *measured, 1, index});
    ++per_source[publication];
  }
  // A publication weighs as the square root of its rows: none dominates, none is ignored.
  for (Row& row : rows) row.weight = std::pow(static_cast<double>(per_source[Publication(row.source)]), -0.4);

  // From the priors, so that the same table has the same fit.
  StepTimeConstants constants = fit_it ? *priors : *values;
  constants.intervals = values->intervals;
  Fit fit(ParametersOf(*priors), rows);
  const Fit::Rows none = [](const Row&) { return false; };
  if (fit_it) {
    // From far away all rows pull as they are off; near the end outliers no longer do.
    for (const double scale : {0.5, 0.2}) fit.Run(constants, none, 40, scale);
    fit.Run(constants, none, 60);
    WeighByNoise(rows, constants);
    const double loss = fit.Run(constants, none, 150);
    std::printf("loss %.5f, %zu rows of %d, %zu publications\n", loss, rows.size(), comparable, publications.size());
  }
  for (const auto& [why, count] : skipped) std::printf("skipped %d: %s\n", count, why.c_str());

  std::vector<double> crossed(rows.size()), crossed_by_table(rows.size());
  if (cross) {
    const auto leave_out = [&](const std::string& name, const Fit::Rows& left_out, std::vector<double>& ratios) {
      StepTimeConstants without = constants;
      // Back part of the way to the priors, and fitted again without these rows.
      for (const Parameter& parameter : fit.parameters()) {
        double& value = parameter.at(without);
        value = std::exp(0.7 * std::log(value) + 0.3 * std::log(parameter.prior));
      }
      const double start = fit.Run(without, left_out, 0);
      fit.Run(without, left_out, 10, 0.2);
      const bool better = fit.Run(without, left_out, 40) < start;
      double moved = 0;
      for (const Parameter& parameter : fit.parameters())
        moved = std::max(moved, std::abs(std::log(parameter.at(without) / parameter.at(constants))));
      for (size_t r = 0; r < rows.size(); ++r) {
        if (left_out(rows[r])) ratios[r] = LogRatio(rows[r], without);
      }
      std::fprintf(stderr, "left out %s: constants moved by up to %.1f %%\n", name.c_str(),
                   100 * (std::exp(moved) - 1));
      return better;
    };
    const auto complain = [](const std::string& name) {
      std::fprintf(stderr, "left out %s: the refit found nothing better than its start\n", name.c_str());
      return 1;
    };
    for (const auto& [publication, index] : publications) {
      const auto left_out = [index = index](const Row& row) { return row.source_index == index; };
      if (!leave_out(publication, left_out, crossed)) return complain(publication);
    }
    // The tables of a publication that has several, one by one.
    crossed_by_table = crossed;
    std::map<std::string, std::string> tables;
    for (const Row& row : rows) tables.emplace(row.source, Publication(row.source));
    for (const auto& [table, publication] : tables) {
      const bool several = std::any_of(tables.begin(), tables.end(), [&](const auto& other) {
        return other.second == publication && other.first != table;
      });
      const auto left_out = [table = table](const Row& row) { return row.source == table; };
      if (several && !leave_out(table, left_out, crossed_by_table)) return complain(table);
    }
  }

  std::vector<double> fitted(rows.size());
  for (size_t r = 0; r < rows.size(); ++r) fitted[r] = LogRatio(rows[r], constants);
  nlohmann::ordered_json intervals;
  if (cross) {
    intervals = Intervals(rows, fitted, crossed);
    constants.intervals.clear();
    for (const auto& row : intervals)
      constants.intervals.push_back({row["framework"], row["family"], row["size"], row["half_width"]});
  }
  const auto covered = [&](size_t r) {
    return std::abs(fitted[r]) <= constants.HalfWidth(rows[r].description.framework,
                                                      rows[r].description.gpu->architecture,
                                                      rows[r].description.memory.parameters);
  };
  std::map<std::string, Errors> by_source, by_family, by_framework, cross_source, cross_table;
  Errors all, all_crossed, all_crossed_by_table;
  for (size_t r = 0; r < rows.size(); ++r) {
    const double ratio = LogRatio(rows[r], constants);
    by_source[rows[r].source].Add(ratio, covered(r));
    by_family[rows[r].family].Add(ratio, covered(r));
    by_framework[rows[r].framework].Add(ratio, covered(r));
    all.Add(ratio, covered(r));
    if (cross) {
      cross_source[rows[r].source].Add(crossed[r]);
      cross_table[rows[r].source].Add(crossed_by_table[r]);
      all_crossed.Add(crossed[r]);
      all_crossed_by_table.Add(crossed_by_table[r]);
    }
  }
  // Crossed: with the table left out of the fit, and with the whole publication left out.
  std::printf("%6s %8s %8s %8s %8s %8s  %s\n", "rows", "MAPE %", "table", "publ.", "median", "within %", "source");
  const auto print = [&](const std::string& name, Errors& errors, double by_table, double by_publication) {
    std::printf("%6d %8.2f %8.2f %8.2f %8.3f %8.1f  %s\n", errors.rows, errors.mape(), by_table, by_publication, errors.median(),
                100.0 * errors.covered / std::max(1, errors.rows), name.c_str());
  };
  for (auto& [source, errors] : by_source) print(source, errors, cross_table[source].mape(), cross_source[source].mape());
  for (auto& [family, errors] : by_family) print("family " + family, errors, 0, 0);
  for (auto& [framework, errors] : by_framework) print("framework " + framework, errors, 0, 0);
  print("all", all, all_crossed_by_table.mape(), all_crossed.mape());
  PrintMemory(*runs, {gpus, models, constants}, memory_rows);

  if (!residuals_path.empty()) {
    std::ofstream out(residuals_path);
    out << "id,source,family,framework,measured,predicted,ratio,crossed,matmul,attention,elementwise,recompute,launch,"
           "tensor,context,expert,"
           "pipeline,bubble,data,optimizer\n";
    for (size_t r = 0; r < rows.size(); ++r) {
      const auto step = planning::StepTimeOf(rows[r].description, constants);
      const double total = step->total();
      out << fmt::format(
          "{},\"{}\",{},{},{:.5g},{:.5g},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{"
          ":.3f},{:.3f},{:.3f}\n",
          rows[r].id, rows[r].source, rows[r].family, rows[r].framework, rows[r].measured, total,
          total / rows[r].measured, std::exp(crossed[r]), step->matmul / total, step->attention / total,
          step->elementwise / total, step->recompute / total, step->launch / total, step->tensor / total,
          step->context / total, step->expert / total, step->pipeline / total, step->bubble / total, step->data / total,
          step->optimizer / total);
    }
  }
  if (fit_it) {
    std::printf("constants that left their prior by more than two spreads:\n");
    for (const Parameter& parameter : fit.parameters()) {
      const double d = std::log(parameter.at(constants) / parameter.prior) / parameter.spread;
      if (std::abs(d) > 2)
        std::printf("  %s %.4g (prior %.4g)\n", parameter.name.c_str(), parameter.at(constants), parameter.prior);
    }
    if (!constants_path.empty()) {
      nlohmann::ordered_json json = nlohmann::ordered_json::parse(file);
      json["values"] = Values(constants);
      if (cross) json["intervals"] = intervals;
      std::ofstream(constants_path) << json.dump(1) << "\n";
    }
  }
  return 0;
}

}  // namespace
}  // namespace planner

int main(int argc, char** argv) { return planner::Main(argc, argv); }
