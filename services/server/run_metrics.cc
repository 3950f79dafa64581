#include "services/server/run_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/runs/drift.h"
#include "fmt/format.h"

namespace planner::server {
namespace {

using telemetry::LabelText;
using telemetry::Page;

/// Six digits: what more a figure has is noise that costs every scrape.
double Rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

bool Runs(const RunFigures& run) { return run.state == v1::Run::RUNNING; }

runs::Reports ReportsOf(const RunFigures& run) { return {run.start, run.newest, run.report_count}; }

double PlannedProgress(const RunFigures& run, absl::Time now) {
  if (!Runs(run) || run.planned_total <= absl::ZeroDuration()) return run.planned_progress;
  return std::clamp(run.first_progress + absl::FDivDuration(now - run.start, run.planned_total), 0.0, 1.0);
}

/// Of an ended run, when it did.
runs::Forecast FinishOf(const RunFigures& run, absl::Time now) {
  if (!Runs(run)) return {run.finish, run.finish, run.finish};
  const runs::Forecast forecast{run.predicted_finish, run.predicted_low, run.predicted_high};
  if (run.report_count > 0) return runs::StillRunning(forecast, ReportsOf(run), now);
  return {std::max(now, forecast.finish), std::max(now, forecast.low), std::max(now, forecast.high)};
}

const char* DriftLabel(const RunFigures& run, absl::Time now) {
  if (Runs(run) && run.report_count > 0 && now - run.newest > runs::PatienceOf(ReportsOf(run))) return "stalled";
  if (Runs(run) && run.has_end && now > run.planned_latest) return "late";
  switch (run.drift) {
    case v1::ActualRun::ON_PLAN:
      return "on_plan";
    case v1::ActualRun::LATE:
      return "late";
    case v1::ActualRun::EARLY:
      return "early";
    case v1::ActualRun::STALLED:
      return "stalled";
    default:
      return "unknown";
  }
}

const char* StateLabel(v1::Run::State state) {
  switch (state) {
    case v1::Run::RUNNING:
      return "running";
    case v1::Run::SUCCEEDED:
      return "succeeded";
    case v1::Run::FAILED:
      return "failed";
    case v1::Run::CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

/// A family of single runs.
struct Series {
  const char* name;
  const char* help;
};

constexpr std::array<Series, 13> kSeries = {{
    {"planner_run_planned_progress_ratio", "Part of all steps that was to be done by now."},
    {"planner_run_actual_progress_ratio", "Part of all steps that is done."},
    {"planner_run_planned_finish_timestamp_seconds", "When the plan has it finish, from its own start."},
    {"planner_run_predicted_finish_timestamp_seconds", "When it will finish, by what was reported; when it did."},
    {"planner_run_predicted_finish_low_timestamp_seconds", "Lower end of the 90 % interval of that."},
    {"planner_run_predicted_finish_high_timestamp_seconds", "Upper end of the 90 % interval of that."},
    {"planner_run_planned_tokens_per_second", "Of all cards; samples where the model has no sequences."},
    {"planner_run_actual_tokens_per_second", "Of all cards, by the newest report."},
    {"planner_run_model_flops_utilization_ratio", "FLOPs of the model over the cards' dense peak: planned, over measured against planned step time."},
    {"planner_run_planned_gpu_seconds", "Cards times seconds of the whole run, as planned."},
    {"planner_run_actual_gpu_seconds", "Cards times seconds until the newest report, or the end."},
    {"planner_run_planned_cost", "Of the whole run, as planned, in the currency of planner_run_info."},
    {"planner_run_actual_cost", "Until the newest report or the end, in the currency of planner_run_info."},
}};

/// One of each series; absent: the run has none.
using Values = std::array<std::optional<double>, kSeries.size()>;

Values ValuesOf(const RunFigures& run, absl::Time now) {
  constexpr double kSecondsPerHour = 3600;
  using Value = std::optional<double>;
  const auto where = [](bool is_known, double value) { return is_known ? Value(value) : std::nullopt; };
  const auto seconds = [](absl::Time time) { return static_cast<double>(absl::ToUnixSeconds(time)); };
  const bool has_finish = run.has_end || !Runs(run);
  const bool has_price = !run.currency.empty();
  const runs::Forecast finish = has_finish ? FinishOf(run, now) : runs::Forecast{};
  return {where(run.has_end, Rounded(PlannedProgress(run, now))),
          where(run.has_end, Rounded(run.progress)),
          where(run.has_end, seconds(run.planned_finish)),
          where(has_finish, seconds(finish.finish)),
          where(has_finish, seconds(finish.low)),
          where(has_finish, seconds(finish.high)),
          Rounded(run.planned_tokens_per_second),
          Rounded(run.tokens_per_second),
          Rounded(run.model_flops_utilization),
          Rounded(run.planned_gpu_hours * kSecondsPerHour),
          Rounded(run.gpu_hours * kSecondsPerHour),
          where(has_price, Rounded(run.planned_cost)),
          where(has_price, Rounded(run.cost))};
}

double MedianOf(const std::map<std::pair<absl::Time, std::string>, double>& errors) {
  std::vector<double> values;
  for (const auto& [key, error] : errors) values.push_back(error);
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// What the page says of single runs: copied while the index is looked at, written afterwards, family by family.
class Rows {
 public:
  explicit Rows(absl::Time now) : now_(now) {}
  void Reserve(size_t runs) { rows_.reserve(runs); }
  void Add(const std::string& id, const RunFigures& run) {
    Row& row = rows_.emplace_back();
    row.run = LabelText({{"run", id}});
    row.info = row.run + ',' +
               LabelText({{"cluster", run.cluster},
                          {"gpu_type", run.gpu_type},
                          {"gpus", fmt::to_string(static_cast<int64_t>(run.gpu_count))},
                          {"state", StateLabel(run.state)},
                          {"currency", run.currency}});
    row.drift = DriftLabel(run, now_);
    row.values = ValuesOf(run, now_);
  }
  void Write(Page& page) const {
    page.Family("planner_run_info", "What a run is of.", Page::Type::kGauge);
    for (const Row& row : rows_) page.Sample(row.info, int64_t{1});
    page.Family("planner_run_drift", "1 for how the run stands to its plan: on_plan, late, early, stalled, unknown.", Page::Type::kGauge);
    for (const Row& row : rows_) page.Sample(row.run + ',' + LabelText({{"drift", row.drift}}), int64_t{1});
    for (size_t i = 0; i < kSeries.size(); ++i) {
      page.Family(kSeries[i].name, kSeries[i].help, Page::Type::kGauge);
      for (const Row& row : rows_) {
        if (row.values[i].has_value()) page.Sample(row.run, *row.values[i]);
      }
    }
  }

 private:
  struct Row {
    std::string run;   ///< The labels of most families.
    std::string info;  ///< Those of planner_run_info.
    const char* drift = "";
    Values values;
  };

  const absl::Time now_;
  std::vector<Row> rows_;
};

/// Of the runs of a cluster and GPU type that ended last.
struct Prediction {
  double error = 0;
  int64_t runs = 0;
};

using Predictions = std::map<std::pair<std::string, std::string>, Prediction>;

void WritePredictions(const Predictions& predictions, Page& page) {
  const auto labels = [](const auto& key) { return LabelText({{"cluster", key.first}, {"gpu_type", key.second}}); };
  page.Family("planner_prediction_error_ratio", "Median of |measured / predicted step time - 1| over the last finished runs there.",
              Page::Type::kGauge);
  for (const auto& [key, prediction] : predictions) page.Sample(labels(key), Rounded(prediction.error));
  page.Family("planner_prediction_runs", "How many finished runs that is the median of.", Page::Type::kGauge);
  for (const auto& [key, prediction] : predictions) page.Sample(labels(key), prediction.runs);
}

}  // namespace

void RunMetrics::Write(Page& page) const {
  const absl::Time now = clock_.Now();
  Rows rows(now);
  std::map<std::string, int64_t> drifts = {{"on_plan", 0}, {"late", 0}, {"early", 0}, {"stalled", 0}, {"unknown", 0}};
  Predictions predictions;
  const absl::Status status = index_.Look([&](const RunIndex::View& view) {
    rows.Reserve(std::min(view.active.size(), kMostActive) + view.ended.size());
    size_t shown = 0;
    for (auto run = view.active.rbegin(); run != view.active.rend(); ++run) {
      if (shown++ < kMostActive) rows.Add(run->first, run->second);
      drifts[DriftLabel(run->second, now)] += 1;
    }
    for (const auto& [key, run] : view.ended) rows.Add(key.second, run);
    for (const auto& [pool, runs] : view.errors) predictions[pool] = {MedianOf(runs), static_cast<int64_t>(runs.size())};
  });
  if (!status.ok()) return;
  rows.Write(page);
  page.Family("planner_runs", "Runs that run, by how they stand to their plans.", Page::Type::kGauge);
  for (const auto& [drift, count] : drifts) page.Sample(LabelText({{"drift", drift}}), count);
  WritePredictions(predictions, page);
}

}  // namespace planner::server
