#include "clients/cpp/client.h"

#include <gmock/gmock.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <set>

#include "clients/cpp/status.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "planner/v1/cluster_service.pb.h"
#include "planner/v1/estimation_service.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "planner/v1/run_service.pb.h"

namespace planner::cpp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Stub = v1::PlanService::Stub;

/// A replica that answers what it is told to, and then well.
class FakePlans final : public v1::PlanService::Service {
 public:
  grpc::Status CreatePlan(grpc::ServerContext* /*context*/, const v1::CreatePlanRequest* request, v1::Plan* plan) override {
    request_ids.push_back(request->request_id());
    plan->set_name(name);
    if (answers.empty()) return grpc::Status::OK;
    const grpc::Status answer = answers.front();
    answers.pop_front();
    return answer;
  }

  std::string name = "plans/1";
  std::deque<grpc::Status> answers;
  std::vector<std::string> request_ids;
};

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    for (FakePlans& replica : replicas_) {
      grpc::ServerBuilder builder;
      builder.RegisterService(&replica);
      servers_.push_back(builder.BuildAndStart());
      channels_.push_back(servers_.back()->InProcessChannel({}));
    }
    replicas_[1].name = "plans/2";
  }
  ~ClientTest() override {
    for (const auto& server : servers_) server->Shutdown();
  }

  Client Make(std::vector<std::shared_ptr<grpc::Channel>> channels) {
    return Client(std::move(channels), absl::Seconds(20), {},
                  {.now = [this] { return now_; },
                   .wait =
                       [this](absl::Duration duration, grpc::Channel*) {
                         waits_.push_back(absl::ToInt64Milliseconds(duration));
                         now_ += duration;
                       },
                   .random = [] { return 1.0; }});
  }
  static std::string NameOf(const absl::StatusOr<v1::Plan>& plan) { return plan.ok() ? plan->name() : plan.status().ToString(); }

  FakePlans replicas_[2];
  std::vector<std::unique_ptr<grpc::Server>> servers_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  const std::shared_ptr<grpc::Channel> nobody_ = *Connect("unix:/nowhere/plannerd.sock");
  absl::Time now_ = base::Clock::Real().Now();
  std::vector<int64_t> waits_;
};

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "ends");

TEST_F(ClientTest, TriesAgainWithTheSameRequestId) {
  replicas_[0].answers = {kUnavailable, kUnavailable};
  Client client = Make({channels_[0]});
  EXPECT_EQ(NameOf(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest())), "plans/1");
  EXPECT_THAT(waits_, ElementsAre(100, 200));
  ASSERT_THAT(replicas_[0].request_ids, SizeIs(3));
  EXPECT_EQ(replicas_[0].request_ids[0].size(), 32u);
  EXPECT_EQ(std::set<std::string>(replicas_[0].request_ids.begin(), replicas_[0].request_ids.end()).size(), 1u);
  // The next request is another one; a caller's own id stays, and what makes nothing needs none.
  v1::CreatePlanRequest request;
  request.set_request_id("mine");
  EXPECT_TRUE(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest()).ok());
  EXPECT_TRUE(client.Call(&Stub::CreatePlan, request).ok());
  request.clear_request_id();
  request.set_validate_only(true);
  EXPECT_TRUE(client.Call(&Stub::CreatePlan, request).ok());
  EXPECT_NE(replicas_[0].request_ids[3], replicas_[0].request_ids[0]);
  EXPECT_EQ(replicas_[0].request_ids[4], "mine");
  EXPECT_EQ(replicas_[0].request_ids[5], "");
}

TEST_F(ClientTest, WaitsForAsLongAsTheServerAsks) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(2);
  google::rpc::Status details;
  details.add_details()->PackFrom(retry);
  replicas_[0].answers = {{grpc::StatusCode::RESOURCE_EXHAUSTED, "full", details.SerializeAsString()}};
  Client client = Make({channels_[0]});
  EXPECT_EQ(NameOf(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest())), "plans/1");
  EXPECT_THAT(waits_, ElementsAre(3000)) << "and half as much by chance";
}

TEST_F(ClientTest, AReplicaThatIsThereAnswersAndIsAskedFirstFromThenOn) {
  Client client = Make({nobody_, channels_[0], channels_[1]});
  EXPECT_EQ(NameOf(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest())), "plans/1");
  EXPECT_THAT(waits_, IsEmpty());
  EXPECT_EQ(client.channel(), channels_[0]);
  replicas_[0].answers = {kUnavailable};
  EXPECT_EQ(NameOf(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest())), "plans/2");
  EXPECT_EQ(client.channel(), channels_[1]);
}

