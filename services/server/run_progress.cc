#include "services/server/run_progress.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/runs/drift.h"
#include "core/runs/evidence.h"
#include "core/runs/forecast.h"
#include "core/runs/pace.h"
#include "core/runs/thinning.h"
#include "fmt/format.h"
#include "services/convert/run.h"
#include "services/convert/time.h"

namespace planner::server {
namespace {

using convert::DurationFromProto;
using convert::TimeFromProto;
using convert::TimeToProto;

v1::ActualRun::Drift DriftToProto(runs::Drift drift) {
  switch (drift) {
    case runs::Drift::kUnknown:
      break;
    case runs::Drift::kOnPlan:
      return v1::ActualRun::ON_PLAN;
    case runs::Drift::kLate:
      return v1::ActualRun::LATE;
    case runs::Drift::kEarly:
      return v1::ActualRun::EARLY;
    case runs::Drift::kStalled:
      return v1::ActualRun::STALLED;
  }
  return v1::ActualRun::DRIFT_UNSPECIFIED;
}

void SetForecast(const runs::Forecast& forecast, v1::ActualRun& actual) {
  *actual.mutable_predicted_finish_time() = TimeToProto(forecast.finish);
  *actual.mutable_predicted_finish_time_low() = TimeToProto(forecast.low);
  *actual.mutable_predicted_finish_time_high() = TimeToProto(forecast.high);
}

runs::Forecast ForecastOf(const v1::ActualRun& actual) {
  return {TimeFromProto(actual.predicted_finish_time()), TimeFromProto(actual.predicted_finish_time_low()),
          TimeFromProto(actual.predicted_finish_time_high())};
}

void ClearForecast(v1::ActualRun& actual) {
  actual.clear_predicted_finish_time();
  actual.clear_predicted_finish_time_low();
  actual.clear_predicted_finish_time_high();
}

/// In words, with a step beyond the plan.
std::string Reason(const v1::Run& run, absl::Time finish, absl::Time planned_finish, bool has_ended) {
  std::string reason = runs::DriftText(run.actual().step_ratio(), finish, planned_finish, has_ended);
  const auto step = static_cast<double>(run.actual().last().step());
  if (step > run.planned().step_count()) {
    reason += fmt::format("; step {:.0f} is beyond the {:.0f} of the plan", step, run.planned().step_count());
  }
  return reason;
}

/// Hours and money from the start to a moment.
void SetCost(absl::Time until, v1::Run& run) {
  const double hours = std::max(0.0, absl::ToDoubleHours(until - TimeFromProto(run.start_time())));
  v1::ActualRun& actual = *run.mutable_actual();
  actual.set_gpu_hours(static_cast<double>(run.planned().gpu_count()) * hours);
  const double planned_hours = run.planned().gpu_hours();
  actual.set_cost(planned_hours > 0 ? run.planned().cost() / planned_hours * actual.gpu_hours() : 0);
}

void SetPace(const runs::Pace& pace, const runs::Planned& planned, v1::Run& run) {
  v1::ActualRun& actual = *run.mutable_actual();
  actual.clear_step_duration();
  actual.set_tokens_per_second(0);
  actual.set_model_flops_utilization(0);
  actual.set_step_ratio(0);
  if (!pace.is_measured() || planned.step <= absl::ZeroDuration()) return;
  *actual.mutable_step_duration() = convert::DurationToProto(pace.step);
  actual.set_tokens_per_second(planned.tokens_per_step / absl::ToDoubleSeconds(pace.step));
  actual.set_step_ratio(absl::FDivDuration(pace.step, planned.step));
  actual.set_model_flops_utilization(run.planned().model_flops_utilization() / actual.step_ratio());
}

/// What is not reported of a sample: tokens by its step, their rate by the sample before (none: since the start).
v1::ProgressSample Shown(const runs::Sample& sample, const v1::ProgressSample* before, const v1::Run& run) {
  v1::ProgressSample shown = convert::SampleToProto(sample);
  if (!sample.tokens) shown.set_token_count(static_cast<double>(sample.step) * run.planned().tokens_per_step());
  if (!sample.tokens_per_second && before != nullptr) {
    const double seconds = absl::ToDoubleSeconds(sample.time - TimeFromProto(before->time()));
    const double tokens = shown.token_count() - before->token_count();
    shown.set_tokens_per_second(seconds > 0 ? std::max(0.0, tokens) / seconds : 0);
  }
  return shown;
}

runs::Reports ReportsOf(const v1::Run& run) {
  return {TimeFromProto(run.start_time()), TimeFromProto(run.actual().last().time()), run.actual().report_count()};
}

}  // namespace

void BeginProgress(v1::Run& run) {
  run.set_state(v1::Run::RUNNING);
  const runs::Planned planned = convert::PlannedFromProto(run);
  run.mutable_actual()->Clear();
  if (planned.has_end()) SetForecast(runs::PlannedForecast(planned, 0), *run.mutable_actual());
}

void AddReports(std::vector<runs::Sample> reports, v1::Run& run, std::vector<runs::Sample>& samples) {
  const auto is_known = [&](const runs::Sample& report) {
    const auto at = std::lower_bound(samples.begin(), samples.end(), report.time,
                                     [](const runs::Sample& kept, absl::Time time) { return kept.time < time; });
    return at != samples.end() && *at == report;
  };
  v1::ActualRun& actual = *run.mutable_actual();
  // What is sent again is one report, as far as it can be told.
  actual.set_report_count(actual.report_count() + static_cast<int64_t>(reports.size()) -
                          std::count_if(reports.begin(), reports.end(), is_known));
  samples.insert(samples.end(), std::make_move_iterator(reports.begin()), std::make_move_iterator(reports.end()));
  samples = runs::Thinned(std::move(samples));
  if (samples.empty()) return;

  const runs::Planned planned = convert::PlannedFromProto(run);
  const runs::Sample& last = samples.back();
  const auto step = static_cast<double>(last.step);
  const runs::Pace pace = planned.step > absl::ZeroDuration() ? runs::PaceOf(samples, planned) : runs::Pace{};
  if (samples.size() > 1) {
    const v1::ProgressSample before = Shown(samples[samples.size() - 2], nullptr, run);
    *actual.mutable_last() = Shown(last, &before, run);
  } else {
    *actual.mutable_last() = Shown(last, nullptr, run);
  }
  SetPace(pace, planned, run);
  if (!actual.last().has_tokens_per_second()) actual.mutable_last()->set_tokens_per_second(actual.tokens_per_second());
  SetCost(last.time, run);
  actual.set_progress_ratio(runs::ProgressOf(step, planned));
  actual.set_planned_progress_ratio(runs::PlannedProgressAt(last.time, planned, pace.first_step));
  if (!planned.has_end()) return;
  const runs::Forecast plan = runs::PlannedForecast(planned, pace.first_step);
  const runs::Forecast forecast = runs::ForecastAt(last.time, step, planned, pace);
  SetForecast(forecast, actual);
  actual.set_drift(DriftToProto(runs::DriftOf(forecast.finish, plan)));
  actual.set_drift_reason(Reason(run, forecast.finish, plan.finish, /*has_ended=*/false));
}

void EndProgress(v1::Run::State state, absl::Time finish, const std::vector<runs::Sample>& samples, v1::Run& run) {
  run.set_state(state);
  *run.mutable_finish_time() = TimeToProto(finish);
  v1::ActualRun& actual = *run.mutable_actual();
  ClearForecast(actual);
  SetCost(finish, run);
  const bool has_succeeded = state == v1::Run::SUCCEEDED;
  const runs::Planned planned = convert::PlannedFromProto(run);
  const runs::Pace pace = planned.step > absl::ZeroDuration() ? runs::PaceOf(samples, planned) : runs::Pace{};
  actual.clear_drift();
  actual.clear_drift_reason();
  // One that was stopped has not finished, be it early or late.
  if (has_succeeded && planned.has_end()) {
    const runs::Forecast plan = runs::PlannedForecast(planned, pace.first_step);
    actual.set_drift(DriftToProto(runs::DriftOf(finish, plan)));
    actual.set_drift_reason(Reason(run, finish, plan.finish, /*has_ended=*/true));
  }
  const double last_step = samples.empty() ? 0 : static_cast<double>(samples.back().step);
  actual.set_learned(run.planned().calibration().has_predicted_step_duration() &&
                     runs::IsEvidence(pace, last_step, planned, has_succeeded));
}

void SeeAt(absl::Time now, v1::Run& run) {
  v1::ActualRun& actual = *run.mutable_actual();
  if (run.state() != v1::Run::RUNNING) return;
  const runs::Reports reports = ReportsOf(run);
  const bool is_stalled = actual.has_last() && now - reports.newest > runs::PatienceOf(reports);
  if (actual.has_predicted_finish_time()) {
    const runs::Planned planned = convert::PlannedFromProto(run);
    const double first_step = actual.has_last() ? runs::FirstStepOf(reports.newest, planned, actual.planned_progress_ratio()) : 0;
    const runs::Forecast plan = runs::PlannedForecast(planned, first_step);
    runs::Forecast forecast = ForecastOf(actual);
    const absl::Time before = forecast.finish;
    if (actual.has_last()) {
      forecast = runs::StillRunning(forecast, reports, now);
    } else {
      for (absl::Time* time : {&forecast.finish, &forecast.low, &forecast.high}) *time = std::max(*time, now);
    }
    SetForecast(forecast, actual);
    if (now > plan.high) actual.set_drift(v1::ActualRun::LATE);
    if (forecast.finish != before) actual.set_drift_reason(Reason(run, forecast.finish, plan.finish, /*has_ended=*/false));
  }
  if (!actual.has_last() && actual.drift() == v1::ActualRun::DRIFT_UNSPECIFIED) {
    actual.set_drift_reason("nothing has been reported yet");
  }
  if (is_stalled) {
    actual.set_drift(v1::ActualRun::STALLED);
    actual.set_drift_reason(runs::StallText(reports, now));
  }
}

void ShowSamples(const std::vector<runs::Sample>& samples, v1::Run& run) {
  run.clear_samples();
  for (const runs::Sample& sample : samples) {
    const v1::ProgressSample* before = run.samples().empty() ? nullptr : &run.samples(run.samples_size() - 1);
    v1::ProgressSample shown = Shown(sample, before, run);
    *run.add_samples() = std::move(shown);
  }
}

std::string SamplesToBytes(const std::vector<runs::Sample>& samples) {
  v1::Run stored;
  for (const runs::Sample& sample : samples) *stored.add_samples() = convert::SampleToProto(sample);
  return stored.SerializeAsString();
}

bool SamplesFromBytes(const std::string& bytes, std::vector<runs::Sample>& samples) {
  v1::Run stored;
  if (!stored.ParseFromString(bytes)) return false;
  samples.clear();
  for (const v1::ProgressSample& sample : stored.samples()) samples.push_back(convert::SampleFromProto(sample, 0));
  return true;
}

}  // namespace planner::server
