#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>

#include <cmath>
#include <thread>
#include <vector>

#include "planner/v1/run_service.grpc.pb.h"
#include "tests/behaviour/daemon_process.h"
#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Service = v1::RunService::Stub;
using Plans = v1::PlanService::Stub;
using Clusters = v1::ClusterService::Stub;

/// 2025-01-01T00:00:00Z: past, whatever the clock says.
constexpr int64_t kBegin = 1'735'689'600;

class RunBehaviour : public PlannerTest {
 protected:
  RunBehaviour() {
    plan_ = Ask(&Plans::CreatePlan,
                "plan { request { model { preset: 'llama-7b' } data_set { token_count: 2e10 }"
                "  resources { gpu_types: 'h100' min_gpus: 64 max_gpus: 64 price_per_gpu_hour: 2 } } } ");
  }
  std::string OfPlan(const std::string& more = "", const std::string& outside = "") const {
    return "run { plan: '" + plan_.name() + "' start_time { seconds: " + std::to_string(kBegin) + " } " + more + " } " + outside;
  }
  v1::Run Start(const std::string& more = "", const std::string& outside = "") { return Ask(&Service::StartRun, OfPlan(more, outside)); }
  static std::string Named(const v1::Run& run) { return "name: '" + run.name() + "' "; }
  static std::string Reason(const grpc::Status& status) { return ErrorInfoOf(status).reason(); }

