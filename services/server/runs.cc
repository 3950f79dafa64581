#include "services/server/runs.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/convert/run.h"
#include "services/convert/time.h"
#include "services/server/reservations.h"
#include "services/server/run_progress.h"
#include "services/validate/requests.h"

namespace planner::server {
namespace {

using store::Kind;

constexpr int kRunsOfAPage = 100;
/// Records that a list with a filter looks at before it answers with what it has.
constexpr int kMostLookedAt = 10'000;
constexpr int kChunk = 500;
/// By how much clients' clocks may be ahead of ours.
constexpr absl::Duration kClockSkew = absl::Minutes(1);
/// A training may be longer than its plan, but not by so much: where tokens or samples are reported as steps, they are a thousand times as many.
constexpr double kFarBeyond = 10;
constexpr double kFewSteps = 1'000'000;

absl::StatusOr<v1::Run> Parse(const store::Record& record) {
  v1::Run run;
  if (run.ParseFromString(record.value)) return run;
  return absl::DataLossError(fmt::format("runs/{}: the stored value cannot be read", record.name));
}

/// None where nothing has been reported yet.
template <typename Reader>
absl::StatusOr<std::vector<runs::Sample>> SamplesOf(const std::string& id, Reader& reader) {
  std::vector<runs::Sample> samples;
  const absl::StatusOr<store::Record> record = reader.Get(Kind::kRunSamples, id);
  if (absl::IsNotFound(record.status())) return samples;
  RETURN_IF_ERROR(record.status());
  if (SamplesFromBytes(record->value, samples)) return samples;
  return absl::DataLossError(fmt::format("runs/{}: its samples cannot be read", id));
}

template <typename Writer>
absl::Status WriteSamples(const std::string& id, const std::vector<runs::Sample>& samples, Writer& writer) {
  const absl::Status updated = writer.Update(Kind::kRunSamples, id, "", SamplesToBytes(samples)).status();
  if (!absl::IsNotFound(updated)) return updated;
  return writer.Create(Kind::kRunSamples, id, SamplesToBytes(samples), "").status();
}

absl::Status HasFinished(const store::Record& record, const v1::Run& run) {
  return base::WithReason(
      absl::FailedPreconditionError(fmt::format("run \"{}\" has ended: state={}", record.name, v1::Run::State_Name(run.state()))),
      "RUN_FINISHED");
}

std::string TimeText(absl::Time time) { return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone()); }

/// Whether a sample, which has a time, is one of this run.
absl::Status CheckSample(const std::string& field, const v1::ProgressSample& sample, const v1::Run& run, absl::Time now) {
  RETURN_IF_ERROR(validate::ValidateSample(field, sample));
  if (!sample.has_step() && !(run.planned().tokens_per_step() > 0)) {
    return base::InvalidField(field + ".step", "is missing: the tokens of a step are not known");
  }
  const double planned_steps = run.planned().step_count();
  if (planned_steps > 0 && static_cast<double>(sample.step()) > kFarBeyond * planned_steps + kFewSteps) {
    return base::InvalidField(field + ".step",
                              fmt::format("is far beyond the {:.0f} of the plan; are these tokens or samples? step={}", planned_steps, sample.step()),
                              "BEYOND_PLAN");
  }
  const absl::Time time = convert::TimeFromProto(sample.time());
  if (time > now + kClockSkew) {
    return base::InvalidField(field + ".time", fmt::format("lies in the future: {} is after now, {}", TimeText(time), TimeText(now)),
                              "IN_THE_FUTURE");
  }
  const absl::Time start = convert::TimeFromProto(run.start_time());
  if (time < start) {
    return base::InvalidField(field + ".time",
                              fmt::format("lies before the run: {} is before its start, {}", TimeText(time), TimeText(start)),
                              "BEFORE_START");
  }
  return absl::OkStatus();
}

/// The run that a request makes of its plan, without a name.
absl::StatusOr<v1::Run> Begun(const v1::StartRunRequest& request, const absl::StatusOr<store::Record>& record, absl::Time now) {
  if (!record.ok()) return absl::IsNotFound(record.status()) ? base::WithField("run.plan", record.status()) : record.status();
  v1::Plan plan;
  if (!plan.ParseFromString(record->value)) {
    return absl::DataLossError(fmt::format("plans/{}: the stored value cannot be read", record->name));
  }
  if ((plan.state() != v1::Plan::PLANNED && plan.state() != v1::Plan::CONFIRMED) || plan.estimate().recommendations().empty()) {
    return base::WithReason(absl::FailedPreconditionError(fmt::format("plan \"{}\" cannot be carried out: state={}", record->name,
                                                                      v1::Plan::State_Name(plan.state()))),
                            "PLAN_NOT_RUNNABLE");
  }
  const absl::Time start = request.run().has_start_time() ? convert::TimeFromProto(request.run().start_time()) : now;
  if (start > now + kClockSkew) {
    return base::InvalidField("run.start_time", fmt::format("lies in the future: {} is after now, {}", TimeText(start), TimeText(now)),
                              "IN_THE_FUTURE");
  }
  v1::Run run;
  run.set_plan("plans/" + record->name);
  run.set_description(request.run().description());
  *run.mutable_start_time() = convert::TimeToProto(start);
  *run.mutable_planned() = convert::PlannedRunToProto(plan, start);
  BeginProgress(run);
  return run;
}

/// What a run's plan still holds.
absl::Status Release(const std::string& plan_name, bookings::Ledgers& ledgers) {
  ASSIGN_OR_RETURN(const std::string id, validate::PlanId("plan", plan_name));
  const absl::StatusOr<store::Record> record = ledgers.Get(Kind::kPlan, id);
  if (absl::IsNotFound(record.status())) return absl::OkStatus();
  RETURN_IF_ERROR(record.status());
  v1::Plan plan;
  if (!plan.ParseFromString(record->value)) return absl::DataLossError(fmt::format("plans/{}: the stored value cannot be read", id));
  RETURN_IF_ERROR(ReleaseHeld(plan, ledgers));
  return ledgers.Update(Kind::kPlan, id, "", plan.SerializeAsString()).status();
}

}  // namespace

