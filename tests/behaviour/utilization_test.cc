#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "tests/behaviour/daemon_process.h"
#include "tests/behaviour/planner_fixture.h"

namespace planner::behaviour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Clusters = v1::ClusterService::Stub;

class UtilizationBehaviour : public PlannerTest {
 protected:
  UtilizationBehaviour() {
    now_ = Ask(&Clusters::CreateCluster,
               "cluster { name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 4 } }")
               .create_time()
               .seconds();
  }
  /// A stream of messages of their text format, and its answer.
  grpc::Status Report(const std::vector<std::string>& messages, v1::ReportUtilizationResponse& response) {
    Clusters stub(planner_.channel);
    grpc::ClientContext context;
    const auto writer = stub.ReportUtilization(&context, &response);
    for (const std::string& text : messages) {
      if (!writer->Write(Parse<v1::ReportUtilizationRequest>(text))) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }
  std::string Sample(int node, int gpu, const std::string& more, int64_t after = 0) const {
    return "samples { node: 'h-" + std::to_string(node) + "' gpu: " + std::to_string(gpu) +
           " time { seconds: " + std::to_string(now_ + after) + " } " + more + " } ";
  }
  v1::PoolUtilization Get() {
    const auto response =
        Ask(&Clusters::GetUtilization, "cluster: 'main' end_time { seconds: " + std::to_string(now_ + 3600) + " }");
    EXPECT_EQ(response.pools_size(), 1);
    return response.pools_size() == 1 ? response.pools(0) : v1::PoolUtilization();
  }

  int64_t now_ = 0;
};

TEST_P(UtilizationBehaviour, WhatIsAcceptedIsKept) {
  v1::ReportUtilizationResponse response;
  ASSERT_TRUE(Report({"cluster: 'main' " + Sample(0, 0, "busy_ratio: 0.5 power_watts: 400"),
                      Sample(1, 7, "busy_ratio: 1 tensor_active_ratio: 0.25 memory_used_bytes: 1000") +
                          Sample(9, 0, "busy_ratio: 1"),
                      "cluster: 'clusters/main' " + Sample(2, 0, "busy_ratio: nan")},
                     response)
                  .ok());
  EXPECT_EQ(response.accepted_count(), 2);
  EXPECT_EQ(response.refused_count(), 2);
  EXPECT_THAT(response.refusals(), ElementsAre("message 2: samples[1].node: is no node of the cluster: node=\"h-9\"",
                                               "message 3: samples[0].busy_ratio: must be 0 to 1: NaN"));
  Restart();
  const v1::PoolUtilization pool = Get();
  EXPECT_EQ(pool.node_pool(), "h");
  EXPECT_EQ(pool.summary().sample_count(), 2);
  EXPECT_EQ(pool.summary().busy_ratio(), 0.75);
  EXPECT_EQ(pool.summary().tensor_active_ratio(), 0.25);
  EXPECT_EQ(pool.summary().memory_used_bytes(), 1000);
  EXPECT_EQ(pool.summary().power_watts(), 400);
  EXPECT_FALSE(pool.summary().has_memory_active_ratio());
  EXPECT_EQ(pool.summary().last_sample_time().seconds(), now_);
}

TEST_P(UtilizationBehaviour, StreamsThatAreWrongEnd) {
  v1::ReportUtilizationResponse response;
  EXPECT_EQ(FieldOf(Report({}, response)), "cluster");
  EXPECT_EQ(FieldOf(Report({Sample(0, 0, "busy_ratio: 1")}, response)), "cluster");
  EXPECT_EQ(Report({"cluster: 'none'"}, response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(FieldOf(Report({"cluster: 'main'", "cluster: 'other'"}, response)), "cluster");
  std::string many = "cluster: 'main' ";
  for (int i = 0; i <= 10'000; ++i) many += "samples { } ";
  EXPECT_EQ(FieldOf(Report({many}, response)), "samples");
  EXPECT_EQ(Fail(&Clusters::GetUtilization, "cluster: 'main' node_pool: 'x'").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Fail(&Clusters::GetUtilization, "cluster: 'none'").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Get().summary().sample_count(), 0);
}

TEST_P(UtilizationBehaviour, AnAbandonedStreamHarmsNobody) {
  {
    Clusters stub(planner_.channel);
    grpc::ClientContext context;
    v1::ReportUtilizationResponse response;
    const auto writer = stub.ReportUtilization(&context, &response);
    writer->Write(Parse<v1::ReportUtilizationRequest>("cluster: 'main' " + Sample(0, 0, "busy_ratio: 1")));
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  v1::ReportUtilizationResponse response;
  ASSERT_TRUE(Report({"cluster: 'main' " + Sample(1, 0, "busy_ratio: 1")}, response).ok());
  EXPECT_EQ(response.accepted_count(), 1);
}

TEST_P(UtilizationBehaviour, ManyStreamsAddUp) {
  constexpr int kStreams = 16, kSamples = 50;
  std::vector<std::thread> threads;
  for (int i = 0; i < kStreams; ++i) {
    threads.emplace_back([&, i] {
      std::vector<std::string> messages = {"cluster: 'main'"};
      for (int k = 0; k < kSamples; ++k) messages.push_back(Sample(i / 8, i % 8, "busy_ratio: 0.5", k));
      v1::ReportUtilizationResponse response;
      EXPECT_TRUE(Report(messages, response).ok());
      EXPECT_EQ(response.accepted_count(), kSamples) << response.ShortDebugString();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Get().summary().sample_count(), kStreams * kSamples);
  EXPECT_EQ(Get().summary().busy_ratio(), 0.5);
}

TEST_P(UtilizationBehaviour, ThousandDuplicatesCountOnce) {
  v1::ReportUtilizationResponse response;
  std::string message = "cluster: 'main' ";
  for (int i = 0; i < 1000; ++i) message += Sample(0, 0, "busy_ratio: 0.5");
  ASSERT_TRUE(Report({message}, response).ok());
  EXPECT_EQ(response.accepted_count(), 1);
  EXPECT_EQ(response.refused_count(), 999);
  EXPECT_EQ(response.refusals_size(), 20);
  EXPECT_EQ(Get().summary().sample_count(), 1);
}

TEST_P(UtilizationBehaviour, TheEndOfThePlannerEndsStreams) {
  Clusters stub(planner_.channel);
  grpc::ClientContext context;
  v1::ReportUtilizationResponse response;
  const auto writer = stub.ReportUtilization(&context, &response);
  EXPECT_TRUE(writer->Write(Parse<v1::ReportUtilizationRequest>("cluster: 'main' " + Sample(0, 0, "busy_ratio: 1"))));
  planner_.owner.reset();  // Waits for the end of what runs.
  EXPECT_FALSE(writer->Finish().ok());
  planner_.channel.reset();
}

INSTANTIATE_TEST_SUITE_P(Places, UtilizationBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

TEST(UtilizationDaemonTest, MetricsShowTheLastMinutes) {
  const ScratchFolder folder;
  DaemonProcess daemon({"--listen", "127.0.0.1:0", "--metrics_listen", "127.0.0.1:0", "--state_dir", folder / "state"});
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const std::string metrics = daemon.Addresses("metrics").at(0);
  const auto channel = grpc::CreateChannel(daemon.Addresses("grpc").at(0), grpc::InsecureChannelCredentials());
  Clusters stub(channel);
  grpc::ClientContext create;
  v1::Cluster cluster;
  ASSERT_TRUE(stub.CreateCluster(&create,
                                 Parse<v1::CreateClusterRequest>(
                                     "cluster { name: 'main' node_pools { gpu_type: 'h100' node_count: 1 } }"),
                                 &cluster)
                  .ok());
  EXPECT_THAT(HttpGet(metrics, "/metrics"), ::testing::Not(HasSubstr("planner_cluster_utilization_ratio{")));
  v1::ReportUtilizationRequest request;
  request.set_cluster("main");
  for (int gpu = 0; gpu < 2; ++gpu) {
    v1::UtilizationSample& sample = *request.add_samples();
    sample.set_node("h100-sxm-80gb-0");
    sample.set_gpu(gpu);
    *sample.mutable_time() = cluster.create_time();
    sample.set_busy_ratio(gpu == 0 ? 0.25 : 0.5);
  }
  request.add_samples();
  grpc::ClientContext report;
  v1::ReportUtilizationResponse response;
  const auto writer = stub.ReportUtilization(&report, &response);
  writer->Write(request);
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  const std::string shown = HttpGet(metrics, "/metrics");
  EXPECT_THAT(shown, HasSubstr("planner_cluster_utilization_ratio{cluster=\"main\",gpu_type=\"H100-SXM-80GB\"} 0.375"));
  EXPECT_THAT(shown, HasSubstr("planner_utilization_samples_total{outcome=\"accepted\"} 2"));
  EXPECT_THAT(shown, HasSubstr("planner_utilization_samples_total{outcome=\"refused\"} 1"));
  EXPECT_THAT(shown,
              HasSubstr("planner_rpc_requests_total{code=\"OK\",method=\"ClusterService/ReportUtilization\"} 1"));
}

}  // namespace
}  // namespace planner::behaviour
