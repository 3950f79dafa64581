#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>

#include "clients/cpp/client.h"
#include "clients/kubernetes/http_server.h"
#include "core/base/mutex.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "tests/kubernetes/planner_fixture.h"
#include "tests/support/child_process.h"

namespace planner::kubernetes_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Kueue's objects in an API server that keeps what is applied, beside a plannerd with four nodes.
class KueueTest : public PlannerFixture {
 protected:
  KueueTest() {
    client_ = *cpp::Client::Connect({.addresses = {address()}});
    api_server_ = *kubernetes::HttpServer::Start({}, [this](const kubernetes::HttpRequest& request) { return Answer(request); });
    v1::CreateClusterRequest create;
    create.mutable_cluster()->set_name("main");
    v1::NodePool& pool = *create.mutable_cluster()->add_node_pools();
    pool.set_name("h100");
    pool.set_gpu_type("H100-SXM-80GB");
    pool.set_gpus_per_node(8);
    pool.set_node_count(4);
    EXPECT_TRUE(client_->Call(&v1::ClusterService::Stub::CreateCluster, create).ok());
  }

  /// A plan of so many GPUs, that takes some hours.
  std::string Planned(int64_t gpus) {
    v1::CreatePlanRequest create;
    v1::EstimateRequest& request = *create.mutable_plan()->mutable_request();
    request.mutable_model()->set_preset("llama-3-8b");
    request.mutable_data_set()->set_token_count(1'000'000'000);
    request.mutable_resources()->set_cluster("main");
    request.mutable_resources()->set_min_gpus(gpus);
    request.mutable_resources()->set_max_gpus(gpus);
    const auto plan = client_->Call(&v1::PlanService::Stub::CreatePlan, create);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? plan->name() : "";
  }
  v1::Plan Stored(const std::string& name) {
    v1::GetPlanRequest get;
    get.set_name(name);
    return *client_->Call(&v1::PlanService::Stub::GetPlan, get);
  }
  void Cancel(const std::string& name) {
    v1::CancelPlanRequest cancel;
    cancel.set_name(name);
    EXPECT_TRUE(client_->Call(&v1::PlanService::Stub::CancelPlan, cancel).ok());
  }

  /// A workload with its quota; `since`: of that.
  void Queue(const std::string& name, const std::string& plan, const std::string& since = "2999-01-01T00:00:00Z") {
    json container = {{"name", "train"}};
    if (!plan.empty()) container["env"] = {{{"name", "PLANNER_PLAN"}, {"value", plan}}};
    const base::MutexLock lock(mutex_);
    workloads_[name] = {{"metadata", {{"name", name}, {"namespace", "research"}, {"resourceVersion", "1"}}},
                        {"spec", {{"podSets", {{{"template", {{"spec", {{"containers", {container}}}}}}}}}}},
                        {"status",
                         {{"conditions", {{{"type", "QuotaReserved"}, {"status", "True"}, {"lastTransitionTime", since}}}},
                          {"admissionChecks", {{{"name", "planned"}, {"state", "Pending"}, {"message", ""}, {"lastTransitionTime", since}}}}}}};
  }
  std::string StateOf(const std::string& name) {
    const base::MutexLock lock(mutex_);
    return workloads_[name]["status"]["admissionChecks"][0]["state"];
  }
  std::string MessageOf(const std::string& name) {
    const base::MutexLock lock(mutex_);
    return workloads_[name]["status"]["admissionChecks"][0]["message"];
  }

  kubernetes::HttpResponse Answer(const kubernetes::HttpRequest& request) {
    const base::MutexLock lock(mutex_);
    const std::string api = "/apis/kueue.x-k8s.io/v1beta1/";
    if (request.method == "PATCH") return Apply(request);
    if (request.path == api + "admissionchecks") return {.body = json{{"items", {check_}}}.dump()};
    EXPECT_EQ(request.path, api + "workloads");
    json list = {{"items", json::array()}};
    for (const auto& [name, workload] : workloads_) list["items"].push_back(workload);
    return {.body = list.dump()};
  }
  kubernetes::HttpResponse Apply(const kubernetes::HttpRequest& request) {
    const json object = json::parse(request.body);
    const std::string name = object["metadata"]["name"];
    ++writes_;
    if (object["kind"] == "AdmissionCheck") {
      EXPECT_EQ(request.path, "/apis/kueue.x-k8s.io/v1beta1/admissionchecks/" + name + "/status");
      check_["status"] = object["status"];
      return {.body = check_.dump()};
    }
    EXPECT_EQ(request.path, "/apis/kueue.x-k8s.io/v1beta1/namespaces/research/workloads/" + name + "/status");
    json& workload = workloads_[name];
    if (workload["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"]) return {.code = 409, .body = R"({"message": "modified"})"};
    workload["status"]["admissionChecks"] = object["status"]["admissionChecks"];
    workload["metadata"]["resourceVersion"] = std::to_string(++version_);
    return {.body = workload.dump()};
  }

  std::vector<std::string> Command(const std::vector<std::string>& flags) {
    std::vector<std::string> command = {PLANNERCTL_PATH, "--server", address(), "--timeout", "2s", "kubernetes", "kueue", "--api-server",
                                        fmt::format("http://127.0.0.1:{}", api_server_->port())};
    command.insert(command.end(), flags.begin(), flags.end());
    return command;
  }
  /// One round of `kubernetes kueue`: exit code and output.
  std::pair<int, std::string> Round(std::vector<std::string> flags = {}) {
    flags.emplace_back("--once");
    support::ChildProcess round({.command = Command(flags), .user = {}});
    const int code = round.Wait();
    return {code, round.output()};
  }

  std::unique_ptr<cpp::Client> client_;
  base::Mutex mutex_;
  json check_ = {{"metadata", {{"name", "planned"}}}, {"spec", {{"controllerName", "planner.io/plan"}}}};
  std::map<std::string, json> workloads_;
  int version_ = 1;
  int writes_ = 0;
  std::unique_ptr<kubernetes::HttpServer> api_server_;
};

TEST_F(KueueTest, TwoThatFitStartAndTheThirdWaitsForItsGpus) {
  // Planned while all GPUs were free: only one of the last two can have them.
  const std::string first = Planned(16), second = Planned(16), third = Planned(16);
  Queue("a", first);
  Queue("b", second);
  Queue("c", third);
  Queue("unplanned", "");
  const auto [code, output] = Round();
  ASSERT_EQ(code, 0) << output;
  EXPECT_EQ(check_["status"]["conditions"][0]["status"], "True");
  EXPECT_EQ(StateOf("a"), "Ready");
  EXPECT_EQ(StateOf("b"), "Ready");
  EXPECT_THAT(MessageOf("b"), HasSubstr(second + " holds 16 H100-SXM-80GB GPUs until "));
  EXPECT_EQ(StateOf("c"), "Pending");
  EXPECT_THAT(MessageOf("c"), HasSubstr(third + " waits for its GPUs: they are free from "));
  EXPECT_EQ(StateOf("unplanned"), "Ready");
  EXPECT_THAT(output, HasSubstr("research/a Ready: " + first));
  EXPECT_EQ(Stored(first).state(), v1::Plan::CONFIRMED);
  EXPECT_EQ(Stored(first).reservation().state(), v1::Reservation::FIRM);
  EXPECT_EQ(Stored(third).state(), v1::Plan::PLANNED);

  // Nothing has changed: nothing is written, nothing is said.
  const int writes = writes_;
  EXPECT_EQ(Round(), std::make_pair(0, std::string()));
  EXPECT_EQ(writes_, writes);

  Cancel(first);
  ASSERT_EQ(Round().first, 0);
  EXPECT_EQ(StateOf("c"), "Ready");
  EXPECT_EQ(Stored(third).state(), v1::Plan::CONFIRMED);
}

TEST_F(KueueTest, WhatIsOverGivesItsGpusToTheNextOne) {
  const std::string first = Planned(32), second = Planned(32);
  Queue("a", first);
  ASSERT_EQ(Round().first, 0);
  Queue("b", second);
  ASSERT_EQ(Round().first, 0);
  EXPECT_EQ(StateOf("b"), "Pending");
  {
    const base::MutexLock lock(mutex_);
    workloads_["a"]["status"]["conditions"].push_back({{"type", "Finished"}, {"status", "True"}});
  }
  const auto [code, output] = Round();
  ASSERT_EQ(code, 0) << output;
  EXPECT_THAT(output, HasSubstr(first + " is cancelled, its training is no more: 32 GPUs are free"));
  EXPECT_EQ(Stored(first).state(), v1::Plan::CANCELLED);
  EXPECT_EQ(StateOf("b"), "Ready") << MessageOf("b");
  EXPECT_EQ(Round(), std::make_pair(0, std::string()));
}

TEST_F(KueueTest, WhatIsDeletedGivesItsGpusBackALittleLater) {
  const std::string plan = Planned(32), kept = Planned(8);
  Queue("a", plan);
  support::ChildProcess controller({.command = Command({"--interval", "1s", "--release-after", "1s"}), .user = {}});
  ASSERT_TRUE(controller.WaitForOutput("research/a Ready", absl::Minutes(1))) << controller.output();
  {
    const base::MutexLock lock(mutex_);
    workloads_.erase("a");
  }
  Queue("b", kept);
  ASSERT_TRUE(controller.WaitForOutput(plan + " is cancelled", absl::Minutes(1))) << controller.output();
  ASSERT_TRUE(controller.WaitForOutput("research/b Ready", absl::Minutes(1))) << controller.output();
  EXPECT_EQ(Stored(plan).state(), v1::Plan::CANCELLED);
  EXPECT_EQ(Stored(kept).state(), v1::Plan::CONFIRMED);
  controller.Signal(SIGTERM);
  EXPECT_EQ(controller.Wait(), 0);
}

TEST_F(KueueTest, WithoutAPlannerTheSiteDecides) {
  const std::string plan = Planned(8);
  Queue("new", plan);
  Queue("old", plan, "2020-01-01T00:00:00Z");
  planner_.reset();
  EXPECT_THAT(Round({"--on-failure", "closed"}).second, HasSubstr("the planner"));
  EXPECT_EQ(StateOf("old"), "Pending");
  ASSERT_EQ(Round().first, 0);
  EXPECT_EQ(StateOf("old"), "Ready");
  EXPECT_EQ(MessageOf("old"), "the planner does not answer: nothing is held for it");
  EXPECT_EQ(StateOf("new"), "Pending") << "the planner may be starting again";
}

TEST_F(KueueTest, WhatKueueHasChangedMeanwhileIsNotOverwritten) {
  Queue("a", "");
  {
    const base::MutexLock lock(mutex_);
    workloads_["a"]["metadata"]["resourceVersion"] = "old";
  }
  // Changes after it is read: the fake API server compares with what it has now.
  api_server_.reset();
  bool is_changed = false;
  api_server_ = *kubernetes::HttpServer::Start({}, [&](const kubernetes::HttpRequest& request) {
    if (request.method == "PATCH" && request.path.find("workloads") != std::string::npos && !is_changed) {
      const base::MutexLock lock(mutex_);
      is_changed = true;
      workloads_["a"]["metadata"]["resourceVersion"] = "new";
    }
    return Answer(request);
  });
  EXPECT_EQ(Round(), std::make_pair(0, std::string()));
  EXPECT_EQ(StateOf("a"), "Pending");
  ASSERT_EQ(Round().first, 0);
  EXPECT_EQ(StateOf("a"), "Ready");
}

TEST_F(KueueTest, WrongFlagsAreSaid) {
  EXPECT_EQ(Round({"--on-failure", "maybe"}).first, 2);
  EXPECT_THAT(Round({"--on-failure", "maybe"}).second, HasSubstr("--on-failure: is none of open, closed: value=\"maybe\""));
  EXPECT_EQ(Round({"--interval", "10ms"}).first, 2);
  EXPECT_THAT(Round({"--controller", "somebody.else/check"}).second, IsEmpty());
  EXPECT_EQ(writes_, 0);
}

}  // namespace
}  // namespace planner::kubernetes_test
