// Fits the constants of the step-time model to a table of measured runs and prints the errors by source: see
// tests/accuracy/README.md. Started by tests/accuracy/fit.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "services/catalog/catalog.h"
#include "tests/accuracy/fitting/cross_validation.h"
#include "tests/accuracy/fitting/fit.h"
#include "tests/accuracy/fitting/intervals.h"
#include "tests/accuracy/fitting/report.h"

namespace planner::fitting {
namespace {

using perf::StepTimeConstants;

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

/// From the priors, so that the same table has the same fit.
StepTimeConstants FitAll(Fit& fit, std::vector<Row>& rows, StepTimeConstants constants) {
  const Fit::Rows none = [](const Row&) { return false; };
  // From far away all rows pull as they are off; near the end outliers no longer do.
  for (const double scale : {0.5, 0.2}) fit.Run(constants, none, 40, scale);
  fit.Run(constants, none, 60);
  WeighByNoise(rows, constants);
  std::printf("loss %.5f, %zu rows\n", fit.Run(constants, none, 400), rows.size());
  SetTypicalFramework(constants);
  return constants;
}

void PrintMoved(const std::vector<Parameter>& parameters, StepTimeConstants constants) {
  std::printf("constants that left their prior by more than two spreads:\n");
  for (const Parameter& parameter : parameters) {
    const double value = parameter.at(constants);
    if (std::abs(std::log(value / parameter.prior)) > 2 * parameter.spread)
      std::printf("  %s %.4g (prior %.4g)\n", parameter.name.c_str(), value, parameter.prior);
  }
}

int Main(int argc, char** argv) {
  std::string constants_path, residuals_path;
  std::vector<std::string> runs_paths;
  bool cross = true, fit_it = true, memory_rows = false, tables = true;
  std::vector<std::string> only;
  PriorStrength strength;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--no-cross-validation") {
      cross = false;
    } else if (flag == "--no-fit") {
      fit_it = cross = false;
    } else if (flag == "--publications-only") {
      tables = false;
    } else if (flag == "--memory") {
      memory_rows = true;
    } else if (i + 1 < argc && flag == "--leave-out") {
      only.emplace_back(argv[++i]);
    } else if (i + 1 < argc && flag == "--ridge") {
      strength.ridge = std::atof(argv[++i]);
    } else if (i + 1 < argc && flag == "--alike") {
      strength.alike = std::atof(argv[++i]);
    } else if (i + 1 < argc && flag == "--runs") {
      runs_paths.push_back(argv[++i]);
    } else if (i + 1 < argc && flag == "--constants") {
      constants_path = argv[++i];
    } else if (i + 1 < argc && flag == "--residuals") {
      residuals_path = argv[++i];
    } else {
      std::cerr << "usage: fit --runs FILE.csv… [--constants FILE.json] [--residuals FILE.csv] [--no-cross-validation] "
                   "[--no-fit]\n";
      return 2;
    }
  }
  std::vector<planning::MeasuredRun> runs;
  for (const std::string& path : runs_paths) {
    auto table = planning::ParseMeasuredRuns(ReadFile(path));
    if (!table.ok()) {
      std::cerr << path << ": " << table.status().message() << "\n";
      return 2;
    }
    runs.insert(runs.end(), table->begin(), table->end());
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
    if (entry->description.transformer)
      models.push_back(
          {entry->name, *entry->description.transformer, static_cast<double>(entry->description.default_seq_len)});
  }

  std::vector<Row> rows = RowsOf(runs, {gpus, models, *values});
  StepTimeConstants constants = *values;
  Fit fit(ParametersOf(*priors), rows, strength);
  if (fit_it) {
    constants = FitAll(fit, rows, *priors);
    constants.intervals = values->intervals;
  }
  nlohmann::ordered_json intervals;
  std::optional<CrossValidation> crossed;
  if (cross) {
    auto validation = CrossValidate(fit, rows, constants, {.publications = only, .tables = tables});
    if (!validation.ok()) {
      std::cerr << validation.status().message() << "\n";
      return 1;
    }
    crossed = *std::move(validation);
    std::vector<double> fitted;
    for (const Row& row : rows) fitted.push_back(LogRatio(row, constants));
    intervals = Intervals(rows, fitted, crossed->by_publication);
    constants.intervals.clear();
    for (const auto& row : intervals)
      constants.intervals.push_back({row["framework"], row["family"], row["size"], row["half_width"]});
  }
  PrintErrors(rows, constants, crossed);
  PrintMemory(runs, {gpus, models, constants}, memory_rows);
  if (!residuals_path.empty()) {
    std::ofstream out(residuals_path);
    WriteResiduals(rows, constants, crossed, out);
  }
  if (!fit_it) return 0;
  PrintMoved(fit.parameters(), constants);
  if (!constants_path.empty()) {
    nlohmann::ordered_json json = nlohmann::ordered_json::parse(file);
    json["values"] = Values(constants);
    // Of some publications alone, the widths would be those of a fit that has seen the others.
    if (cross && only.empty()) json["intervals"] = intervals;
    std::ofstream(constants_path) << json.dump(1) << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace planner::fitting

int main(int argc, char** argv) { return planner::fitting::Main(argc, argv); }