  static v1::ProgressSample At(double seconds, int64_t step) {
    v1::ProgressSample sample;
    sample.mutable_time()->set_seconds(kBegin + static_cast<int64_t>(seconds));
    sample.set_step(step);
    return sample;
  }
  /// A stream of messages; the answer is in response_.
  grpc::Status Report(const std::vector<v1::ReportProgressRequest>& messages) {
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    response_.Clear();
    const auto stub = v1::RunService::NewStub(planner_.channel);
    const auto writer = stub->ReportProgress(&context, &response_);
    for (const v1::ReportProgressRequest& message : messages) {
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }
  static v1::ReportProgressRequest Message(const std::string& run, std::vector<v1::ProgressSample> samples) {
    v1::ReportProgressRequest message;
    message.set_run(run);
    for (v1::ProgressSample& sample : samples) *message.add_samples() = std::move(sample);
    return message;
  }
  /// Steps that take `ratio` times what was planned, in ten messages.
  v1::Run Train(const v1::Run& run, double ratio, int64_t steps) {
    const double step_seconds = ratio * static_cast<double>(run.planned().step_duration().nanos()) / 1e9 +
                                ratio * static_cast<double>(run.planned().step_duration().seconds());
    std::vector<v1::ReportProgressRequest> messages;
    for (int64_t i = 0; i <= 10; ++i) {
      const int64_t step = steps * i / 10;
      v1::ProgressSample sample = At(0, step);
      const double time = static_cast<double>(step) * step_seconds;
      sample.mutable_time()->set_seconds(kBegin + static_cast<int64_t>(time));
      sample.mutable_time()->set_nanos(static_cast<int32_t>((time - std::floor(time)) * 1e9));
      messages.push_back(Message(i == 0 ? run.name() : "", {sample}));
    }
    const grpc::Status status = Report(messages);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response_.run();
  }

  v1::Plan plan_;
  v1::ReportProgressResponse response_;
};

TEST_P(RunBehaviour, BeginsWithWhatItsPlanSaid) {
  const v1::Run run = Start("description: 'job 7'");
  EXPECT_THAT(run.name(), MatchesRegex("runs/[0-9]{8}-[0-9]{6}-[0-9a-f]{8}"));
  EXPECT_EQ(run.plan(), plan_.name());
  EXPECT_EQ(run.state(), v1::Run::RUNNING);
  EXPECT_EQ(run.description(), "job 7");
  const v1::Recommendation& best = plan_.estimate().recommendations(0);
  EXPECT_EQ(run.planned().gpu_type(), best.gpu_type());
  EXPECT_EQ(run.planned().gpu_count(), 64);
  EXPECT_EQ(run.planned().total_duration().seconds(), best.total_duration().seconds());
  EXPECT_EQ(run.planned().finish_time().seconds(), kBegin + best.total_duration().seconds());
  EXPECT_EQ(run.planned().model(), "llama-7b");
  EXPECT_EQ(run.planned().cost(), best.cost());
  EXPECT_EQ(Ask(&Service::GetRun, Named(run)).etag(), run.etag());
}

TEST_P(RunBehaviour, ProgressIsPlannedBesideActual) {
  const v1::Run started = Start();
  const auto steps = static_cast<int64_t>(started.planned().step_count());
  const v1::Run run = Train(started, 1.25, steps / 2);
  EXPECT_EQ(response_.accepted_count(), 11);
  EXPECT_EQ(response_.refused_count(), 0);
  EXPECT_NEAR(run.actual().progress_ratio(), 0.5, 0.001);
  EXPECT_NEAR(run.actual().planned_progress_ratio(), 0.625, 0.001);
  EXPECT_NEAR(run.actual().step_ratio(), 1.25, 0.001);
  EXPECT_NEAR(run.actual().model_flops_utilization(), run.planned().model_flops_utilization() / 1.25, 1e-3);
  EXPECT_NEAR(run.actual().tokens_per_second(), run.planned().tokens_per_second() / 1.25, run.planned().tokens_per_second() * 0.001);
  EXPECT_LE(run.actual().predicted_finish_time_low().seconds(), run.actual().predicted_finish_time().seconds());
  EXPECT_LE(run.actual().predicted_finish_time().seconds(), run.actual().predicted_finish_time_high().seconds());
  // Its reports are old by now: it says nothing.
  EXPECT_EQ(run.actual().drift(), v1::ActualRun::STALLED);
  const v1::Run got = Ask(&Service::GetRun, Named(run));
  EXPECT_THAT(got.samples(), SizeIs(11));
  EXPECT_THAT(Ask(&Service::ListRuns, "").runs(0).samples(), IsEmpty());
}

TEST_P(RunBehaviour, EndsAndTeaches) {
  const v1::Run started = Start();
  const auto steps = static_cast<int64_t>(started.planned().step_count());
  const v1::Run run = Train(started, 1, steps);
  const std::string end = "last { step: " + std::to_string(steps) + " time { seconds: " + std::to_string(run.actual().last().time().seconds() + 1) + " } }";
  const v1::Run done = Ask(&Service::FinishRun, Named(run) + "state: SUCCEEDED message: 'all well' " + end);
  EXPECT_EQ(done.state(), v1::Run::SUCCEEDED);
  EXPECT_EQ(done.message(), "all well");
  EXPECT_EQ(done.actual().drift(), v1::ActualRun::ON_PLAN);
  EXPECT_THAT(done.actual().drift_reason(), StartsWith("as fast as planned: finished "));
  EXPECT_NEAR(done.actual().gpu_hours(), done.planned().gpu_hours(), done.planned().gpu_hours() * 0.001);
  EXPECT_NEAR(done.actual().cost(), done.planned().cost(), done.planned().cost() * 0.001);
  EXPECT_EQ(Ask(&Service::FinishRun, Named(run)).etag(), done.etag());
  const grpc::Status other = Fail(&Service::FinishRun, Named(run) + "state: FAILED");
  EXPECT_EQ(other.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(other), "RUN_FINISHED");
  const grpc::Status late = Report({Message(run.name(), {At(1, 1)})});
  EXPECT_EQ(late.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(late), "RUN_FINISHED");
}

TEST_P(RunBehaviour, WhatIsWrongIsRefusedAndTheStreamGoesOn) {
  const v1::Run run = Start();
  std::vector<v1::ProgressSample> samples(5, At(3600, 100));
  samples[0].set_loss(std::nan(""));
  samples[1].set_gpu_utilization_ratio(std::nan(""));
  samples[2].mutable_time()->set_seconds(int64_t{4'000'000'000});
  samples[3] = At(-1, 100);
  std::vector<v1::ProgressSample> more = {At(7200, -5), At(7200, 200)};
  ASSERT_TRUE(Report({Message(run.name(), samples), Message("", more)}).ok());
  EXPECT_EQ(response_.accepted_count(), 2);
  EXPECT_EQ(response_.refused_count(), 5);
  EXPECT_THAT(response_.refusals(),
              ElementsAre("samples[0].loss: must be a number: loss=nan",
                          "samples[1].gpu_utilization_ratio: must be a number: gpu_utilization_ratio=nan",
                          StartsWith("samples[2].time: lies in the future: "), StartsWith("samples[3].time: lies before the run: "),
                          StartsWith("samples[5].step: must be at least 0")));
  EXPECT_EQ(response_.run().actual().last().step(), 200);
  EXPECT_EQ(response_.run().actual().report_count(), 2);
}

TEST_P(RunBehaviour, BadStreamsEndWithTheirField) {
  const v1::Run run = Start();
  EXPECT_EQ(FieldOf(Report({})), "run");
  EXPECT_EQ(FieldOf(Report({Message("", {At(1, 1)})})), "run");
  EXPECT_EQ(FieldOf(Report({Message("runs/../x", {At(1, 1)})})), "run");
  const grpc::Status unknown = Report({Message("runs/nope", {})});
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Reason(unknown), "UNKNOWN_RUN");
  const v1::Run other = Start();
  EXPECT_EQ(FieldOf(Report({Message(run.name(), {At(1, 1)}), Message(other.name(), {At(1, 1)})})), "run");
  EXPECT_EQ(FieldOf(Report({Message(run.name(), std::vector<v1::ProgressSample>(1001, At(1, 1)))})), "samples");
  // No report at all is an answer: how it is.
  EXPECT_TRUE(Report({Message(run.name(), {})}).ok());
  EXPECT_EQ(response_.run().name(), run.name());
}

TEST_P(RunBehaviour, AStreamOfManyReportsIsKeptThinnedOut) {
  const v1::Run run = Start();
  std::vector<v1::ReportProgressRequest> messages;
  for (int64_t message = 0; message < 20; ++message) {
    std::vector<v1::ProgressSample> samples;
    for (int64_t i = 0; i < 1000; ++i) samples.push_back(At(static_cast<double>(message * 1000 + i), message * 1000 + i));
    messages.push_back(Message(run.name(), std::move(samples)));
  }
  ASSERT_TRUE(Report(messages).ok());
  EXPECT_EQ(response_.accepted_count(), 20'000);
  const v1::Run got = Ask(&Service::GetRun, Named(run));
  EXPECT_EQ(got.actual().report_count(), 20'000);
  EXPECT_LE(got.samples_size(), 500);
  EXPECT_GE(got.samples_size(), 250);
  EXPECT_EQ(got.samples(got.samples_size() - 1).step(), 19'999);
}

TEST_P(RunBehaviour, ManyRunsReportAtOnce) {
  constexpr int kRuns = 16;
  constexpr int64_t kMessages = 20;
  std::vector<v1::Run> runs;
  for (int i = 0; i < kRuns; ++i) runs.push_back(Start());
  std::vector<std::thread> threads;
  for (const v1::Run& run : runs) {
    threads.emplace_back([&] {
      grpc::ClientContext context;
      v1::ReportProgressResponse response;
      const auto stub = v1::RunService::NewStub(planner_.channel);
      const auto writer = stub->ReportProgress(&context, &response);
      for (int64_t i = 1; i <= kMessages; ++i) EXPECT_TRUE(writer->Write(Message(run.name(), {At(static_cast<double>(10 * i), i)})));
      writer->WritesDone();
      EXPECT_TRUE(writer->Finish().ok());
      EXPECT_EQ(response.accepted_count(), kMessages);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const v1::Run& run : runs) EXPECT_EQ(Ask(&Service::GetRun, Named(run)).actual().report_count(), kMessages);
}

TEST_P(RunBehaviour, ARequestIdMakesOneRun) {
  const v1::Run first = Start("", "request_id: 'r1'");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Start("", "request_id: 'r1'").name(), first.name());
  EXPECT_NE(Start("", "request_id: 'r2'").name(), first.name());
  EXPECT_EQ(Ask(&Service::StartRun, OfPlan("", "validate_only: true")).name(), "");
  EXPECT_EQ(Ask(&Service::ListRuns, "").runs_size(), 2);
}

TEST_P(RunBehaviour, OnlyPlansThatCanBeCarriedOutAre) {
  EXPECT_EQ(Fail(&Service::StartRun, "run { plan: 'plans/nope' }").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(FieldOf(Fail(&Service::StartRun, "")), "run");
  EXPECT_EQ(FieldOf(Fail(&Service::StartRun, "run { plan: '" + plan_.name() + "' start_time { seconds: 4000000000 } }")), "run.start_time");
  Ask(&Plans::CancelPlan, "name: '" + plan_.name() + "'");
  const grpc::Status cancelled = Fail(&Service::StartRun, OfPlan());
  EXPECT_EQ(cancelled.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(cancelled), "PLAN_NOT_RUNNABLE");
  EXPECT_TRUE(Ask(&Service::ListRuns, "").runs().empty());
}

TEST_P(RunBehaviour, ListsAreNewestFirstAndFiltered) {
  std::vector<v1::Run> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(Start());
  Ask(&Service::FinishRun, Named(runs[1]) + "state: FAILED");
  Ask(&Service::FinishRun, Named(runs[3]) + "state: FAILED");
  const auto page = Ask(&Service::ListRuns, "page_size: 2");
  EXPECT_EQ(page.runs(0).name(), runs[4].name());
  EXPECT_EQ(page.runs(1).name(), runs[3].name());
  const auto failed = Ask(&Service::ListRuns, "page_size: 1 state: FAILED plan: '" + plan_.name() + "'");
  ASSERT_EQ(failed.runs_size(), 1);
  EXPECT_EQ(failed.runs(0).name(), runs[3].name());
  const auto rest = Ask(&Service::ListRuns, "state: FAILED page_token: '" + failed.next_page_token() + "'");
  ASSERT_EQ(rest.runs_size(), 1);
  EXPECT_EQ(rest.runs(0).name(), runs[1].name());
  EXPECT_EQ(rest.next_page_token(), "");
  EXPECT_TRUE(Ask(&Service::ListRuns, "plan: 'plans/other'").runs().empty());
  EXPECT_EQ(FieldOf(Fail(&Service::ListRuns, "page_size: 1001")), "page_size");
}

TEST_P(RunBehaviour, EtagsAndDeletion) {
  const v1::Run run = Start();
  ASSERT_TRUE(Report({Message(run.name(), {At(60, 5)})}).ok());
  EXPECT_EQ(Fail(&Service::FinishRun, Named(run) + "etag: '" + run.etag() + "'").error_code(), grpc::StatusCode::ABORTED);
  const grpc::Status running = Fail(&Service::DeleteRun, Named(run));
  EXPECT_EQ(running.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Reason(running), "RUN_NOT_FINISHED");
  Ask(&Service::FinishRun, Named(run) + "state: CANCELLED");
  EXPECT_EQ(Fail(&Service::DeleteRun, Named(run) + "etag: '" + run.etag() + "'").error_code(), grpc::StatusCode::ABORTED);
  Ask(&Service::DeleteRun, Named(run));
  EXPECT_EQ(Fail(&Service::GetRun, Named(run)).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Fail(&Service::DeleteRun, Named(run)).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(FieldOf(Fail(&Service::GetRun, "name: 'runs/a b'")), "name");
}

TEST_P(RunBehaviour, TheEndReleasesWhatThePlanHolds) {
  Ask(&Clusters::CreateCluster, "cluster { name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 2 } }");
  const v1::Plan held = Ask(&Plans::CreatePlan,
                            "plan { request { model { preset: 'llama-7b' } data_set { token_count: 2e10 }"
                            "  resources { cluster: 'main' min_gpus: 16 max_gpus: 16 } } } hold {}");
  Ask(&Plans::ConfirmPlan, "name: '" + held.name() + "'");
  EXPECT_EQ(Ask(&Clusters::ListReservations, "parent: 'main'").reservations_size(), 1);
  const v1::Run run = Ask(&Service::StartRun, "run { plan: '" + held.name() + "' }");
  EXPECT_EQ(run.planned().cluster(), "main");
  Ask(&Service::FinishRun, Named(run) + "state: FAILED");
  EXPECT_EQ(Ask(&Clusters::ListReservations, "parent: 'main'").reservations_size(), 0);
  EXPECT_EQ(Ask(&Plans::GetPlan, "name: '" + held.name() + "'").reservation().state(), v1::Reservation::RELEASED);
}

TEST_P(RunBehaviour, OutlivesTheProcess) {
  const v1::Run run = Start("", "request_id: 'r1'");
  ASSERT_TRUE(Report({Message(run.name(), {At(60, 5), At(120, 10)})}).ok());
  const v1::Run before = Ask(&Service::GetRun, Named(run));
  Restart();
  const v1::Run after = Ask(&Service::GetRun, Named(run));
  EXPECT_EQ(after.etag(), before.etag());
  EXPECT_EQ(after.samples_size(), 2);
  EXPECT_EQ(Start("", "request_id: 'r1'").name(), run.name());
  ASSERT_TRUE(Report({Message(run.name(), {At(180, 15)})}).ok());
  EXPECT_EQ(response_.run().actual().report_count(), 3);
}

TEST_P(RunBehaviour, AnOpenStreamDoesNotHoldUpTheEnd) {
  const v1::Run run = Start();
  grpc::ClientContext context;
  v1::ReportProgressResponse response;
  const auto stub = v1::RunService::NewStub(planner_.channel);
  const auto writer = stub->ReportProgress(&context, &response);
  ASSERT_TRUE(writer->Write(Message(run.name(), {At(60, 5)})));
  // Seen by another call: it is kept although the stream goes on.
  while (Ask(&Service::GetRun, Named(run)).actual().report_count() == 0) std::this_thread::yield();
  std::thread end([&] { planner_.owner.reset(); });
  const grpc::Status status = writer->Finish();
  end.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  Restart();
  EXPECT_EQ(Ask(&Service::GetRun, Named(run)).actual().last().step(), 5);
}

INSTANTIATE_TEST_SUITE_P(Places, RunBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

/// A daemon alone with a run of gpt2.
class RunDaemonBehaviour : public ::testing::Test {
 protected:
  void Start(const std::string& metrics_listen) {
    daemon_ = std::make_unique<DaemonProcess>(
        std::vector<std::string>{"--listen", "127.0.0.1:0", "--metrics_listen", metrics_listen, "--state_dir", folder_ / "state"});
    ASSERT_TRUE(daemon_->ready()) << daemon_->output();
    channel_ = grpc::CreateChannel(daemon_->Addresses("grpc").at(0), grpc::InsecureChannelCredentials());
    runs_ = v1::RunService::NewStub(channel_);
    v1::Plan plan;
    grpc::ClientContext create_context;
    ASSERT_TRUE(v1::PlanService::NewStub(channel_)
                    ->CreatePlan(&create_context,
                                 Parse<v1::CreatePlanRequest>("plan { request { model { preset: 'gpt2' } data_set { token_count: 1e9 }"
                                                              "  resources { gpu_types: 'h100' min_gpus: 8 max_gpus: 8 } } }"),
                                 &plan)
                    .ok());
    grpc::ClientContext start_context;
    ASSERT_TRUE(
        runs_->StartRun(&start_context, Parse<v1::StartRunRequest>("run { description: 'secret job' plan: '" + plan.name() + "' }"), &run_).ok());
  }
  int64_t ReportCount() {
    grpc::ClientContext context;
    v1::Run run;
    EXPECT_TRUE(runs_->GetRun(&context, Parse<v1::GetRunRequest>("name: '" + run_.name() + "'"), &run).ok());
    return run.actual().report_count();
  }

  ScratchFolder folder_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::RunService::Stub> runs_;
  v1::Run run_;
};

TEST_F(RunDaemonBehaviour, ARunIsExportedByItsId) {
  Start("127.0.0.1:0");
  const std::string metrics = HttpGet(daemon_->Addresses("metrics").at(0), "/metrics");
  const std::string id = "{run=\"" + run_.name().substr(5) + "\"";
  for (const char* name : {"planner_run_planned_progress_ratio", "planner_run_actual_progress_ratio", "planner_run_planned_finish_timestamp_seconds",
                           "planner_run_predicted_finish_timestamp_seconds", "planner_run_planned_tokens_per_second",
                           "planner_run_actual_tokens_per_second", "planner_run_model_flops_utilization_ratio", "planner_run_info"}) {
    EXPECT_THAT(metrics, HasSubstr(name + id));
  }
  EXPECT_THAT(metrics, AllOf(HasSubstr("planner_runs{drift=\"unknown\"} 1"), ::testing::Not(HasSubstr("secret job")),
                             ::testing::Not(HasSubstr("gpt2"))));
}

TEST_F(RunDaemonBehaviour, SigtermEndsOpenStreamsAtOnce) {
  Start("off");
  grpc::ClientContext context;
  v1::ReportProgressResponse response;
  const auto writer = runs_->ReportProgress(&context, &response);
  v1::ReportProgressRequest message;
  message.set_run(run_.name());
  message.add_samples()->set_step(1);
  ASSERT_TRUE(writer->Write(message));
  while (ReportCount() == 0) std::this_thread::yield();
  daemon_->Terminate();
  const grpc::Status status = writer->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("the daemon ends"));
  EXPECT_EQ(daemon_->Wait(), 0);
}

}  // namespace
}  // namespace planner::behaviour
