#include "clients/kubernetes/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

/// A pod template of one container with so many GPUs.
json Template(const json& gpus, const std::string& product = "") {
  json spec = {{"containers", {{{"name", "main"}, {"resources", {{"limits", {{"nvidia.com/gpu", gpus}}}}}}}}};
  if (!product.empty()) spec["nodeSelector"] = {{"nvidia.com/gpu.product", product}};
  return {{"spec", spec}};
}

json Job(const json& spec, const json& annotations = {{"planner.io/model", "gpt2"}}) {
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"metadata", {{"name", "train"}, {"namespace", "team"}, {"annotations", annotations}}},
          {"spec", spec}};
}

Workload Read(const json& object) {
  const auto workload = ReadWorkload(object);
  EXPECT_TRUE(workload.ok()) << workload.status();
  if (!workload.ok() || !workload->has_value()) {
    ADD_FAILURE() << "is no workload: " << object.dump();
    return {};
  }
  return **workload;
}

TEST(WorkloadTest, AJobsPodsRunTogether) {
  const Workload job = Read(Job({{"parallelism", 4}, {"activeDeadlineSeconds", 3600}, {"template", Template("8", "NVIDIA-H100-80GB-HBM3")}},
                                {{"planner.io/model", "llama-3-8b"}, {"planner.io/tokens", "1T"}, {"other", "x"}}));
  EXPECT_EQ(job.kind, "Job");
  EXPECT_EQ(job.name, "team/train");
  EXPECT_EQ(job.gpus(), 32);
  EXPECT_EQ(job.gpu_product(), "NVIDIA-H100-80GB-HBM3");
  EXPECT_EQ(job.time_limit, absl::Hours(1));
  EXPECT_EQ(job.time_limit_path, "/spec");
  EXPECT_THAT(job.words, ElementsAre(Pair("model", "llama-3-8b"), Pair("tokens", "1T")));
  ASSERT_EQ(job.groups.size(), 1u);
  EXPECT_EQ(job.groups[0].path, "/spec/template/spec");
}

TEST(WorkloadTest, AnAffinityToNodesNamesTheProductAsASelectorDoes) {
  const auto term = [](const json& values, const std::string& how = "In") -> json {
    return {{"matchExpressions",
             {{{"key", "zone"}, {"operator", "Exists"}},
              {{"key", "nvidia.com/gpu.product"}, {"operator", how}, {"values", values}}}}};
  };
  const auto product = [](const json& terms) {
    json pods = Template(8);
    pods["spec"]["affinity"] = {
        {"nodeAffinity", {{"requiredDuringSchedulingIgnoredDuringExecution", {{"nodeSelectorTerms", terms}}}}}};
    return Read(Job({{"template", pods}})).gpu_product();
  };
  EXPECT_EQ(product(json::array({term({"NVIDIA-H100-80GB-HBM3"})})), "NVIDIA-H100-80GB-HBM3");
  EXPECT_EQ(product(json::array({term({"A"}), term({"A"})})), "A");
  EXPECT_EQ(product(json::array({term({"A"}), term({"B"})})), "") << "either of them";
  EXPECT_EQ(product(json::array({term({"A"}), {{"matchFields", json::array()}}})), "");
  EXPECT_EQ(product(json::array({term({"A", "B"})})), "");
  EXPECT_EQ(product(json::array({term({"A"}, "NotIn")})), "");
  EXPECT_EQ(product(json::array()), "");
  EXPECT_EQ(product("x"), "");
}

TEST(WorkloadTest, WhatIsNotSaidIsOne) {
  const Workload job = Read(Job({{"template", Template(8)}}));
  EXPECT_EQ(job.gpus(), 8);
  EXPECT_EQ(job.gpu_product(), "");
  EXPECT_EQ(job.time_limit, std::nullopt);
}

TEST(WorkloadTest, NoMorePodsRunAtOnceThanAreToBeCompleted) {
  const auto gpus = [](const json& parallelism, const json& completions) {
    return Read(Job({{"parallelism", parallelism}, {"completions", completions}, {"template", Template(8)}})).gpus();
  };
  EXPECT_EQ(gpus(8, 2), 16);
  EXPECT_EQ(gpus(2, 8), 16) << "one after the other";
  EXPECT_EQ(gpus(4, nullptr), 32);
  EXPECT_EQ(gpus(nullptr, 4), 8);
  EXPECT_FALSE(ReadWorkload(Job({{"completions", -1}, {"template", Template(8)}})).ok());
}

TEST(WorkloadTest, APyTorchJobHasAMasterAndWorkers) {
  json object = Job({{"runPolicy", {{"activeDeadlineSeconds", 60}}},
                     {"pytorchReplicaSpecs", {{"Master", {{"template", Template(8)}}}, {"Worker", {{"replicas", 3}, {"template", Template(8)}}}}}});
  object["kind"] = "PyTorchJob";
  object["apiVersion"] = "kubeflow.org/v1";
  const Workload job = Read(object);
  EXPECT_EQ(job.gpus(), 32);
  EXPECT_EQ(job.time_limit, absl::Minutes(1));
  EXPECT_EQ(job.time_limit_path, "/spec/runPolicy");
  EXPECT_EQ(job.groups[1].path, "/spec/pytorchReplicaSpecs/Worker/template/spec");
  object["spec"].erase("runPolicy");
  EXPECT_EQ(Read(object).time_limit_path, "/spec/runPolicy") << "it may get one";
}

