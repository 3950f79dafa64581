#include "services/server/run_index.h"

#include <cmath>

#include "core/base/status_macros.h"
#include "core/runs/forecast.h"
#include "services/convert/run.h"
#include "services/convert/time.h"

namespace planner::server {
namespace {

constexpr store::Kind kKind = store::Kind::kRun;
constexpr int kPage = 500;
/// Beyond a factor of so much, measured and planned steps are not of the same job.
constexpr double kMostRatio = 10;
/// Of the plan, before which a pace says little.
constexpr double kLeastProgress = 0.1;

bool HasError(const RunFigures& figures) {
  return figures.step_ratio > 1 / kMostRatio && figures.step_ratio < kMostRatio &&
         (figures.state == v1::Run::SUCCEEDED || figures.progress > kLeastProgress);
}

}  // namespace

RunFigures FiguresOf(const v1::Run& run) {
  const v1::PlannedRun& planned = run.planned();
  const v1::ActualRun& actual = run.actual();
  RunFigures figures;
  figures.plan = run.plan();
  figures.state = run.state();
  figures.cluster = planned.cluster();
  figures.gpu_type = planned.gpu_type();
  figures.start = convert::TimeFromProto(run.start_time());
  figures.finish = convert::TimeFromProto(run.finish_time());
  figures.planned_finish = convert::TimeFromProto(planned.finish_time());
  figures.newest = convert::TimeFromProto(actual.last().time());
  figures.planned_total = convert::DurationFromProto(planned.total_duration());
  figures.drift = actual.drift();
  figures.predicted_finish = convert::TimeFromProto(actual.predicted_finish_time());
  figures.predicted_low = convert::TimeFromProto(actual.predicted_finish_time_low());
  figures.predicted_high = convert::TimeFromProto(actual.predicted_finish_time_high());
  figures.report_count = actual.report_count();
  const runs::Planned plan = convert::PlannedFromProto(run);
  figures.has_end = plan.has_end();
  if (figures.has_end) {
    // A run that goes on from a checkpoint has less to do, and is to be done earlier, than the plan from its first step on.
    const double first_step = figures.report_count > 0 ? runs::FirstStepOf(figures.newest, plan, actual.planned_progress_ratio()) : 0;
    figures.first_progress = runs::ProgressOf(first_step, plan);
    const runs::Forecast forecast = runs::PlannedForecast(plan, first_step);
    if (first_step > 0) figures.planned_finish = forecast.finish;
    figures.planned_latest = forecast.high;
  }
  figures.currency = planned.currency();
  figures.gpu_count = static_cast<double>(planned.gpu_count());
  figures.step_ratio = actual.step_ratio();
  figures.progress = actual.progress_ratio();
  figures.planned_progress = actual.planned_progress_ratio();
  figures.planned_tokens_per_second = planned.tokens_per_second();
  figures.tokens_per_second = actual.last().tokens_per_second();
  figures.model_flops_utilization = actual.model_flops_utilization();
  figures.planned_gpu_hours = planned.gpu_hours();
  figures.gpu_hours = actual.gpu_hours();
  figures.planned_cost = planned.cost();
  figures.cost = actual.cost();
  return figures;
}

absl::Status RunIndex::Look(const std::function<void(const View&)>& look) {
  base::MutexLock lock(mutex_);
  RETURN_IF_ERROR(CatchUp());
  look({active_, ended_, errors_});
  return absl::OkStatus();
}

absl::StatusOr<RunsOfPlan> RunIndex::RunsOf(const std::string& plan) {
  base::MutexLock lock(mutex_);
  RETURN_IF_ERROR(CatchUp());
  RunsOfPlan runs{plan, version_, {}};
  for (const auto& [id, figures] : active_) {
    if (figures.plan == plan) runs.ids.insert(id);
  }
  return runs;
}

void RunsOfPlan::Apply(const store::Changes& changes) {
  if (changes.is_all) ids.clear();
  for (const auto& [kind, id] : changes.deleted) ids.erase(id);
  for (const store::KindRecord& one : changes.written) {
    v1::Run run;
    if (run.ParseFromString(one.record.value) && run.plan() == plan && run.state() == v1::Run::RUNNING) {
      ids.insert(one.record.name);
    } else {
      ids.erase(one.record.name);
    }
  }
  version = changes.version;
}

absl::Status RunIndex::CatchUp() {
  if (version_ < 0) return ReadAll();
  ASSIGN_OR_RETURN(const int64_t version, store_.Version());
  if (version == version_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const store::Changes changes, store_.ChangesSince({kKind}, version_));
  if (changes.is_all) Clear();
  for (const auto& [kind, id] : changes.deleted) Remove(id);
  for (const store::KindRecord& one : changes.written) Put(one.record);
  version_ = changes.version;
  return absl::OkStatus();
}

absl::Status RunIndex::ReadAll() {
  // The version comes first: what is written meanwhile is read again with the next changes.
  ASSIGN_OR_RETURN(const int64_t version, store_.Version());
  Clear();
  store::ListOptions options{store::Order::kNewestFirst, kPage, ""};
  do {
    ASSIGN_OR_RETURN(const store::Page page, store_.List(kKind, options));
    for (const store::Record& record : page.records) Put(record);
    options.page_token = page.next_page_token;
  } while (!options.page_token.empty());
  version_ = version;
  return absl::OkStatus();
}

void RunIndex::Clear() {
  active_.clear();
  ended_.clear();
  errors_.clear();
  places_.clear();
}

void RunIndex::Put(const store::Record& record) {
  Remove(record.name);
  v1::Run run;
  if (!run.ParseFromString(record.value)) return;  // Whoever asks for it is told.
  RunFigures figures = FiguresOf(run);
  if (figures.state == v1::Run::RUNNING) {
    active_.emplace(record.name, std::move(figures));
  } else {
    PutEnded(record.name, std::move(figures));
  }
}

void RunIndex::PutEnded(const std::string& id, RunFigures figures) {
  const std::pair<absl::Time, std::string> key{figures.finish, id};
  const std::pair<std::string, std::string> pool{figures.cluster, figures.gpu_type};
  places_[id] = {figures.finish, pool};
  // Whatever is in neither any more has no place.
  const auto forget = [&](const std::string& gone) {
    const auto place = places_.find(gone);
    if (place == places_.end()) return;
    const auto group = errors_.find(place->second.second);
    const bool has_error = group != errors_.end() && group->second.contains({place->second.first, gone});
    if (!has_error && !ended_.contains({place->second.first, gone})) places_.erase(place);
  };
  if (HasError(figures)) {
    auto& errors = errors_[pool];
    errors[key] = std::abs(figures.step_ratio - 1);
    if (errors.size() > kMostErrors) {
      const std::string oldest = errors.begin()->first.second;
      errors.erase(errors.begin());
      forget(oldest);
    }
  }
  ended_.emplace(key, std::move(figures));
  if (ended_.size() > kMostEnded) {
    const std::string oldest = ended_.begin()->first.second;
    ended_.erase(ended_.begin());
    forget(oldest);
  }
}

void RunIndex::Remove(const std::string& id) {
  active_.erase(id);
  const auto place = places_.find(id);
  if (place == places_.end()) return;
  const auto& [finish, pool] = place->second;
  ended_.erase({finish, id});
  if (const auto group = errors_.find(pool); group != errors_.end()) {
    group->second.erase({finish, id});
    if (group->second.empty()) errors_.erase(group);
  }
  places_.erase(place);
}

}  // namespace planner::server