absl::StatusOr<v1::Run> Runs::FromRecord(const store::Record& record) const {
  ASSIGN_OR_RETURN(v1::Run run, Parse(record));
  run.set_name("runs/" + record.name);
  run.set_etag(record.etag);
  *run.mutable_create_time() = convert::TimeToProto(record.create_time);
  *run.mutable_update_time() = convert::TimeToProto(record.update_time);
  SeeAt(clock_.Now(), run);
  return run;
}

absl::StatusOr<v1::Run> Runs::Start(const v1::StartRunRequest& request) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const std::string plan, validate::PlanId("run.plan", request.run().plan()));
  if (request.validate_only()) {
    const absl::Time now = clock_.Now();
    ASSIGN_OR_RETURN(v1::Run run, Begun(request, store_.Get(Kind::kPlan, plan), now));
    SeeAt(now, run);
    return run;
  }
  // Where nothing is kept yet, there is no plan either, and a refusal must not begin to keep something.
  if (const absl::Status status = store_.Get(Kind::kPlan, plan).status(); absl::IsNotFound(status) && request.request_id().empty()) {
    return base::WithField("run.plan", status);
  }
  v1::Run begun;
  const absl::Status done = store_.Transact([&](store::Transaction& transaction) -> absl::Status {
    if (!request.request_id().empty()) {
      const absl::StatusOr<store::Record> earlier = transaction.GetByRequestId(Kind::kRun, request.request_id());
      if (!absl::IsNotFound(earlier.status())) {
        RETURN_IF_ERROR(earlier.status());
        ASSIGN_OR_RETURN(begun, FromRecord(*earlier));
        return absl::OkStatus();
      }
    }
    const absl::Time now = clock_.Now();
    ASSIGN_OR_RETURN(const v1::Run run, Begun(request, transaction.Get(Kind::kPlan, plan), now));
    ASSIGN_OR_RETURN(const store::Record record,
                     transaction.Create(Kind::kRun, TimedId(now, ids_), run.SerializeAsString(), request.request_id()));
    ASSIGN_OR_RETURN(begun, FromRecord(record));
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(done);
  return begun;
}

absl::StatusOr<ReportOutcome> Runs::ReportOne(const RunReport& report, store::Transaction& transaction) const {
  const absl::StatusOr<store::Record> record = transaction.Get(Kind::kRun, report.id);
  if (!record.ok()) return absl::IsNotFound(record.status()) ? base::WithField("run", record.status()) : record.status();
  ASSIGN_OR_RETURN(v1::Run run, Parse(*record));
  if (run.state() != v1::Run::RUNNING) return HasFinished(*record, run);
  ReportOutcome outcome;
  std::vector<runs::Sample> accepted;
  const absl::Time now = clock_.Now();
  for (size_t i = 0; i < report.samples.size(); ++i) {
    const v1::ProgressSample& sample = report.samples[i];
    const std::string field = fmt::format("samples[{}]", report.first + static_cast<int64_t>(i));
    const absl::Status status = CheckSample(field, sample, run, now);
    if (status.ok()) {
      accepted.push_back(convert::SampleFromProto(sample, run.planned().tokens_per_step()));
      continue;
    }
    ++outcome.refused;
    if (outcome.refusals.size() < kMostRefusals) outcome.refusals.emplace_back(status.message());
  }
  outcome.accepted = static_cast<int64_t>(accepted.size());
  if (accepted.empty()) {
    ASSIGN_OR_RETURN(outcome.run, FromRecord(*record));
    return outcome;
  }
  ASSIGN_OR_RETURN(std::vector<runs::Sample> samples, SamplesOf(report.id, transaction));
  AddReports(std::move(accepted), run, samples);
  RETURN_IF_ERROR(WriteSamples(report.id, samples, transaction));
  ASSIGN_OR_RETURN(const store::Record written, transaction.Update(Kind::kRun, report.id, "", run.SerializeAsString()));
  ASSIGN_OR_RETURN(outcome.run, FromRecord(written));
  return outcome;
}

std::vector<absl::StatusOr<ReportOutcome>> Runs::Report(const std::vector<RunReport>& reports) {
  std::vector<absl::StatusOr<ReportOutcome>> outcomes;
  const absl::Status done = store_.Transact([&](store::Transaction& transaction) -> absl::Status {
    outcomes.clear();
    for (const RunReport& report : reports) {
      outcomes.push_back(ReportOne(report, transaction));
      // What concerns one run alone was found before anything of it was written; anything else concerns them all.
      const absl::Status& status = outcomes.back().status();
      if (!status.ok() && !absl::IsNotFound(status) && !absl::IsFailedPrecondition(status) && !absl::IsDataLoss(status)) return status;
    }
    return absl::OkStatus();
  });
  if (!done.ok()) outcomes.assign(reports.size(), done);
  return outcomes;
}

absl::Status Runs::FinishOne(const v1::FinishRunRequest& request, const std::string& id, RunsOfPlan runs, bookings::Ledgers& ledgers,
                             v1::Run& finished) const {
  const v1::Run::State state = request.state() == v1::Run::STATE_UNSPECIFIED ? v1::Run::SUCCEEDED : request.state();
  ASSIGN_OR_RETURN(const store::Record record, ledgers.Get(Kind::kRun, id));
  ASSIGN_OR_RETURN(v1::Run run, Parse(record));
  if (run.state() != v1::Run::RUNNING) {
    // Before the etag: who asks again has that of before.
    if (run.state() != state) return HasFinished(record, run);
    ASSIGN_OR_RETURN(finished, FromRecord(record));
    return absl::OkStatus();
  }
  if (!request.etag().empty() && request.etag() != record.etag) return store::EtagChanged(Kind::kRun, id, request.etag(), record.etag);
  ASSIGN_OR_RETURN(std::vector<runs::Sample> samples, SamplesOf(id, ledgers));
  absl::Time finish = ledgers.now();
  if (request.has_last()) {
    v1::ProgressSample last = request.last();
    if (!last.has_time()) *last.mutable_time() = convert::TimeToProto(finish);
    RETURN_IF_ERROR(CheckSample("last", last, run, ledgers.now()));
    finish = convert::TimeFromProto(last.time());
    AddReports({convert::SampleFromProto(last, run.planned().tokens_per_step())}, run, samples);
  }
  // Nothing is reported of what has ended.
  finish = std::max(finish, samples.empty() ? convert::TimeFromProto(run.start_time()) : samples.back().time);
  EndProgress(state, finish, samples, run);
  run.set_message(request.message());
  if (request.has_last()) RETURN_IF_ERROR(WriteSamples(id, samples, ledgers));
  ASSIGN_OR_RETURN(const store::Record written, ledgers.Update(Kind::kRun, id, "", run.SerializeAsString()));
  // As the transaction sees them: two runs that end at once, or one that begins as the other ends, are told apart on any replica.
  ASSIGN_OR_RETURN(const store::Changes changes, ledgers.ChangesSince({Kind::kRun}, runs.version));
  runs.Apply(changes);
  if (runs.ids.empty()) RETURN_IF_ERROR(Release(run.plan(), ledgers));
  ASSIGN_OR_RETURN(finished, FromRecord(written));
  return absl::OkStatus();
}

absl::StatusOr<v1::Run> Runs::Finish(const v1::FinishRunRequest& request) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const std::string id, validate::RunId("name", request.name()));
  ASSIGN_OR_RETURN(const store::Record record, store_.Get(Kind::kRun, id));
  ASSIGN_OR_RETURN(const v1::Run run, Parse(record));
  ASSIGN_OR_RETURN(const RunsOfPlan runs, index_.RunsOf(run.plan()));
  v1::Run finished;
  RETURN_IF_ERROR(bookings_.Run([&](bookings::Ledgers& ledgers) { return FinishOne(request, id, runs, ledgers, finished); }));
  return finished;
}

