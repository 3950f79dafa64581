// The page of metrics, whole: dashboards and rules stand on its names, labels, types and values.
#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/fake_clock.h"
#include "gtest/gtest.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "planner/v1/run_service.grpc.pb.h"
#include "services/app/app.h"
#include "services/server/fake_id_source.h"
#include "services/telemetry/page.h"

namespace planner {
namespace {

constexpr char kPath[] = GOLDEN_DIRECTORY "/metrics.prom";

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

class MetricsGoldenTest : public ::testing::Test {
 protected:
  MetricsGoldenTest() {
    app::AppOptions options;
    options.clock = &clock_;
    options.ids = &ids_;
    options.plugin_folder = "";
    options.utilization.has_thread = false;
    app_ = *app::App::Create(std::move(options));
    EXPECT_TRUE(app_->Prepare().ok());
    channel_ = app_->InProcessChannel();
  }
  template <typename Stub, typename Request, typename Response>
  Response Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*), const std::string& request) {
    Response response;
    grpc::ClientContext context;
    const grpc::Status status = (Stub(channel_).*method)(&context, Parse<Request>(request), &response);
    EXPECT_TRUE(status.ok()) << status.error_message() << " for " << request;
    return response;
  }
  /// A plan of a given utilization, so that no constant of the step time model is in it.
  v1::Plan Plan() {
    return Ask(&v1::PlanService::Stub::CreatePlan,
               "plan { request { model { preset: 'llama-7b' } data_set { token_count: 1e9 } resources { cluster: 'main' gpu_types: 'h100' "
               "min_gpus: 16 max_gpus: 16 } utilization { model_flops_ratio: 0.4 } } } hold { expires_in { seconds: 86400 } }");
  }
  v1::Run Start(const v1::Plan& plan) { return Ask(&v1::RunService::Stub::StartRun, "run { plan: '" + plan.name() + "' }"); }
  /// So many steps by now, evenly since the start.
  void Report(const v1::Run& run, int64_t steps) {
    grpc::ClientContext context;
    v1::ReportProgressResponse response;
    const auto stub = v1::RunService::NewStub(channel_);
    const auto writer = stub->ReportProgress(&context, &response);
    v1::ReportProgressRequest request;
    request.set_run(run.name());
    const int64_t start = run.start_time().seconds();
    const int64_t seconds = absl::ToUnixSeconds(clock_.Now()) - start;
    for (int64_t i = 1; i <= 10; ++i) {
      v1::ProgressSample& sample = *request.add_samples();
      sample.mutable_time()->set_seconds(start + seconds * i / 10);
      sample.set_step(steps * i / 10);
    }
    writer->Write(request);
    writer->WritesDone();
    EXPECT_TRUE(writer->Finish().ok());
    EXPECT_EQ(response.accepted_count(), 10) << response.ShortDebugString();
  }
  void ReportUtilization() {
    grpc::ClientContext context;
    v1::ReportUtilizationResponse response;
    const auto stub = v1::ClusterService::NewStub(channel_);
    const auto writer = stub->ReportUtilization(&context, &response);
    const std::string time = "time { seconds: " + std::to_string(absl::ToUnixSeconds(clock_.Now())) + " }";
    writer->Write(Parse<v1::ReportUtilizationRequest>("cluster: 'main' samples { node: 'n1' gpu: 0 busy_ratio: 1 tensor_active_ratio: 0.5 " + time +
                                                      " } samples { node: 'n1' gpu: 1 busy_ratio: 0.5 " + time + " } samples { node: 'x' " + time + " }"));
    writer->WritesDone();
    EXPECT_TRUE(writer->Finish().ok());
    EXPECT_EQ(response.accepted_count(), 2);
  }
  std::string Page() const {
    telemetry::Page page;
    app_->metrics()->Write(page);
    return page.text();
  }

  base::FakeClock clock_;
  server::FakeIdSource ids_;
  std::unique_ptr<app::App> app_;
  std::shared_ptr<grpc::Channel> channel_;
};

/// How often a store is asked is not the contract's, and the version changes with every release.
std::string WithoutChance(const std::string& page) {
  std::istringstream lines(page);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("planner_store_duration_seconds")) line = line.substr(0, line.rfind(' ')) + " *";
    if (line.starts_with("planner_build_info")) line = "planner_build_info{version=\"*\"} 1";
    kept += line + '\n';
  }
  return kept;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Whoever changes the page on purpose writes the file anew with PLANNER_UPDATE_GOLDEN=1, and changes the table in deploy/prometheus with it.
TEST_F(MetricsGoldenTest, ThePageIsAsRecorded) {
  Ask(&v1::ClusterService::Stub::CreateCluster, R"(cluster { name: 'main'
      node_pools { name: 'h' gpu_type: 'h100' node_count: 8 price_per_gpu_hour: 2 node_names: 'n[1-8]'
        node_conditions { nodes: 'n7' state: DRAINED } node_conditions { nodes: 'n8' state: DOWN }
        occupations { nodes: 'n6' gpus_per_node: 4 } } node_pools { name: 'a' gpu_type: 'a100' node_count: 2 } })");
  const v1::Run ended = Start(Plan());
  const v1::Run running = Start(Plan());
  clock_.Advance(absl::Hours(1));
  const double steps = running.planned().step_count();
  Report(running, static_cast<int64_t>(steps / 4));
  Report(ended, static_cast<int64_t>(steps / 2));
  Ask(&v1::RunService::Stub::FinishRun, "name: '" + ended.name() + "' state: FAILED");
  ReportUtilization();
  clock_.Advance(absl::Minutes(1));
  const std::string page = WithoutChance(Page());
  if (std::getenv("PLANNER_UPDATE_GOLDEN") != nullptr) std::ofstream(kPath) << page;
  EXPECT_EQ(page, ReadFile(kPath));
}

/// A client that has seen the end of one of a full number of streams may open another at once.
TEST_F(MetricsGoldenTest, AStreamThatHasEndedIsNotCounted) {
  const auto clusters = v1::ClusterService::NewStub(channel_);
  const auto runs = v1::RunService::NewStub(channel_);
  const auto end_empty = [](auto writer) {
    writer->WritesDone();
    EXPECT_FALSE(writer->Finish().ok());
  };
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext utilization_context, progress_context;
    v1::ReportUtilizationResponse utilization;
    v1::ReportProgressResponse progress;
    end_empty(clusters->ReportUtilization(&utilization_context, &utilization));
    end_empty(runs->ReportProgress(&progress_context, &progress));
    const std::string page = Page();
    EXPECT_NE(page.find("active_streams{kind=\"report_utilization\"} 0"), std::string::npos);
    EXPECT_NE(page.find("active_streams{kind=\"report_progress\"} 0"), std::string::npos);
  }
}

}  // namespace
}  // namespace planner
