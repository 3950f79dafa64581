// Streams that go on: each read waits for what must come, and a planner that does not send it runs into the time limit.

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>

#include <memory>
#include <optional>
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
using Plans = v1::PlanService::Stub;

/// One stream, read message by message.
template <typename Message>
class Reading {
 public:
  template <typename Stub, typename Request>
  Reading(const std::shared_ptr<grpc::Channel>& channel,
          std::unique_ptr<grpc::ClientReader<Message>> (Stub::*method)(grpc::ClientContext*, const Request&),
          const std::string& request) {
    Stub stub(channel);
    reader_ = (stub.*method)(&context_, Parse<Request>(request));
  }
  ~Reading() {
    context_.TryCancel();
    if (reader_ != nullptr) reader_->Finish();
  }

  /// Waits for it; absent: the stream has ended.
  std::optional<Message> Next() {
    Message message;
    if (!reader_->Read(&message)) return std::nullopt;
    return message;
  }
  /// Of a stream that has ended.
  grpc::Status Finish() {
    const grpc::Status status = reader_->Finish();
    reader_.reset();
    return status;
  }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Message>> reader_;
};

class WatchBehaviour : public PlannerTest {
 protected:
  WatchBehaviour() {
    now_ = Ask(&Clusters::CreateCluster,
               "cluster { name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 4 } }")
               .create_time()
               .seconds();
  }
  std::unique_ptr<Reading<v1::Plan>> WatchPlan(const std::string& name) {
    return std::make_unique<Reading<v1::Plan>>(planner_.channel, &Plans::WatchPlan, "name: '" + name + "'");
  }
  std::unique_ptr<Reading<v1::WatchClusterResponse>> WatchCluster(const std::string& name = "main") {
    return std::make_unique<Reading<v1::WatchClusterResponse>>(planner_.channel, &Clusters::WatchCluster,
                                                               "name: '" + name + "'");
  }
  v1::Plan CreatePlan(const std::string& more) {
    return Ask(&Plans::CreatePlan,
               "plan { request { model { preset: 'llama-7b' } data_set { token_count: 2e10 } resources { cluster: "
               "'main' min_gpus: 32 "
               "max_gpus: 32 } } } " +
                   more);
  }
  v1::Reservation Reserve(int gpus, int from_days, const std::string& more = "") {
    const auto at = [&](int days) { return "{ seconds: " + std::to_string(now_ + days * 86400) + " }"; };
    return Ask(&Clusters::CreateReservation, "parent: 'main' reservation { gpu_count: " + std::to_string(gpus) +
                                                 " start_time " + at(from_days) + " end_time " + at(from_days + 1) +
                                                 more + " }");
  }
  static std::string Named(const std::string& name) { return "name: '" + name + "' "; }
  /// The changes up to the one that says that everything was sent.
  static std::vector<std::string> View(Reading<v1::WatchClusterResponse>& watch) {
    std::vector<std::string> view;
    while (const auto message = watch.Next()) {
      if (message->has_cluster()) view.push_back(message->cluster().name());
      if (message->has_reservation()) view.push_back(message->reservation().name());
      if (message->synchronized()) break;
    }
    return view;
  }

  int64_t now_ = 0;
};

