#include "services/server/runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/convert/time.h"
#include "services/server/fake_plan.h"
#include "services/server/runs_fixture.h"

namespace planner::server {
namespace {

using convert::TimeFromProto;
using store::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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

}  // namespace
}  // namespace planner::server
