#include "clients/kubernetes/cluster_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

json Node() {
  return json::parse(R"({"metadata": {"name": "gpu-1", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.count": "8"}},
                         "spec": {},
                         "status": {"allocatable": {"cpu": "190", "nvidia.com/gpu": "8"},
                                    "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}]}})");
}

json Pod() {
  return json::parse(R"({"metadata": {"name": "train-0", "namespace": "team"},
                         "spec": {"nodeName": "gpu-1", "activeDeadlineSeconds": 3600,
                                  "containers": [{"name": "main", "env": [{"name": "PLANNER_PLAN", "value": "plans/p1"}],
                                                  "resources": {"limits": {"nvidia.com/gpu": "4"}}}]},
                         "status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}})");
}

NodeState MustRead(const json& node) {
  const auto state = ReadNode(node);
  EXPECT_TRUE(state.ok() && state->has_value()) << state.status();
  return state.ok() && state->has_value() ? **state : NodeState();
}

TEST(ReadNodeTest, TakesWhatThePlannerNeeds) {
  const NodeState node = MustRead(Node());
  EXPECT_EQ(node.name, "gpu-1");
  EXPECT_EQ(node.gpu_product, "NVIDIA-H100-80GB-HBM3");
  EXPECT_EQ(node.gpus, 8);
  EXPECT_TRUE(node.is_ready);
  EXPECT_FALSE(node.is_cordoned);
}

TEST(ReadNodeTest, StatesAreTold) {
  json node = Node();
  node["spec"]["unschedulable"] = true;
  EXPECT_TRUE(MustRead(node).is_cordoned);
  node["status"]["conditions"][1] = {{"type", "Ready"}, {"status", "Unknown"}, {"reason", "NodeStatusUnknown"}};
  EXPECT_FALSE(MustRead(node).is_ready);
  EXPECT_EQ(MustRead(node).reason, "NodeStatusUnknown");
  // Its device plugin is down: it still has the GPUs.
  node = Node();
  node["status"]["allocatable"]["nvidia.com/gpu"] = "0";
  EXPECT_EQ(MustRead(node).gpus, 8);
  EXPECT_FALSE(MustRead(node).is_ready);
}

TEST(ReadNodeTest, SharedGpusCountOnceAndOthersCountToo) {
  json node = Node();
  node["status"]["allocatable"]["nvidia.com/gpu"] = "32";
  EXPECT_EQ(MustRead(node).gpus, 8);
  node = json::parse(R"({"metadata": {"name": "a", "labels": {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"}},
                         "status": {"allocatable": {"amd.com/gpu": "8"}}})");
  EXPECT_EQ(MustRead(node).gpus, 8);
  EXPECT_EQ(MustRead(node).gpu_product, "AMD_Instinct_MI300X_OAM");
}

TEST(ReadNodeTest, NodesWithoutGpusAreNone) {
  EXPECT_FALSE(ReadNode(json{{"metadata", {{"name", "cpu-1"}}}, {"status", {{"allocatable", {{"cpu", "8"}}}}}})->has_value());
  EXPECT_EQ(base::DetailOf(ReadNode(json::object()).status()).field, "metadata.name");
  json node = Node();
  node["status"]["allocatable"]["nvidia.com/gpu"] = "eight";
  EXPECT_EQ(base::DetailOf(ReadNode(node).status()).field, "status.allocatable.nvidia.com/gpu");
}

TEST(ReadPodTest, TakesWhatThePlannerNeeds) {
  const auto pod = ReadPod(Pod());
  ASSERT_TRUE(pod.ok() && pod->has_value()) << pod.status();
  EXPECT_EQ((*pod)->name, "team/train-0");
  EXPECT_EQ((*pod)->name_space, "team");
  EXPECT_EQ((*pod)->node, "gpu-1");
  EXPECT_EQ((*pod)->gpus, 4);
  EXPECT_EQ((*pod)->plan, "plans/p1");
  EXPECT_EQ((*pod)->end, absl::FromUnixSeconds(1767225600 + 3600));
}

TEST(ReadPodTest, PodsThatHoldNoGpusAreNone) {
  json pod = Pod();
  pod["status"]["phase"] = "Succeeded";
  EXPECT_FALSE(ReadPod(pod)->has_value());
  pod = Pod();
  pod["spec"].erase("nodeName");
  EXPECT_FALSE(ReadPod(pod)->has_value());
  pod = Pod();
  pod["spec"]["containers"][0].erase("resources");
  EXPECT_FALSE(ReadPod(pod)->has_value());
  pod = Pod();
  pod["spec"].erase("activeDeadlineSeconds");
  EXPECT_EQ((*ReadPod(pod))->end, std::nullopt);
  EXPECT_FALSE(ReadPod(json())->has_value());
}

}  // namespace
}  // namespace planner::kubernetes