/// What a process is that stands still: its kernel takes connections, and nobody says anything on them.
class Mute {
 public:
  Mute() : socket_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    const std::string path = folder_ + "/mute.sock";
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(socket_, 8), 0);
  }
  ~Mute() {
    close(socket_);
    std::filesystem::remove_all(folder_);
  }
  Mute(const Mute&) = delete;
  Mute& operator=(const Mute&) = delete;

  std::shared_ptr<grpc::Channel> channel() const { return *Connect("unix:" + folder_ + "/mute.sock"); }

 private:
  std::string folder_ = (std::filesystem::temp_directory_path() / "planner-client-XXXXXX").string();
  const int socket_;
};

TEST_F(ClientTest, AReplicaThatStandsStillIsPassedOver) {
  const Mute mute;
  Client client(std::vector{mute.channel(), channels_[0]}, absl::Seconds(20), {.longest_connect = absl::Milliseconds(50)});
  EXPECT_EQ(NameOf(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest())), "plans/1");
  EXPECT_EQ(client.channel(), channels_[0]);
}

TEST_F(ClientTest, AReplicaThatStandsStillLeavesTheOthersTheirShareOfAShortCall) {
  const Mute mute;
  Client client(std::vector{mute.channel(), channels_[0]}, absl::Seconds(2), {.most_rounds = 1, .longest_connect = absl::Hours(1)});
  EXPECT_EQ(NameOf(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest())), "plans/1");
}

TEST_F(ClientTest, AReplicaThatStopsWhileItIsConnectedCostsOneCall) {
  Client client(std::vector{channels_[0], channels_[1]}, absl::Seconds(20), {});
  replicas_[0].answers = {{grpc::StatusCode::DEADLINE_EXCEEDED, "late"}};
  EXPECT_TRUE(absl::IsDeadlineExceeded(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest()).status()));
  EXPECT_EQ(NameOf(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest())), "plans/2");
}

TEST_F(ClientTest, OtherErrorsAreTheAnswer) {
  replicas_[0].answers = {{grpc::StatusCode::INVALID_ARGUMENT, "plan: is missing"}};
  Client client = Make({channels_[0], channels_[1]});
  EXPECT_EQ(client.Call(&Stub::CreatePlan, v1::CreatePlanRequest()).status(), absl::InvalidArgumentError("plan: is missing"));
  EXPECT_THAT(replicas_[1].request_ids, IsEmpty());
}

TEST_F(ClientTest, GivesUpAfterItsRounds) {
  Client client = Make({nobody_});
  const absl::Status status = client.Call(&Stub::CreatePlan, v1::CreatePlanRequest()).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(waits_, ElementsAre(100, 200, 400));
}

TEST(ClientConnectTest, SaysWhatIsWrong) {
  const auto field_of = [](const ClientOptions& options) { return base::DetailOf(Client::Connect(options).status()).field; };
  EXPECT_EQ(field_of({}), "addresses");
  EXPECT_EQ(field_of({.addresses = {"127.0.0.1:1", "nowhere"}}), "server");
  EXPECT_EQ(field_of({.addresses = {"127.0.0.1:1"}, .tls = {.certificate = "c.pem", .key = "k.pem"}}), "tls.ca");
  EXPECT_EQ(field_of({.addresses = {"127.0.0.1:1"}, .tls = {.ca = "a.pem", .key = "k.pem"}}), "tls.certificate");
  EXPECT_TRUE(absl::IsFailedPrecondition(Client::Connect({.addresses = {"127.0.0.1:1"}, .tls = {.ca = "/nowhere.pem"}}).status()));
  EXPECT_TRUE(Client::Connect({.addresses = {"unix:/p.sock"}, .tls = {.ca = "/nowhere.pem"}}).ok()) << "a socket needs no TLS";
}

/// What is made may be made twice where a try is repeated, unless the request has an id.
TEST(RequestIdTest, WhateverMakesSomethingHasOne) {
  for (const auto* const file : {v1::UploadModelRequest::descriptor()->file(), v1::CreateClusterRequest::descriptor()->file(),
                                 v1::CreatePlanRequest::descriptor()->file(), v1::StartRunRequest::descriptor()->file()}) {
    ASSERT_EQ(file->service_count(), 1);
    const auto* const descriptor = file->service(0);
    for (int i = 0; i < descriptor->method_count(); ++i) {
      const std::string& name = descriptor->method(i)->name();
      if (!name.starts_with("Create") && !name.starts_with("Start")) continue;
      EXPECT_NE(descriptor->method(i)->input_type()->FindFieldByName("request_id"), nullptr) << name;
    }
  }
}

}  // namespace
}  // namespace planner::cpp
