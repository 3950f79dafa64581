#include "services/server/runs.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "core/base/status_macros.h"
#include "core/store/memory_store.h"
#include "services/convert/cluster.h"
#include "services/convert/time.h"
#include "services/server/fake_id_source.h"
#include "services/server/fake_plan.h"
#include "services/server/reservations.h"

namespace planner::server {
namespace {

using convert::TimeFromProto;
using store::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

template <typename Message>
Message ParseText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

/// A store whose transactions all run twice, as those of a database do that has to try again.
class RepeatingStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  absl::Status Transact(const store::Body& body) override {
    if (const auto meanwhile = std::exchange(before_next, nullptr)) meanwhile();
    if (!repeats) return MemoryStore::Transact(body);
    const absl::Status taken_back = absl::AbortedError("once more");
    bool is_first_ok = false;
    const absl::Status first = MemoryStore::Transact([&](store::Transaction& transaction) -> absl::Status {
      RETURN_IF_ERROR(body(transaction));
      is_first_ok = true;
      return taken_back;
    });
    return is_first_ok ? MemoryStore::Transact(body) : first;
  }
  bool repeats = false;
  std::function<void()> before_next;  ///< What another replica does before the next transaction.
};

class RunsTest : public ::testing::Test {
 protected:
  RunsTest() { PutPlan("p1", FakePlan()); }

  void PutPlan(const std::string& id, const v1::Plan& plan) {
    ASSERT_TRUE(store_.Create(Kind::kPlan, id, plan.SerializeAsString(), "").ok());
  }
  absl::StatusOr<v1::Run> Start(const std::string& text) { return runs_.Start(ParseText<v1::StartRunRequest>(text)); }
  v1::Run MustStart(const std::string& text = "run { plan: 'plans/p1' }") {
    absl::StatusOr<v1::Run> run = Start(text);
    EXPECT_TRUE(run.ok()) << run.status();
    return run.value_or(v1::Run());
  }
  static std::string IdOf(const v1::Run& run) { return run.name().substr(5); }

