#include "tests/accuracy/replay/replay.h"

#include <algorithm>
#include <cmath>

#include "services/catalog/catalog.h"

namespace planner::replay {
namespace {

double ParametersOf(const model::TransformerShape& shape) {
  const perf::BlockParameters parameters = perf::ParametersOf(shape);
  return (parameters.dense + parameters.experts) * static_cast<double>(shape.layers) + parameters.head;
}

std::string ModelClass(const perf::StepJob& job) {
  std::string name = job.shape.experts > 0 ? "moe" : "dense";
  if (!job.shape.causal) name += ", bidirectional";
  if (job.frozen_base) name += ", adapters";
  return name;
}

}  // namespace

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

calibration::Kind KindOf(const fitting::Row& row) {
  const planning::RunDescription& run = row.description;
  const perf::Layout& layout = run.layout;
  constexpr const char* kRecompute[] = {"none", "selective", "full"};
  return {.framework = row.framework,
          .family = row.family,
          .gpu_type = run.gpu->name,
          .model_class = ModelClass(run.job),
          .precision = std::string(run.precision->name),
          .recompute = kRecompute[static_cast<size_t>(layout.recompute)],
          .parameters = ParametersOf(run.job.shape),
          .hidden = static_cast<double>(run.job.shape.hidden),
          .seq_len = run.job.positions,
          .tensor_parallel = static_cast<double>(layout.tensor_parallel),
          .pipeline_parallel = static_cast<double>(layout.pipeline_parallel),
          .micro_batch = static_cast<double>(layout.micro_batch_size),
          .gpus = static_cast<double>(layout.gpus())};
}

std::vector<Outcome> Replay(const std::vector<fitting::Row>& rows, const perf::StepTimeConstants& constants) {
  std::vector<Outcome> outcomes;
  calibration::Calibration calibration;
  const absl::Time now = absl::UnixEpoch();
  for (const fitting::Row& row : rows) {
    const calibration::Kind kind = KindOf(row);
    const calibration::Correction correction = calibration.CorrectionFor(kind, now);
    const double ratio = fitting::LogRatio(row, constants);
    const double corrected = ratio + std::log(correction.factor);
    const double half = constants.HalfWidth(row.framework, row.description.gpu->architecture, kind.parameters);
    const double narrowed = correction.HalfWidth(half);
    outcomes.push_back({.source = fitting::Publication(row.source),
                        .before = std::abs(std::expm1(ratio)),
                        .after = std::abs(std::expm1(corrected)),
                        .within_before = std::abs(ratio) <= half,
                        .within_after = std::abs(corrected) <= narrowed,
                        .narrowed = narrowed / half,
                        .is_measured = correction.is_measured()});
    calibration.Learn({kind, -ratio, now}).IgnoreError();
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
  std::vector<double> before, after;
  const double one = 1 / static_cast<double>(outcomes.size());
  for (const Outcome& outcome : outcomes) {
    before.push_back(outcome.before);
    after.push_back(outcome.after);
    summary.measured += outcome.is_measured ? 1 : 0;
    summary.mean_before += one * outcome.before;
    summary.mean_after += one * outcome.after;
    summary.coverage_before += outcome.within_before ? one : 0;
    summary.coverage_after += outcome.within_after ? one : 0;
    summary.narrowed += one * outcome.narrowed;
  }
  summary.median_before = Median(before);
  summary.median_after = Median(after);
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
