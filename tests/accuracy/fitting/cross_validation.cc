#include "tests/accuracy/fitting/cross_validation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "core/base/status_macros.h"

namespace planner::fitting {
namespace {

absl::Status LeaveOut(Fit& fit, const std::vector<Row>& rows, const perf::StepTimeConstants& constants,
                      const std::string& name, const Fit::Rows& left_out, std::vector<double>& ratios) {
  perf::StepTimeConstants without = constants;
  for (const Parameter& parameter : fit.parameters()) {
    double& value = parameter.at(without);
    value = std::exp(0.7 * std::log(value) + 0.3 * std::log(parameter.prior));
  }
  const double start = fit.Run(without, left_out, 0);
  fit.Run(without, left_out, 10, 0.2);
  if (!(fit.Run(without, left_out, 40) < start))
    return absl::InternalError("left out " + name + ": the refit found nothing better than its start");
  double moved = 0;
  perf::StepTimeConstants all = constants;
  for (const Parameter& parameter : fit.parameters())
    moved = std::max(moved, std::abs(std::log(parameter.at(without) / parameter.at(all))));
  for (size_t r = 0; r < rows.size(); ++r) {
    if (left_out(rows[r])) ratios[r] = LogRatio(rows[r], without);
  }
  std::fprintf(stderr, "left out %s: constants moved by up to %.1f %%\n", name.c_str(), 100 * (std::exp(moved) - 1));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CrossValidation> CrossValidate(Fit& fit, const std::vector<Row>& rows,
                                              const perf::StepTimeConstants& constants,
                                              const CrossValidationOptions& options) {
  const auto wanted = [&](const std::string& publication) {
    return options.publications.empty() ||
           std::any_of(options.publications.begin(), options.publications.end(),
                       [&](const std::string& part) { return publication.find(part) != std::string::npos; });
  };
  std::map<std::string, std::set<std::string>> publications;
  for (const Row& row : rows) publications[Publication(row.source)].insert(row.source);
  CrossValidation crossed;
  for (const Row& row : rows) crossed.by_publication.push_back(LogRatio(row, constants));
  for (const auto& [publication, its_tables] : publications) {
    if (!wanted(publication)) continue;
    const auto left_out = [name = &publication](const Row& row) { return Publication(row.source) == *name; };
    RETURN_IF_ERROR(LeaveOut(fit, rows, constants, publication, left_out, crossed.by_publication));
  }
  crossed.by_table = crossed.by_publication;
  if (!options.tables) return crossed;
  for (const auto& [publication, its_tables] : publications) {
    if (its_tables.size() < 2 || !wanted(publication)) continue;
    for (const std::string& table : its_tables) {
      const auto left_out = [name = &table](const Row& row) { return row.source == *name; };
      RETURN_IF_ERROR(LeaveOut(fit, rows, constants, table, left_out, crossed.by_table));
    }
  }
  return crossed;
}

}  // namespace planner::fitting
