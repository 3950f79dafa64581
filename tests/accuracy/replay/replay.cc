#include "tests/accuracy/replay/replay.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/planning/run_kind.h"
#include "services/catalog/catalog.h"

namespace planner::replay {
absl::StatusOr<std::vector<fitting::Row>> RowsOf(const std::string& csv, const perf::StepTimeConstants& constants) {
  const auto table = planning::ParseMeasuredRuns(csv);
  if (!table.ok()) return table.status();
  static const auto& gpus = *new hardware::GpuCatalog(*hardware::GpuCatalog::Create());
  std::vector<planning::KnownModel> models;
  const auto entries = catalog::ModelCatalog().Entries();
  for (const auto& entry : *entries) {
    if (entry->description.transformer)
      models.push_back(
          {entry->name, *entry->description.transformer, static_cast<double>(entry->description.default_seq_len)});
  }
  return fitting::RowsOf(*table, {gpus, models, constants});
}

calibration::Kind KindOf(const fitting::Row& row, const perf::StepTimeConstants& constants) {
  const planning::RunDescription& run = row.description;
  // The framework as the table has it: what is not known is not taken for another.
  return planning::KindOf(run.job, row.framework, *run.gpu, *run.precision, run.layout, constants);
}

std::vector<double> LogRatiosOf(const std::vector<fitting::Row>& rows, const perf::StepTimeConstants& constants) {
  std::vector<double> ratios;
  ratios.reserve(rows.size());
  for (const fitting::Row& row : rows) ratios.push_back(fitting::LogRatio(row, constants));
  return ratios;
}

std::vector<Outcome> Replay(const std::vector<fitting::Row>& rows, const std::vector<double>& log_ratios,
                            const perf::StepTimeConstants& constants, Sites sites) {
  std::vector<Outcome> outcomes;
  std::map<std::string, calibration::Calibration> calibrations;
  const absl::Time now = absl::UnixEpoch();
  const auto learned_by = [&](const fitting::Row& row) -> calibration::Calibration& {
    return calibrations[sites == Sites::kOne ? "" : fitting::Publication(row.source)];
  };
  const auto error = [](double log_ratio) { return std::abs(std::expm1(log_ratio)); };
  for (size_t i = 0; i < rows.size(); ++i) {
    const fitting::Row& row = rows[i];
    const double ratio = log_ratios[i];
    const calibration::Kind kind = KindOf(row, constants);
    calibration::Calibration& calibration = learned_by(row);
    const calibration::Correction correction = calibration.CorrectionFor(kind, now);
    const double corrected = ratio + std::log(correction.factor);
    const double half = constants.HalfWidth(row.framework, row.description.gpu->architecture, kind.parameters);
    const double narrowed = correction.HalfWidth(half);
    outcomes.push_back({.source = fitting::Publication(row.source),
                        .before = error(ratio),
                        .after = error(corrected),
                        .within_before = std::abs(ratio) <= half,
                        .within_after = std::abs(corrected) <= narrowed,
                        .narrowed = narrowed / half,
                        .is_measured = correction.is_measured()});
    calibration.Learn({kind, -ratio, now}).IgnoreError();
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const double factor = learned_by(rows[i]).CorrectionFor(KindOf(rows[i], constants), now).factor;
    outcomes[i].again = error(log_ratios[i] + std::log(factor));
  }
  return outcomes;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

Summary SummaryOf(std::string source, const std::vector<Outcome>& outcomes) {
  Summary summary{.source = std::move(source), .rows = outcomes.size(), .narrowed = 0};
  std::vector<double> before, after, again;
  const double one = 1 / static_cast<double>(outcomes.size());
  for (const Outcome& outcome : outcomes) {
    before.push_back(outcome.before);
    after.push_back(outcome.after);
    again.push_back(outcome.again);
    summary.measured += outcome.is_measured ? 1 : 0;
    summary.mean_before += one * outcome.before;
    summary.mean_after += one * outcome.after;
    summary.coverage_before += outcome.within_before ? one : 0;
    summary.coverage_after += outcome.within_after ? one : 0;
    summary.narrowed += one * outcome.narrowed;
  }
  summary.median_before = Median(before);
  summary.median_after = Median(after);
  summary.median_again = Median(again);
  return summary;
}

std::vector<Summary> SummariesBySource(const std::vector<Outcome>& outcomes, size_t least) {
  std::vector<std::pair<std::string, std::vector<Outcome>>> sources;
  for (const Outcome& outcome : outcomes) {
    auto source =
        std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s.first == outcome.source; });
    if (source == sources.end()) source = sources.insert(sources.end(), {outcome.source, {}});
    source->second.push_back(outcome);
  }
  std::vector<Summary> summaries;
  for (const auto& [name, of_source] : sources) {
    if (of_source.size() >= least) summaries.push_back(SummaryOf(name, of_source));
  }
  return summaries;
}

}  // namespace planner::replay
