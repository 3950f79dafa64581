#include "services/server/run_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "core/runs/drift.h"
#include "fmt/format.h"

namespace planner::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

/// Six digits: what more a figure has is noise that costs every scrape.
double Rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
}

double Seconds(absl::Time time) { return static_cast<double>(absl::ToUnixSeconds(time)); }

bool Runs(const RunFigures& run) { return run.state == v1::Run::RUNNING; }

runs::Reports ReportsOf(const RunFigures& run) { return {run.start, run.newest, run.report_count}; }

double PlannedProgress(const RunFigures& run, absl::Time now) {
  if (!Runs(run) || run.planned_total <= absl::ZeroDuration()) return run.planned_progress;
  return std::clamp(absl::FDivDuration(now - run.start, run.planned_total), 0.0, 1.0);
}

absl::Time Finish(const RunFigures& run, absl::Time now) {
  if (!Runs(run)) return run.finish;
  if (run.report_count == 0) return std::max(now, run.predicted_finish);
  return runs::StillRunning({run.predicted_finish, run.predicted_finish, run.predicted_finish}, ReportsOf(run), now).finish;
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

/// One figure of each run; absent: it has none.
struct Series {
  const char* name;
  const char* help;
  std::optional<double> (*value)(const RunFigures& run, absl::Time now);
};

using Value = std::optional<double>;

constexpr std::array<Series, 11> kSeries = {{
    {"planner_run_planned_progress_ratio", "Where the run was to be by now.",
     [](const RunFigures& run, absl::Time now) { return run.has_end ? Value(Rounded(PlannedProgress(run, now))) : std::nullopt; }},
    {"planner_run_actual_progress_ratio", "Steps done, of all planned ones.",
     [](const RunFigures& run, absl::Time) { return run.has_end ? Value(Rounded(run.progress)) : std::nullopt; }},
    {"planner_run_planned_finish_timestamp_seconds", "When the run was to end.",
     [](const RunFigures& run, absl::Time) { return run.has_end ? Value(Seconds(run.planned_finish)) : std::nullopt; }},
    {"planner_run_predicted_finish_timestamp_seconds", "When it will end, or has ended.",
     [](const RunFigures& run, absl::Time now) { return run.has_end || !Runs(run) ? Value(Seconds(Finish(run, now))) : std::nullopt; }},
    {"planner_run_planned_tokens_per_second", "Of all cards; samples where the model has no sequences.",
     [](const RunFigures& run, absl::Time) { return Value(Rounded(run.planned_tokens_per_second)); }},
    {"planner_run_actual_tokens_per_second", "By the newest report.",
     [](const RunFigures& run, absl::Time) { return Value(Rounded(run.tokens_per_second)); }},
    {"planner_run_model_flops_utilization_ratio", "Planned utilization over measured against planned step time.",
     [](const RunFigures& run, absl::Time) { return Value(Rounded(run.model_flops_utilization)); }},
    {"planner_run_planned_gpu_hours", "Of the whole run.",
     [](const RunFigures& run, absl::Time) { return Value(Rounded(run.planned_gpu_hours)); }},
    {"planner_run_actual_gpu_hours", "Until the newest report, or the end.",
     [](const RunFigures& run, absl::Time) { return Value(Rounded(run.gpu_hours)); }},
    {"planner_run_planned_cost", "In the currency of the plan.",
     [](const RunFigures& run, absl::Time) { return run.has_price ? Value(Rounded(run.planned_cost)) : std::nullopt; }},
    {"planner_run_actual_cost", "In the currency of the plan, until the newest report or the end.",
     [](const RunFigures& run, absl::Time) { return run.has_price ? Value(Rounded(run.cost)) : std::nullopt; }},
}};

MetricFamily Family(const char* name, const char* help) {
  MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = prometheus::MetricType::Gauge;
  return family;
}

void Add(std::vector<ClientMetric::Label> labels, double value, MetricFamily& family) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  metric.gauge.value = value;
}

double MedianOf(const std::map<std::pair<absl::Time, std::string>, double>& errors) {
  std::vector<double> values;
  for (const auto& [key, error] : errors) values.push_back(error);
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// The families of single runs: info and drift first, then kSeries.
class RunFamilies {
 public:
  explicit RunFamilies(size_t runs) {
    families_.push_back(Family("planner_run_info", "What a run is of."));
    families_.push_back(Family("planner_run_drift", "How the run stands to its plan: on_plan, late, early, stalled, unknown."));
    for (const Series& series : kSeries) families_.push_back(Family(series.name, series.help));
    for (MetricFamily& family : families_) family.metric.reserve(runs);
  }
  void AddRun(const std::string& id, const RunFigures& run, absl::Time now) {
    Add({{"run", id},
         {"cluster", run.cluster},
         {"gpu_type", run.gpu_type},
         {"gpus", fmt::to_string(static_cast<int64_t>(run.gpu_count))},
         {"state", StateLabel(run.state)}},
        1, families_[0]);
    Add({{"run", id}, {"state", DriftLabel(run, now)}}, 1, families_[1]);
    for (size_t i = 0; i < kSeries.size(); ++i) {
      if (const std::optional<double> value = kSeries[i].value(run, now)) Add({{"run", id}}, *value, families_[i + 2]);
    }
  }
  std::vector<MetricFamily> Take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

}  // namespace

std::vector<MetricFamily> RunMetrics::Collect() const {
  const absl::Time now = clock_.Now();
  std::vector<MetricFamily> families;
  MetricFamily counts = Family("planner_runs", "Runs that run, by how they stand to their plans.");
  MetricFamily errors =
      Family("planner_prediction_error_ratio", "Median of |measured / planned step time - 1| of the runs that ended last.");
  const absl::Status status = index_.Look([&](const RunIndex::View& view) {
    RunFamilies of_runs(std::min(view.active.size(), kMostActive) + view.ended.size());
    std::map<std::string, double> drifts = {{"on_plan", 0}, {"late", 0}, {"early", 0}, {"stalled", 0}, {"unknown", 0}};
    size_t shown = 0;
    for (auto run = view.active.rbegin(); run != view.active.rend(); ++run) {
      if (shown++ < kMostActive) of_runs.AddRun(run->first, run->second, now);
      drifts[DriftLabel(run->second, now)] += 1;
    }
    for (const auto& [key, run] : view.ended) of_runs.AddRun(key.second, run, now);
    for (const auto& [drift, count] : drifts) Add({{"drift", drift}}, count, counts);
    for (const auto& [pool, runs] : view.errors) {
      Add({{"cluster", pool.first}, {"gpu_type", pool.second}}, Rounded(MedianOf(runs)), errors);
    }
    families = of_runs.Take();
  });
  if (!status.ok()) return {};
  families.push_back(std::move(counts));
  families.push_back(std::move(errors));
  // A family without metrics is a line of help about nothing.
  std::erase_if(families, [](const MetricFamily& family) { return family.metric.empty(); });
  return families;
}

}  // namespace planner::server