absl::StatusOr<v1::Run> Runs::Get(const v1::GetRunRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, validate::RunId("name", request.name()));
  // The samples come first: what is written between is then in the run and not yet among them, rather than the other way round.
  ASSIGN_OR_RETURN(const std::vector<runs::Sample> samples, SamplesOf(id, store_));
  ASSIGN_OR_RETURN(const store::Record record, store_.Get(Kind::kRun, id));
  ASSIGN_OR_RETURN(v1::Run run, FromRecord(record));
  ShowSamples(samples, run);
  return run;
}

absl::StatusOr<v1::ListRunsResponse> Runs::List(const v1::ListRunsRequest& request) {
  RETURN_IF_ERROR(validate::Validate(request));
  ASSIGN_OR_RETURN(const int page_size, validate::PageSize(request.page_size(), kRunsOfAPage));
  std::string plan;
  if (!request.plan().empty()) {
    ASSIGN_OR_RETURN(plan, validate::PlanId("plan", request.plan()));
    plan = "plans/" + plan;
  }
  const bool has_filter = !plan.empty() || request.state() != v1::Run::STATE_UNSPECIFIED;
  v1::ListRunsResponse response;
  store::ListOptions options{store::Order::kNewestFirst, has_filter ? std::max(kChunk, page_size) : page_size, request.page_token()};
  for (int looked_at = 0; looked_at < kMostLookedAt;) {
    ASSIGN_OR_RETURN(const store::Page page, store_.List(Kind::kRun, options));
    size_t i = 0;
    for (; i < page.records.size() && response.runs_size() < page_size; ++i) {
      ASSIGN_OR_RETURN(v1::Run run, FromRecord(page.records[i]));
      if ((plan.empty() || run.plan() == plan) &&
          (request.state() == v1::Run::STATE_UNSPECIFIED || run.state() == request.state())) {
        *response.add_runs() = std::move(run);
      }
    }
    if (i < page.records.size()) {
      // The list goes on within the page: the token of one that ends there is asked for.
      options.page_size = static_cast<int>(i);
      for (absl::StatusOr<store::Page> part = store_.List(Kind::kRun, options);; part = store_.List(Kind::kRun, options)) {
        RETURN_IF_ERROR(part.status());
        response.set_next_page_token(part->next_page_token);
        // What was written at its beginning since has moved it.
        if (part->records.empty() || part->records.back().name == page.records[i - 1].name || options.page_size >= kMostLookedAt) return response;
        ++options.page_size;
      }
    }
    response.set_next_page_token(page.next_page_token);
    if (page.next_page_token.empty() || response.runs_size() == page_size) break;
    looked_at += static_cast<int>(page.records.size());
    options.page_token = page.next_page_token;
  }
  return response;
}

absl::Status Runs::Delete(const v1::DeleteRunRequest& request) {
  ASSIGN_OR_RETURN(const std::string id, validate::RunId("name", request.name()));
  // Where nothing is kept yet, a deletion must not begin to keep something.
  RETURN_IF_ERROR(store_.Get(Kind::kRun, id).status());
  return store_.Transact([&](store::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const store::Record record, transaction.Get(Kind::kRun, id));
    if (!request.etag().empty() && request.etag() != record.etag) return store::EtagChanged(Kind::kRun, id, request.etag(), record.etag);
    ASSIGN_OR_RETURN(const v1::Run run, Parse(record));
    if (run.state() == v1::Run::RUNNING) {
      return base::WithReason(absl::FailedPreconditionError(fmt::format("run \"{}\" still runs: finish it first", id)), "RUN_NOT_FINISHED");
    }
    const absl::Status samples = transaction.Delete(Kind::kRunSamples, id, "");
    if (!samples.ok() && !absl::IsNotFound(samples)) return samples;
    return transaction.Delete(Kind::kRun, id, "");
  });
}

}  // namespace planner::server