TEST_P(WatchBehaviour, APlanIsToldAsItIsAndAfterEachChangeUntilItIsDeleted) {
  const v1::Plan plan = CreatePlan("hold { }");
  const auto watch = WatchPlan(plan.name());
  EXPECT_EQ(watch->Next()->SerializeAsString(), plan.SerializeAsString());
  const v1::Plan confirmed = Ask(&Plans::ConfirmPlan, Named(plan.name()));
  EXPECT_EQ(watch->Next()->SerializeAsString(), confirmed.SerializeAsString());
  Ask(&Plans::CancelPlan, Named(plan.name()));
  EXPECT_EQ(watch->Next()->reservation().state(), v1::Reservation::RELEASED);
  Ask(&Plans::DeletePlan, Named(plan.name()));
  EXPECT_EQ(watch->Next(), std::nullopt);
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(WatchBehaviour, AHoldThatExpiresIsTold) {
  const v1::Plan plan = CreatePlan("hold { expires_in { seconds: 2 } }");
  const auto watch = WatchPlan(plan.name());
  const auto cluster = WatchCluster();
  // Read now: a call through no socket begins with its first read.
  EXPECT_THAT(View(*cluster), ElementsAre("clusters/main", plan.reservation().name()));
  EXPECT_EQ(watch->Next()->reservation().state(), v1::Reservation::HELD);
  EXPECT_EQ(watch->Next()->reservation().state(), v1::Reservation::EXPIRED);
  while (const auto message = cluster->Next()) {
    if (message->deleted_reservation() == plan.reservation().name()) break;
  }
}

TEST_P(WatchBehaviour, APlanThatNoLongerHoldsIsTold) {
  const v1::Plan plan = CreatePlan("hold { }");
  const auto watch = WatchPlan(plan.name());
  EXPECT_EQ(watch->Next()->reservation().conflict(), "");
  Ask(&Clusters::UpdateCluster, "cluster { name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 3 } }");
  EXPECT_THAT(watch->Next()->reservation().conflict(), HasSubstr("are not in the pool any more"));
}

TEST_P(WatchBehaviour, AClusterIsToldWholeAndThenByChanges) {
  const v1::Reservation first = Reserve(8, 1);
  const auto watch = WatchCluster("clusters/main");
  EXPECT_THAT(View(*watch), ElementsAre("clusters/main", first.name()));
  const v1::Reservation second = Reserve(8, 2);
  EXPECT_EQ(watch->Next()->reservation().SerializeAsString(), second.SerializeAsString());
  Ask(&Clusters::DeleteReservation, Named(first.name()));
  EXPECT_EQ(watch->Next()->deleted_reservation(), first.name());
  Ask(&Clusters::UpdateCluster,
      "cluster { name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 4 node_conditions { nodes: 'h-3' "
      "state: DOWN } } }");
  EXPECT_EQ(watch->Next()->cluster().node_pools(0).status().down_node_count(), 1);
  Ask(&Clusters::DeleteCluster, "name: 'main' force: true");
  while (watch->Next().has_value()) {  // The mark of the reservation may come before.
  }
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(WatchBehaviour, WrongNamesAreErrors) {
  for (const auto& [name, code] :
       {std::pair("plans/20260101-000000-00000000", grpc::StatusCode::NOT_FOUND),
        std::pair("", grpc::StatusCode::INVALID_ARGUMENT), std::pair("a b", grpc::StatusCode::INVALID_ARGUMENT)}) {
    const auto plan = WatchPlan(name);
    EXPECT_EQ(plan->Next(), std::nullopt);
    EXPECT_EQ(plan->Finish().error_code(), code) << name;
  }
  const auto cluster = WatchCluster("none");
  EXPECT_EQ(cluster->Next(), std::nullopt);
  EXPECT_EQ(cluster->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(WatchBehaviour, ManyWatchersComeAndGo) {
  const v1::Plan plan = CreatePlan("hold { }");
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 10; ++j) {
        const auto watch = WatchPlan(plan.name());
        const auto cluster = WatchCluster();
        if (i % 2 == 0) {
          EXPECT_EQ(watch->Next()->name(), plan.name());
        }
        if (i % 3 == 0) {
          EXPECT_EQ(View(*cluster).size(), 2u);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto watch = WatchPlan(plan.name());
  EXPECT_TRUE(watch->Next().has_value());
  Ask(&Plans::ConfirmPlan, Named(plan.name()));
  EXPECT_EQ(watch->Next()->state(), v1::Plan::CONFIRMED);
}

TEST_P(WatchBehaviour, ADeadlineEndsIt) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::time_point());
  Clusters stub(planner_.channel);
  const auto reader = stub.WatchCluster(&context, Parse<v1::WatchClusterRequest>("name: 'main'"));
  v1::WatchClusterResponse message;
  while (reader->Read(&message)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_P(WatchBehaviour, TheEndOfThePlannerEndsThem) {
  const v1::Plan plan = CreatePlan("hold { }");
  const auto watch = WatchPlan(plan.name());
  const auto cluster = WatchCluster();
  EXPECT_TRUE(watch->Next().has_value());
  EXPECT_THAT(View(*cluster), ElementsAre("clusters/main", plan.reservation().name()));
  planner_.owner.reset();  // Waits for the end of what runs: a stream that went on would hold it up.
  EXPECT_EQ(watch->Next(), std::nullopt);
  EXPECT_EQ(cluster->Next(), std::nullopt);
  planner_.channel.reset();
}

INSTANTIATE_TEST_SUITE_P(Places, WatchBehaviour, ::testing::Values(InProcess(), Spawned()),
                         [](const auto& place) { return place.param.name; });

// What one process writes another one tells: by the store alone.
TEST(WatchAcrossProcesses, AnotherProcessesChangesAreTold) {
  const ScratchFolder folder;
  const RunningPlanner daemon = Spawned().start(folder / "state");
  const RunningPlanner other = InProcess().start(folder / "state");
  v1::Cluster cluster;
  grpc::ClientContext create;
  ASSERT_TRUE(Clusters(other.channel)
                  .CreateCluster(&create, Parse<v1::CreateClusterRequest>("cluster { name: 'main' }"), &cluster)
                  .ok());
  Reading<v1::WatchClusterResponse> watch(daemon.channel, &Clusters::WatchCluster, "name: 'main'");
  EXPECT_TRUE(watch.Next()->has_cluster());
  EXPECT_TRUE(watch.Next()->synchronized());
  grpc::ClientContext update;
  ASSERT_TRUE(Clusters(other.channel)
                  .UpdateCluster(
                      &update, Parse<v1::UpdateClusterRequest>("cluster { name: 'main' description: 'new' }"), &cluster)
                  .ok());
  EXPECT_EQ(watch.Next()->cluster().description(), "new");
}

// SIGTERM: watchers are told at once, and the daemon does not wait for them.
TEST(WatchDrain, SigtermEndsWatchesWithUnavailable) {
  const ScratchFolder folder;
  DaemonProcess daemon({"--listen", "127.0.0.1:0", "--metrics_listen", "off", "--state_dir", folder / "state"});
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const auto channel = grpc::CreateChannel(daemon.Addresses("grpc").at(0), grpc::InsecureChannelCredentials());
  v1::Cluster cluster;
  grpc::ClientContext create;
  ASSERT_TRUE(Clusters(channel)
                  .CreateCluster(&create, Parse<v1::CreateClusterRequest>("cluster { name: 'main' }"), &cluster)
                  .ok());
  Reading<v1::WatchClusterResponse> watch(channel, &Clusters::WatchCluster, "name: 'main'");
  EXPECT_TRUE(watch.Next()->has_cluster());
  EXPECT_TRUE(watch.Next()->synchronized());
  daemon.Terminate();
  EXPECT_EQ(watch.Next(), std::nullopt);
  const grpc::Status status = watch.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("the daemon ends"));
  EXPECT_EQ(daemon.Wait(), 0);
}

}  // namespace
}  // namespace planner::behaviour
