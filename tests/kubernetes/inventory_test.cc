#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "clients/cpp/client.h"
#include "clients/kubernetes/http_server.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "tests/kubernetes/planner_fixture.h"
#include "tests/support/child_process.h"

namespace planner::kubernetes_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json Node(const std::string& name, const std::string& product) {
  return {{"metadata", {{"name", name}, {"labels", {{"nvidia.com/gpu.product", product}, {"nvidia.com/gpu.count", "8"}}}}},
          {"spec", json::object()},
          {"status", {{"allocatable", {{"nvidia.com/gpu", "8"}}}, {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
}

json Pod(const std::string& name, const std::string& node, int gpus) {
  return {{"metadata", {{"name", name}, {"namespace", "team"}}},
          {"spec", {{"nodeName", node}, {"containers", {{{"name", "main"}, {"resources", {{"limits", {{"nvidia.com/gpu", std::to_string(gpus)}}}}}}}}}},
          {"status", {{"phase", "Running"}, {"startTime", "2026-01-01T00:00:00Z"}}}};
}

/// An API server that tells of what a test gives it, and a plannerd.
class KubernetesInventoryTest : public PlannerFixture {
 protected:
  KubernetesInventoryTest() {
    api_server_ = *kubernetes::HttpServer::Start({}, [this](const kubernetes::HttpRequest& request) { return Answer(request); });
  }

  kubernetes::HttpResponse Answer(const kubernetes::HttpRequest& request) {
    if (code_ != 200) return {.code = code_, .body = R"({"kind": "Status", "message": "etcd is away"})"};
    if (request.path == "/api/v1/pods") {
      EXPECT_EQ(request.query.find("fieldSelector")->second, "status.phase!=Succeeded,status.phase!=Failed");
      return {.body = json{{"kind", "PodList"}, {"items", pods_}}.dump()};
    }
    EXPECT_EQ(request.path, "/api/v1/nodes");
    return {.body = json{{"kind", "NodeList"}, {"items", nodes_}}.dump()};
  }
  /// `cluster import kubernetes` to its end: exit code and output.
  std::pair<int, std::string> Import() {
    support::ChildProcess import({.command = {PLANNERCTL_PATH, "--server", address(), "cluster", "import", "kubernetes", "k8s", "--api-server",
                                              fmt::format("http://127.0.0.1:{}", api_server_->port())},
                                  .user = {}});
    const int code = import.Wait();
    return {code, import.output()};
  }
  v1::Cluster Stored() {
    const auto client = cpp::Client::Connect({.addresses = {address()}});
    v1::GetClusterRequest request;
    request.set_name("k8s");
    auto cluster = (*client)->Call(&v1::ClusterService::Stub::GetCluster, request);
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    return cluster.value_or(v1::Cluster());
  }

  std::unique_ptr<kubernetes::HttpServer> api_server_;
  std::atomic<int> code_ = 200;
  json nodes_ = json::array(), pods_ = json::array();
};

TEST_F(KubernetesInventoryTest, NodesAndPodsAreTheClusters) {
  for (const char* name : {"h1", "h2", "h3"}) nodes_.push_back(Node(name, "NVIDIA-H100-80GB-HBM3"));
  nodes_.push_back(Node("a1", "NVIDIA-A100-SXM4-80GB"));
  nodes_.push_back({{"metadata", {{"name", "cpu1"}}}, {"status", {{"allocatable", {{"cpu", "8"}}}}}});
  nodes_[1]["spec"]["unschedulable"] = true;
  nodes_[3]["status"]["conditions"][0]["status"] = "Unknown";
  pods_ = {Pod("train-0", "h1", 8), Pod("notebook", "h2", 1), Pod("elsewhere", "cpu1", 1)};
  const auto [code, output] = Import();
  EXPECT_EQ(code, 0) << output;
  EXPECT_THAT(output, HasSubstr("3 nodes × 8 H100-SXM-80GB, 2 ready, 1 drained, 0 down, 9 GPUs in use"));
  const v1::Cluster cluster = Stored();
  ASSERT_EQ(cluster.node_pools_size(), 2);
  const v1::NodePool& h100 = cluster.node_pools(1).gpu_type() == "H100-SXM-80GB" ? cluster.node_pools(1) : cluster.node_pools(0);
  const v1::NodePool& a100 = &h100 == &cluster.node_pools(0) ? cluster.node_pools(1) : cluster.node_pools(0);
  EXPECT_EQ(a100.status().down_node_count(), 1);
  ASSERT_EQ(h100.occupations_size(), 2);
  EXPECT_EQ(h100.occupations(0).tenant(), "team");
  EXPECT_THAT(h100.occupations(0).description() + h100.occupations(1).description(), HasSubstr("pod team/train-0"));
}

TEST_F(KubernetesInventoryTest, TheLastInventoryStaysOnBadDays) {
  nodes_.push_back(Node("h1", "NVIDIA-H100-80GB-HBM3"));
  ASSERT_EQ(Import().first, 0);
  const std::string etag = Stored().etag();
  // Nothing has changed, and nothing is written.
  ASSERT_EQ(Import().first, 0);
  EXPECT_EQ(Stored().etag(), etag);
  code_ = 500;
  const auto [code, output] = Import();
  EXPECT_NE(code, 0);
  EXPECT_THAT(output, HasSubstr("error: the API server answers 500 to /api/v1/nodes: etcd is away")) << "and not that plannerd is";
  code_ = 200;
  // A list without a single GPU is believed by nobody.
  nodes_ = json::array();
  EXPECT_NE(Import().first, 0);
  // One node that makes no sense is left out, and said.
  nodes_ = {Node("h1", "NVIDIA-H100-80GB-HBM3"), Node("h2", "NVIDIA-H100-80GB-HBM3")};
  nodes_[1]["status"]["allocatable"]["nvidia.com/gpu"] = "eight";
  const auto [left_out, warning] = Import();
  EXPECT_EQ(left_out, 0);
  EXPECT_THAT(warning, HasSubstr("a node is left out: status.allocatable.nvidia.com/gpu: is no number of GPUs"));
  EXPECT_EQ(Stored().node_pools(0).node_count(), 1);
}

TEST_F(KubernetesInventoryTest, NodesWithGpusThatNobodyKnowsAreLeftOut) {
  nodes_ = {Node("h1", "NVIDIA-H100-80GB-HBM3"), Node("m1", "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"), Node("m2", "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"),
            Node("u1", "")};
  const auto [code, output] = Import();
  EXPECT_EQ(code, 0) << output;
  EXPECT_THAT(output, HasSubstr("nodes like m1 are left out: name: no GPU type is named"));
  EXPECT_THAT(output, ::testing::Not(HasSubstr("like m2"))) << "said once";
  EXPECT_THAT(output, HasSubstr("nodes like u1 are left out: has no label nvidia.com/gpu.product"));
  EXPECT_EQ(Stored().node_pools_size(), 1);
  EXPECT_EQ(Stored().node_pools(0).node_names(), "h1");
}

}  // namespace
}  // namespace planner::kubernetes_test