  v1::ProgressSample At(double seconds, int64_t step) const {
    v1::ProgressSample sample;
    *sample.mutable_time() = convert::TimeToProto(begin_ + absl::Seconds(seconds));
    sample.set_step(step);
    return sample;
  }
  absl::StatusOr<ReportOutcome> Report(const v1::Run& run, std::vector<v1::ProgressSample> samples) {
    return runs_.Report({{IdOf(run), std::move(samples), 0}}).at(0);
  }
  /// Steps of `seconds` each, a report every ten, from step 0 to `steps`; the clock goes along.
  v1::Run Train(const v1::Run& run, double seconds, int64_t steps) {
    std::vector<v1::ProgressSample> samples;
    for (int64_t step = 0; step <= steps; step += 10) samples.push_back(At(seconds * static_cast<double>(step), step));
    MoveTo(seconds * static_cast<double>(steps));
    const absl::StatusOr<ReportOutcome> outcome = Report(run, std::move(samples));
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? outcome->run : v1::Run();
  }
  void MoveTo(double seconds) { clock_.Advance(begin_ + absl::Seconds(seconds) - clock_.Now()); }
  v1::Run Get(const v1::Run& run) {
    v1::GetRunRequest request;
    request.set_name(run.name());
    absl::StatusOr<v1::Run> got = runs_.Get(request);
    EXPECT_TRUE(got.ok()) << got.status();
    return got.value_or(v1::Run());
  }
  absl::StatusOr<v1::Run> Finish(const v1::Run& run, const std::string& text = "") {
    auto request = ParseText<v1::FinishRunRequest>(text);
    request.set_name(run.name());
    return runs_.Finish(request);
  }
  absl::Status Delete(const v1::Run& run) {
    v1::DeleteRunRequest request;
    request.set_name(run.name());
    return runs_.Delete(request);
  }
  std::vector<std::string> Names(const std::string& text) {
    std::vector<std::string> names;
    auto request = ParseText<v1::ListRunsRequest>(text);
    do {
      const absl::StatusOr<v1::ListRunsResponse> page = runs_.List(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (const v1::Run& run : page->runs()) names.push_back(run.name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }
  static double SecondsOf(const google::protobuf::Duration& duration) {
    return absl::ToDoubleSeconds(convert::DurationFromProto(duration));
  }
  double SecondsOf(const google::protobuf::Timestamp& time) const { return absl::ToDoubleSeconds(TimeFromProto(time) - begin_); }
  static std::string ReasonOf(const absl::Status& status) { return base::DetailOf(status).reason; }
  static std::string FieldOf(const absl::Status& status) { return base::DetailOf(status).field; }

  base::FakeClock clock_;
  const absl::Time begin_ = clock_.Now();
  RepeatingStore store_{clock_};
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings_{store_, gpus_, clock_};
  RunIndex index_{store_};
  FakeIdSource ids_;
  Runs runs_{store_, bookings_, index_, clock_, ids_};
};

TEST_F(RunsTest, ARunBeginsWithWhatItsPlanSaid) {
  const v1::Run run = MustStart("run { plan: 'p1' description: 'job 7' }");
  EXPECT_EQ(run.name(), "runs/20260101-000000-00000001");
  EXPECT_EQ(run.plan(), "plans/p1");
  EXPECT_EQ(run.state(), v1::Run::RUNNING);
  EXPECT_EQ(run.description(), "job 7");
  EXPECT_EQ(TimeFromProto(run.start_time()), begin_);
  EXPECT_EQ(run.planned().cluster(), "main");
  EXPECT_EQ(run.planned().model(), "llama-7b");
  EXPECT_EQ(run.planned().framework(), "megatron-core");
  EXPECT_EQ(run.planned().gpu_count(), 8);
  EXPECT_DOUBLE_EQ(run.planned().tokens_per_step(), 4000);
  EXPECT_DOUBLE_EQ(run.planned().calibration().factor(), 1);
  EXPECT_DOUBLE_EQ(SecondsOf(run.planned().finish_time()), 10'000);
  EXPECT_DOUBLE_EQ(SecondsOf(run.actual().predicted_finish_time_high()), 11'765);
  EXPECT_EQ(run.actual().drift(), v1::ActualRun::DRIFT_UNSPECIFIED);
  EXPECT_EQ(run.actual().drift_reason(), "nothing has been reported yet");
  EXPECT_EQ(Get(run).SerializeAsString(), run.SerializeAsString());
}

TEST_F(RunsTest, OnlyPlansThatCanBeCarriedOutAre) {
  for (const v1::Plan::State state : {v1::Plan::CANCELLED, v1::Plan::INFEASIBLE}) {
    v1::Plan plan = FakePlan();
    plan.set_state(state);
    const std::string id = v1::Plan::State_Name(state);
    PutPlan(id, plan);
    const absl::Status status = Start("run { plan: '" + id + "' }").status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_EQ(ReasonOf(status), "PLAN_NOT_RUNNABLE");
  }
  v1::Plan planned = FakePlan();
  planned.set_state(v1::Plan::PLANNED);
  PutPlan("planned", planned);
  EXPECT_TRUE(Start("run { plan: 'planned' }").ok());
  for (const char* extra : {"", "request_id: 'r'", "validate_only: true"}) {
    const absl::Status unknown = Start(std::string("run { plan: 'plans/nope' } ") + extra).status();
    EXPECT_TRUE(absl::IsNotFound(unknown));
    EXPECT_EQ(FieldOf(unknown), "run.plan");
  }
  EXPECT_EQ(FieldOf(Start("run { plan: 'plans/../x' }").status()), "run.plan");
  EXPECT_EQ(FieldOf(Start("").status()), "run");
}

TEST_F(RunsTest, AStartLiesNotInTheFuture) {
  EXPECT_EQ(SecondsOf(MustStart("run { plan: 'p1' start_time { seconds: 1767222000 } }").start_time()), -3600);
  EXPECT_TRUE(Start("run { plan: 'p1' start_time { seconds: 1767225660 } }").ok());  // A clock that is ahead.
  const absl::Status future = Start("run { plan: 'p1' start_time { seconds: 1767225661 } }").status();
  EXPECT_EQ(FieldOf(future), "run.start_time");
  EXPECT_EQ(ReasonOf(future), "IN_THE_FUTURE");
  EXPECT_EQ(FieldOf(Start("run { plan: 'p1' start_time { seconds: -1 } }").status()), "run.start_time.seconds");
}

TEST_F(RunsTest, ValidateOnlyStoresNothingAndARequestIdOnce) {
  EXPECT_EQ(MustStart("run { plan: 'p1' } validate_only: true").name(), "");
  EXPECT_THAT(Names(""), IsEmpty());
  const v1::Run first = MustStart("run { plan: 'p1' } request_id: 'r1'");
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(MustStart("run { plan: 'p1' } request_id: 'r1'").name(), first.name());
  EXPECT_NE(MustStart("run { plan: 'p1' } request_id: 'r2'").name(), first.name());
  EXPECT_THAT(Names(""), SizeIs(2));
}

TEST_F(RunsTest, ProgressIsPlannedBesideActual) {
  // 250 steps of 12 s in place of 10: the worked number of core/runs/forecast.h.
  const v1::Run run = Train(MustStart(), 12, 250);
  const v1::ActualRun& actual = run.actual();
  EXPECT_EQ(actual.last().step(), 250);
  EXPECT_DOUBLE_EQ(actual.last().token_count(), 1e6);
  EXPECT_NEAR(actual.last().tokens_per_second(), 333.3, 0.1);
  EXPECT_DOUBLE_EQ(actual.progress_ratio(), 0.25);
  EXPECT_DOUBLE_EQ(actual.planned_progress_ratio(), 0.3);
  EXPECT_DOUBLE_EQ(SecondsOf(actual.step_duration()), 12);
  EXPECT_NEAR(actual.tokens_per_second(), 333.3, 0.1);
  EXPECT_NEAR(actual.model_flops_utilization(), 0.4 / 1.2, 1e-9);
  EXPECT_NEAR(actual.step_ratio(), 1.2, 1e-9);
  EXPECT_NEAR(SecondsOf(actual.predicted_finish_time()), 11'814, 1);
  EXPECT_NEAR(SecondsOf(actual.predicted_finish_time_low()), 11'343, 1);
  EXPECT_NEAR(SecondsOf(actual.predicted_finish_time_high()), 12'312, 1);
  EXPECT_NEAR(actual.gpu_hours(), 8 * 3000 / 3600.0, 1e-9);
  EXPECT_NEAR(actual.cost(), 2 * 8 * 3000 / 3600.0, 1e-6);
  EXPECT_EQ(actual.report_count(), 26);
  EXPECT_EQ(actual.drift(), v1::ActualRun::LATE);
  EXPECT_EQ(actual.drift_reason(), "20 % slower than planned: finishes 2026-01-01 03:16 UTC instead of 2026-01-01 02:46 UTC");
  const v1::Run got = Get(run);
  EXPECT_THAT(got.samples(), SizeIs(26));
  EXPECT_DOUBLE_EQ(got.samples(1).token_count(), 40'000);
  EXPECT_NEAR(got.samples(1).tokens_per_second(), 333.3, 0.1);
}

TEST_F(RunsTest, WhatIsWrongIsRefusedAndNamedAndTheRestIsTaken) {
  const v1::Run run = MustStart();
  MoveTo(1000);
  std::vector<v1::ProgressSample> samples(11, At(900, 50));
  samples[0].set_loss(std::nan(""));
  samples[1].set_loss(std::numeric_limits<double>::infinity());
  samples[2].set_tokens_per_second(-1);
  samples[3].set_step(-1);
  samples[4].set_gpu_utilization_ratio(1.01);
  samples[5].set_token_count(std::nan(""));
  samples[6] = At(1061, 50);
  samples[7] = At(-1, 50);
  samples[8].clear_step();
  samples[9].mutable_time()->set_nanos(-1);
  samples[10].set_loss(-2.5);
  const absl::StatusOr<ReportOutcome> outcome = Report(run, samples);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->accepted, 1);
  EXPECT_EQ(outcome->refused, 10);
  EXPECT_THAT(outcome->refusals,
              ElementsAre("samples[0].loss: must be a number: loss=nan", "samples[1].loss: must be a number: loss=inf",
                          "samples[2].tokens_per_second: must not be negative: tokens_per_second=-1",
                          "samples[3].step: must be at least 0: step=-1", StartsWith("samples[4].gpu_utilization_ratio: must be at most 1"),
                          "samples[5].token_count: must be a number: token_count=nan",
                          "samples[6].time: lies in the future: 2026-01-01T00:17:41+00:00 is after now, 2026-01-01T00:16:40+00:00",
                          "samples[7].time: lies before the run: 2025-12-31T23:59:59+00:00 is before its start, 2026-01-01T00:00:00+00:00",
                          "samples[8].step: is missing, and so is token_count", StartsWith("samples[9].time.nanos: ")));
  EXPECT_EQ(outcome->run.actual().last().loss(), -2.5);
  EXPECT_EQ(outcome->run.actual().report_count(), 1);
  // Tokens that are written as steps.
  EXPECT_THAT(Report(run, {At(900, 200'000'000)})->refusals,
              ElementsAre("samples[0].step: is far beyond the 1000 of the plan; are these tokens or samples? step=200000000"));
  // A minute ahead is a clock, not the future. At most 20 refusals are told.
  EXPECT_EQ(Report(run, {At(1060, 51)})->accepted, 1);
  EXPECT_THAT(Report(run, std::vector<v1::ProgressSample>(100, At(-1, 1)))->refusals, SizeIs(kMostRefusals));
}

TEST_F(RunsTest, TokensTellTheStep) {
  const v1::Run run = MustStart();
  MoveTo(1000);
  v1::ProgressSample sample = At(1000, 0);
  sample.clear_step();
  sample.set_token_count(400'000);
  EXPECT_EQ(Report(run, {sample})->run.actual().last().step(), 100);
}

TEST_F(RunsTest, NothingReportedIsNoReport) {
  const v1::Run run = MustStart();
  const absl::StatusOr<ReportOutcome> outcome = Report(run, {});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->accepted, 0);
  EXPECT_EQ(outcome->run.etag(), run.etag());
}

TEST_F(RunsTest, StepsBeyondThePlanAreTakenAndSaid) {
  const v1::Run run = Train(MustStart(), 10, 1200);
  EXPECT_DOUBLE_EQ(run.actual().progress_ratio(), 1);
  EXPECT_EQ(SecondsOf(run.actual().predicted_finish_time()), 12'000);
  EXPECT_EQ(SecondsOf(run.actual().predicted_finish_time_high()), 12'000);
  EXPECT_THAT(run.actual().drift_reason(), HasSubstr("step 1200 is beyond the 1000 of the plan"));
}

TEST_F(RunsTest, ReportsSentAgainChangeNothing) {
  const v1::Run run = Train(MustStart(), 10, 500);
  const v1::Run again = Train(run, 10, 500);
  EXPECT_EQ(again.etag(), run.etag());
  EXPECT_EQ(again.actual().report_count(), 51);
}

TEST_F(RunsTest, OrderDoesNotMatter) {
  const v1::Run one = MustStart();
  const v1::Run other = MustStart();
  MoveTo(5000);
  for (int64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(Report(one, {At(static_cast<double>(100 * i), 10 * i)}).ok());
    ASSERT_TRUE(Report(other, {At(static_cast<double>(100 * (49 - i)), 10 * (49 - i))}).ok());
  }
  EXPECT_EQ(Get(one).actual().SerializeAsString(), Get(other).actual().SerializeAsString());
}

TEST_F(RunsTest, ARunThatIsSilentIsStalled) {
  v1::Run run = Train(MustStart(), 10, 500);  // A report each 100 s: patience of 1,000 s.
  EXPECT_EQ(run.actual().drift(), v1::ActualRun::ON_PLAN);
  const double finish = SecondsOf(run.actual().predicted_finish_time());
  MoveTo(5000 + 980);
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::ON_PLAN);
  EXPECT_EQ(SecondsOf(Get(run).actual().predicted_finish_time()), finish);
  MoveTo(5000 + 2000);
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::STALLED);
  EXPECT_EQ(Get(run).actual().drift_reason(),
            "nothing has been reported since 2026-01-01 01:23 UTC, for 33m; before, a report came every 1m38s");
  // What is lost by now is in the prediction.
  EXPECT_GT(SecondsOf(Get(run).actual().predicted_finish_time()), finish + 900);
  // It goes on.
  ASSERT_TRUE(Report(run, {At(7000, 510)}).ok());
  EXPECT_NE(Get(run).actual().drift(), v1::ActualRun::STALLED);
}

TEST_F(RunsTest, ARunThatNeverReportsIsLateInTheEnd) {
  const v1::Run run = MustStart();
  MoveTo(11'000);
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::DRIFT_UNSPECIFIED);
  EXPECT_EQ(SecondsOf(Get(run).actual().predicted_finish_time()), 11'000);
  MoveTo(11'766);
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::LATE);
}

TEST_F(RunsTest, APlanWithoutAnEndHasRates) {
  v1::Plan plan = FakePlan();
  v1::Recommendation& best = *plan.mutable_estimate()->mutable_recommendations(0);
  plan.mutable_estimate()->set_token_count(0);
  best.set_step_count(0);
  best.clear_total_duration();
  best.clear_total_duration_low();
  best.clear_total_duration_high();
  PutPlan("endless", plan);
  const v1::Run started = MustStart("run { plan: 'endless' }");
  EXPECT_FALSE(started.planned().has_finish_time());
  EXPECT_FALSE(started.actual().has_predicted_finish_time());
  const v1::Run run = Train(started, 8, 100);
  EXPECT_NEAR(run.actual().step_ratio(), 0.8, 1e-9);
  EXPECT_NEAR(run.actual().tokens_per_second(), 500, 1e-6);
  EXPECT_EQ(run.actual().progress_ratio(), 0);
  EXPECT_FALSE(run.actual().has_predicted_finish_time());
  EXPECT_EQ(run.actual().drift(), v1::ActualRun::DRIFT_UNSPECIFIED);
  EXPECT_TRUE(Finish(run).ok());
}

TEST_F(RunsTest, AnEndIsFinal) {
  const v1::Run run = Train(MustStart(), 11, 1000);
  const absl::StatusOr<v1::Run> done = Finish(run, "message: 'all well'");
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->state(), v1::Run::SUCCEEDED);
  EXPECT_EQ(done->message(), "all well");
  EXPECT_EQ(SecondsOf(done->finish_time()), 11'000);
  EXPECT_FALSE(done->actual().has_predicted_finish_time());
  EXPECT_EQ(done->actual().drift(), v1::ActualRun::ON_PLAN);
  EXPECT_EQ(done->actual().drift_reason(), "10 % slower than planned: finished 2026-01-01 03:03 UTC instead of 2026-01-01 02:46 UTC");
  EXPECT_NEAR(done->actual().gpu_hours(), 8 * 11'000 / 3600.0, 1e-9);
  EXPECT_TRUE(done->actual().learned());
  clock_.Advance(absl::Hours(1));
  // The same again, even with an etag of before, is answered as it was; another one is not.
  const absl::StatusOr<v1::Run> again = Finish(run, "etag: '" + run.etag() + "' message: 'other'");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->SerializeAsString(), done->SerializeAsString());
  EXPECT_EQ(ReasonOf(Finish(run, "state: FAILED").status()), "RUN_FINISHED");
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(run, "state: FAILED").status()));
  const absl::Status report = Report(run, {At(11'000, 1000)}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(report));
  EXPECT_EQ(ReasonOf(report), "RUN_FINISHED");
  // Silence is no drift any more.
  clock_.Advance(absl::Hours(1000));
  EXPECT_EQ(Get(run).actual().drift(), v1::ActualRun::ON_PLAN);
}

TEST_F(RunsTest, TheLastReportMayComeWithTheEnd) {
  const v1::Run run = Train(MustStart(), 10, 500);
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(FieldOf(Finish(run, "last { step: -1 }").status()), "last.step");
  EXPECT_EQ(FieldOf(Finish(run, "last { step: 1 time { seconds: 1 } }").status()), "last.time");
  EXPECT_EQ(FieldOf(Finish(run, "last { step: 1 loss: nan }").status()), "last.loss");
  const absl::StatusOr<v1::Run> done = Finish(run, "state: FAILED last { step: 520 time { seconds: 1767230800 } }");  // 5,200 s.
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(SecondsOf(done->finish_time()), 5200);
  EXPECT_EQ(done->actual().last().step(), 520);
  EXPECT_EQ(done->actual().drift(), v1::ActualRun::DRIFT_UNSPECIFIED);
  EXPECT_TRUE(done->actual().learned());
  EXPECT_THAT(Get(run).samples(), SizeIs(52));
}

TEST_F(RunsTest, BadEndsAreRefused) {
  const v1::Run run = MustStart();
  EXPECT_EQ(FieldOf(Finish(run, "state: RUNNING").status()), "state");
  EXPECT_EQ(FieldOf(Finish(run, "message: '" + std::string(1001, 'x') + "'").status()), "message");
  EXPECT_TRUE(absl::IsAborted(Finish(run, "etag: 'old'").status()));
  v1::FinishRunRequest unknown;
  unknown.set_name("runs/nope");
  EXPECT_EQ(ReasonOf(runs_.Finish(unknown).status()), "UNKNOWN_RUN");
  unknown.set_name("runs/a b");
  EXPECT_EQ(FieldOf(runs_.Finish(unknown).status()), "name");
  EXPECT_EQ(Get(run).state(), v1::Run::RUNNING);
}

TEST_F(RunsTest, AShortRunTeachesNothing) {
  EXPECT_FALSE(Finish(Train(MustStart(), 10, 100), "state: CANCELLED")->actual().learned());
  const v1::Run other = MustStart();
  EXPECT_FALSE(Finish(other)->actual().learned());
  v1::Plan plan = FakePlan();
  plan.mutable_estimate()->mutable_recommendations(0)->clear_calibration();
  PutPlan("given", plan);
  const v1::Run given = MustStart("run { plan: 'given' start_time { seconds: 1767225600 } }");
  EXPECT_FALSE(Finish(Train(given, 10, 900))->actual().learned());
}

TEST_F(RunsTest, ListsAreNewestFirstAndFiltered) {
  PutPlan("p2", FakePlan());
  std::vector<std::string> all, of_p2;
  for (int i = 0; i < 7; ++i) {
    const v1::Run run = MustStart(i % 3 == 0 ? "run { plan: 'p2' }" : "run { plan: 'p1' }");
    all.insert(all.begin(), run.name());
    if (i % 3 == 0) of_p2.insert(of_p2.begin(), run.name());
  }
  for (const char* size : {"", "page_size: 1", "page_size: 2", "page_size: 3", "page_size: 7"}) {
    EXPECT_EQ(Names(size), all) << size;
    EXPECT_EQ(Names(std::string(size) + " plan: 'plans/p2'"), of_p2) << size;
    EXPECT_EQ(Names(std::string(size) + " plan: 'p2' state: RUNNING"), of_p2) << size;
    EXPECT_THAT(Names(std::string(size) + " state: FAILED"), IsEmpty()) << size;
  }
  v1::Run second;
  second.set_name(of_p2[1]);
  ASSERT_TRUE(Finish(second, "state: FAILED").ok());
  EXPECT_THAT(Names("state: FAILED page_size: 1"), ElementsAre(of_p2[1]));
  const auto bad = [&](const std::string& text) { return FieldOf(runs_.List(ParseText<v1::ListRunsRequest>(text)).status()); };
  EXPECT_EQ(bad("page_size: -1"), "page_size");
  EXPECT_EQ(bad("page_size: 1001"), "page_size");
  EXPECT_EQ(bad("page_token: 'x'"), "page_token");
  EXPECT_EQ(bad("plan: '//'"), "plan");
  v1::ListRunsRequest unknown_state;
  unknown_state.set_state(static_cast<v1::Run::State>(77));
  EXPECT_EQ(FieldOf(runs_.List(unknown_state).status()), "state");
}

TEST_F(RunsTest, AFilteredListLooksAtABoundedNumber) {
  const v1::Run oldest = MustStart();
  ASSERT_TRUE(Finish(oldest, "state: FAILED").ok());
  for (int i = 0; i < 12'000; ++i) MustStart();
  const auto request = ParseText<v1::ListRunsRequest>("state: FAILED");
  const absl::StatusOr<v1::ListRunsResponse> page = runs_.List(request);
  ASSERT_TRUE(page.ok());
  EXPECT_THAT(page->runs(), IsEmpty());
  EXPECT_NE(page->next_page_token(), "");
  EXPECT_THAT(Names("state: FAILED"), ElementsAre(oldest.name()));
}

TEST_F(RunsTest, OnlyWhatHasEndedIsDeleted) {
  const v1::Run run = Train(MustStart(), 10, 500);
  EXPECT_TRUE(absl::IsFailedPrecondition(Delete(run)));
  EXPECT_EQ(ReasonOf(Delete(run)), "RUN_NOT_FINISHED");
  ASSERT_TRUE(Finish(run).ok());
  v1::DeleteRunRequest request;
  request.set_name(run.name());
  request.set_etag("old");
  EXPECT_TRUE(absl::IsAborted(runs_.Delete(request)));
  EXPECT_TRUE(Delete(run).ok());
  EXPECT_TRUE(absl::IsNotFound(Delete(run)));
  EXPECT_TRUE(absl::IsNotFound(store_.Get(Kind::kRunSamples, IdOf(run)).status()));
}

TEST_F(RunsTest, ARecordStaysSmall) {
  const v1::Run run = MustStart("run { plan: 'p1' start_time { seconds: 1735689600 } description: '" + std::string(1000, 'x') + "' }");
  std::vector<v1::ProgressSample> samples;
  int64_t step = 0;
  for (int batch = 0; batch < 200; ++batch) {
    samples.clear();
    for (int i = 0; i < 1000; ++i, ++step) {
      v1::ProgressSample sample = At(-31'000'000 + 150 * static_cast<double>(step), step);
      sample.set_token_count(static_cast<double>(step) * 4000.5);
      sample.set_tokens_per_second(400.123);
      sample.set_loss(2.345678);
      sample.set_gpu_utilization_ratio(0.987654);
      samples.push_back(sample);
    }
    ASSERT_EQ(Report(run, samples)->accepted, 1000);
  }
  EXPECT_EQ(Get(run).actual().report_count(), 200'000);
  EXPECT_LE(Get(run).samples_size(), 500);
  EXPECT_GE(Get(run).samples_size(), 250);
  EXPECT_LT(store_.Get(Kind::kRun, IdOf(run))->value.size(), 2500u);
  EXPECT_LT(store_.Get(Kind::kRunSamples, IdOf(run))->value.size(), 35'000u);
}

TEST_F(RunsTest, ReportsOfManyRunsShareATransaction) {
  const v1::Run one = MustStart();
  const v1::Run ended = MustStart();
  ASSERT_TRUE(Finish(ended, "state: FAILED").ok());
  MoveTo(2000);
  store_.repeats = true;
  const auto outcomes = runs_.Report(
      {{IdOf(one), {At(1000, 100)}, 0}, {IdOf(ended), {At(1, 1)}, 0}, {"nope", {At(1, 1)}, 0}, {IdOf(one), {At(2000, 200)}, 7}});
  ASSERT_THAT(outcomes, SizeIs(4));
  EXPECT_EQ(outcomes[0]->accepted, 1);
  EXPECT_EQ(ReasonOf(outcomes[1].status()), "RUN_FINISHED");
  EXPECT_TRUE(absl::IsNotFound(outcomes[2].status()));
  EXPECT_EQ(FieldOf(outcomes[2].status()), "run");
  // It sees what was written before it; and what ran again was counted once.
  EXPECT_EQ(outcomes[3]->run.actual().report_count(), 2);
  EXPECT_EQ(Get(one).actual().last().step(), 200);
}

TEST_F(RunsTest, ReportsOfManyThreadsAreAllCounted) {
  const v1::Run run = MustStart();
  MoveTo(100'000);
  constexpr int kThreads = 4;
  constexpr int kReports = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kReports; ++i) {
        EXPECT_TRUE(Report(run, {At(kThreads * i + t, kThreads * i + t)}).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Get(run).actual().report_count(), kThreads * kReports);
  EXPECT_THAT(Get(run).samples(), SizeIs(kThreads * kReports));
}

/// Plans that hold cards of a cluster.
class RunReleaseTest : public RunsTest {
 protected:
  RunReleaseTest() {
    const auto cluster = convert::NormalizedCluster(
        "cluster", ParseText<v1::Cluster>("name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 1 }"), gpus_);
    EXPECT_TRUE(store_.Create(Kind::kCluster, "main", cluster->SerializeAsString(), "").ok());
    const absl::Status booked = bookings_.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
      ASSIGN_OR_RETURN(const bookings::ClusterCalendar* calendar, ledgers.Find("", "main"));
      bookings::Wish wish{.pool = "p", .gpu_count = 8, .start = cluster::ToMicros(begin_), .duration = cluster::ToMicros(begin_)};
      ASSIGN_OR_RETURN(v1::Reservation reservation, calendar->Find(wish));
      reservation.set_state(v1::Reservation::FIRM);
      reservation.set_plan("plans/holder");
      v1::Plan plan = FakePlan();
      ASSIGN_OR_RETURN(*plan.mutable_reservation(), StoreReservation("main", "holder", std::move(reservation), "", ledgers));
      return ledgers.Create(Kind::kPlan, "holder", plan.SerializeAsString(), "").status();
    });
    EXPECT_TRUE(booked.ok()) << booked;
  }
  bool Holds() { return store_.Get(Kind::kReservation, "main/holder").ok(); }
  v1::Reservation::State CopyState() {
    v1::Plan plan;
    EXPECT_TRUE(plan.ParseFromString(store_.Get(Kind::kPlan, "holder")->value));
    return plan.reservation().state();
  }

  // Another one on the same store.
  bookings::Bookings replica_bookings_{store_, gpus_, clock_};
  RunIndex replica_index_{store_};
  Runs replica_{store_, replica_bookings_, replica_index_, clock_, ids_};
};

TEST_F(RunReleaseTest, TheEndReleasesWhatThePlanHolds) {
  const v1::Run run = MustStart("run { plan: 'holder' }");
  EXPECT_TRUE(absl::IsAborted(Finish(run, "etag: 'old'").status()));
  EXPECT_TRUE(Holds());
  ASSERT_TRUE(Finish(run, "state: FAILED").ok());
  EXPECT_FALSE(Holds());
  EXPECT_EQ(CopyState(), v1::Reservation::RELEASED);
  // One more run of the plan holds nothing, and ends well.
  EXPECT_TRUE(Finish(MustStart("run { plan: 'holder' }")).ok());
}

TEST_F(RunReleaseTest, NotWhileAnotherRunCarriesItOut) {
  const v1::Run first = MustStart("run { plan: 'holder' }");
  const v1::Run second = MustStart("run { plan: 'holder' }");
  ASSERT_TRUE(Finish(first, "state: FAILED").ok());
  EXPECT_TRUE(Holds());
  ASSERT_TRUE(Finish(second).ok());
  EXPECT_FALSE(Holds());
}

TEST_F(RunReleaseTest, ARunThatBeginsAsTheLastOneEndsKeepsIt) {
  const v1::Run first = MustStart("run { plan: 'holder' }");
  v1::Run second;
  store_.before_next = [&] {
    const auto started = replica_.Start(ParseText<v1::StartRunRequest>("run { plan: 'holder' }"));
    ASSERT_TRUE(started.ok()) << started.status();
    second = *started;
  };
  ASSERT_TRUE(Finish(first).ok());
  EXPECT_TRUE(Holds());
  ASSERT_TRUE(Finish(second).ok());
  EXPECT_FALSE(Holds());
}

TEST_F(RunReleaseTest, OfTwoThatEndAtOnceTheSecondReleases) {
  const v1::Run first = MustStart("run { plan: 'holder' }");
  const v1::Run second = MustStart("run { plan: 'holder' }");
  store_.before_next = [&] { EXPECT_TRUE(replica_.Finish(ParseText<v1::FinishRunRequest>("name: '" + second.name() + "'")).ok()); };
  ASSERT_TRUE(Finish(first).ok());
  EXPECT_FALSE(Holds());
}

TEST_F(RunReleaseTest, APlanThatIsGoneReleasesNothing) {
  const v1::Run run = MustStart("run { plan: 'holder' }");
  ASSERT_TRUE(store_.Delete(Kind::kPlan, "holder", "").ok());
  EXPECT_TRUE(Finish(run).ok());
}

}  // namespace
}  // namespace planner::server
