#include "tests/accuracy/fitting/row.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

namespace planner::fitting {

std::string Publication(const std::string& source) { return source.substr(0, source.find(" / ")); }

std::vector<Row> RowsOf(const std::vector<planning::MeasuredRun>& runs, const planning::RunCatalogs& catalogs) {
  const perf::StepTimeConstants& constants = catalogs.constants;
  std::vector<Row> rows;
  std::map<std::string, int> per_publication;
  std::map<std::string, size_t> numbers;
  std::map<std::string, int> skipped;
  for (const planning::MeasuredRun& run : runs) {
    if (!planning::IsComparable(run)) continue;
    const auto measured = planning::MeasuredStepSeconds(run);
    if (!measured) continue;
    const auto description = planning::DescribeRun(run, catalogs.gpus, catalogs.models);
    if (!description.ok()) {
      ++skipped[std::string(description.status().message())];
      continue;
    }
    const std::string publication = Publication(run.source);
    Row row{.id = run.id,
            .source = run.source,
            .family = constants.family_of_architecture.find(description->gpu->architecture)->second,
            .framework = run.framework,
            .framework_key = {},
            .description = *description,
            .measured = *measured,
            .publication = numbers.emplace(publication, numbers.size()).first->second};
    if (description->framework == "layer_microbench") {
      row.framework_key = "megatron-lm";
    } else if (constants.frameworks.contains(description->framework)) {
      row.framework_key = description->framework;
    }
    rows.push_back(std::move(row));
    ++per_publication[publication];
  }
  for (const auto& [why, count] : skipped) std::printf("skipped %d: %s\n", count, why.c_str());
  // A publication weighs as a power of its rows: none dominates, none is ignored.
  for (Row& row : rows) row.weight = std::pow(static_cast<double>(per_publication[Publication(row.source)]), -0.4);
  return rows;
}

double LogRatio(const Row& row, const perf::StepTimeConstants& constants) {
  const auto step = planning::StepTimeOf(row.description, constants);
  return step.ok() ? std::log(step->total() / row.measured) : 0;
}

void WeighByNoise(std::vector<Row>& rows, const perf::StepTimeConstants& constants) {
  std::map<size_t, std::vector<double>> residuals;
  for (const Row& row : rows) residuals[row.publication].push_back(std::abs(LogRatio(row, constants)));
  for (Row& row : rows) {
    std::vector<double>& of_publication = residuals[row.publication];
    std::nth_element(of_publication.begin(), of_publication.begin() + static_cast<ptrdiff_t>(of_publication.size() / 2),
                     of_publication.end());
    constexpr double kUsual = 0.05;
    constexpr double kLeast = 0.018;
    row.weight *= std::clamp(std::pow(kUsual / std::max(kLeast, of_publication[of_publication.size() / 2]), 1.5), 0.8, 5.0);
  }
}

}  // namespace planner::fitting