TEST(WorkloadTest, AJobSetsJobsAreReplicated) {
  json object = Job({{"replicatedJobs",
                      {{{"name", "driver"}, {"template", {{"spec", {{"template", Template(0)}}}}}},
                       {{"name", "workers"}, {"replicas", 4}, {"template", {{"spec", {{"parallelism", 2}, {"template", Template(8, "H200")}}}}}}}}});
  object["kind"] = "JobSet";
  object["apiVersion"] = "jobset.x-k8s.io/v1alpha2";
  const Workload job = Read(object);
  EXPECT_EQ(job.gpus(), 64);
  // The driver has no GPUs, so its nodes do not matter.
  EXPECT_EQ(job.gpu_product(), "H200");
  EXPECT_EQ(job.groups[1].pods, 8);
  EXPECT_EQ(job.groups[1].path, "/spec/replicatedJobs/1/template/spec/template/spec");
}

TEST(WorkloadTest, APodHasTheSumOfItsContainersOrItsLargestInitContainer) {
  json pod = Template(2);
  pod["spec"]["containers"].push_back({{"resources", {{"requests", {{"nvidia.com/gpu", 1}}}}}});
  pod["spec"]["containers"].push_back({{"name", "sidecar"}});
  pod["spec"]["initContainers"] = {{{"resources", {{"limits", {{"nvidia.com/gpu", 2}}}}}}};
  EXPECT_EQ(Read(Job({{"template", pod}})).gpus(), 3);
  pod["spec"]["initContainers"][0]["resources"]["limits"]["nvidia.com/gpu"] = 8;
  EXPECT_EQ(Read(Job({{"template", pod}})).gpus(), 8);
  // Limits hold where both are there, and AMD's are GPUs, too.
  pod = Template(2);
  pod["spec"]["containers"][0]["resources"] = {{"limits", {{"amd.com/gpu", 4}}}, {"requests", {{"amd.com/gpu", 4}}}};
  EXPECT_EQ(Read(Job({{"template", pod}})).gpus(), 4);
}

TEST(WorkloadTest, WhatDoesNotSpeakToThePlannerIsNone) {
  for (const json& object : {Job({{"template", Template(8)}}, json::object()), Job({{"template", Template(8)}}, {{"planner.io/tokens", "1T"}}),
                             json{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", {{"annotations", {{"planner.io/model", "gpt2"}}}}}},
                             json{{"apiVersion", "other/v1"}, {"kind", "Job"}}, json(), json("text"), json::array(), json::object()}) {
    const auto workload = ReadWorkload(object);
    ASSERT_TRUE(workload.ok()) << workload.status();
    EXPECT_FALSE(workload->has_value()) << object.dump();
  }
}

TEST(WorkloadTest, ErrorsNameTheirPlace) {
  const auto field = [](const json& object) { return base::DetailOf(ReadWorkload(object).status()).field; };
  EXPECT_EQ(field(Job({{"template", Template("1500m")}})), "spec.template.spec.containers[0].resources.limits.nvidia.com/gpu");
  EXPECT_EQ(field(Job({{"template", Template(-1)}})), "spec.template.spec.containers[0].resources.limits.nvidia.com/gpu");
  EXPECT_EQ(field(Job({{"parallelism", "many"}, {"template", Template(8)}})), "spec.parallelism");
  EXPECT_EQ(field(Job({{"parallelism", 1'000'000}, {"template", Template(8)}})), "spec.template.spec");
  EXPECT_EQ(field(Job({{"activeDeadlineSeconds", "soon"}, {"template", Template(8)}})), "spec.activeDeadlineSeconds");
  EXPECT_EQ(field(Job({{"parallelism", 2}})), "spec.template.spec");
  EXPECT_EQ(field(Job({{"template", Template(8)}}, {{"planner.io/model", "gpt2"}, {"planner.io/tokens", ""}})),
            "metadata.annotations.planner.io/tokens");
  json object = Job({{"pytorchReplicaSpecs", {{"Worker", {{"replicas", 1.5}, {"template", Template(8)}}}}}});
  object["kind"] = "PyTorchJob";
  object["apiVersion"] = "kubeflow.org/v1";
  EXPECT_EQ(field(object), "spec.pytorchReplicaSpecs.Worker.replicas");
  object["spec"] = json::object();
  EXPECT_EQ(field(object), "spec.pytorchReplicaSpecs");
  object["kind"] = "JobSet";
  object["apiVersion"] = "jobset.x-k8s.io/v1alpha2";
  EXPECT_EQ(field(object), "spec.replicatedJobs");
  object["spec"] = {{"replicatedJobs", {{{"replicas", 1'000'000}, {"template", {{"spec", {{"parallelism", 1'000'000}, {"template", Template(1)}}}}}}}}};
  EXPECT_EQ(field(object), "spec.replicatedJobs[0].replicas");
}

}  // namespace
}  // namespace planner::kubernetes
