#include "clients/kubernetes/workload.h"

#include <algorithm>
#include <utility>

#include "clients/kubernetes/pod_gpus.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "planner.io/";
constexpr char kProductLabel[] = "nvidia.com/gpu.product";
constexpr int64_t kMost = kMostOfAnything;

/// A key as JSON pointers write it (RFC 6901).
std::string Escaped(std::string_view key) {
  std::string text;
  for (const char c : key) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return text;
}

/// The product that the affinity of a pod to nodes insists on; empty: none, or one of several.
std::string ProductOfAffinity(const json& spec) {
  const json& required =
      Member(Member(Member(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution");
  const json& terms = Member(required, "nodeSelectorTerms");
  if (!terms.is_array()) return "";
  std::string product;
  for (const json& term : terms) {  // Any of them is enough for a node: all must name the same.
    std::string of_term;
    const json& expressions = Member(term, "matchExpressions");
    for (size_t i = 0; expressions.is_array() && i < expressions.size(); ++i) {
      const json& values = Member(expressions[i], "values");
      if (TextOf(Member(expressions[i], "key")) == kProductLabel &&
          TextOf(Member(expressions[i], "operator")) == "In" && values.is_array() && values.size() == 1) {
        of_term = TextOf(values[0]);
      }
    }
    if (of_term.empty() || (!product.empty() && product != of_term)) return "";
    product = of_term;
  }
  return product;
}

absl::Status AddGroup(const json& spec, const std::string& path, int64_t pods, Workload& workload) {
  if (!spec.is_object()) return base::InvalidField("", "is no object");
  ASSIGN_OR_RETURN(const int64_t gpus, GpusOfPod(spec));
  std::string product = TextOf(Member(Member(spec, "nodeSelector"), kProductLabel));
  if (product.empty()) product = ProductOfAffinity(spec);
  workload.groups.push_back({.path = path, .pods = pods, .gpus = gpus, .gpu_product = std::move(product)});
  if (workload.gpus() > kMost) return base::InvalidField("", "asks for more than 1,000,000 GPUs, counted together with those before");
  return absl::OkStatus();
}

/// activeDeadlineSeconds of `object`, which is at `path`.
absl::Status ReadTimeLimit(const json& object, const std::string& path, Workload& workload) {
  const json& value = Member(object, "activeDeadlineSeconds");
  workload.time_limit_path = path;
  if (value.is_null()) return absl::OkStatus();
  constexpr int64_t kLongest = int64_t{1000} * 365 * 86400;
  if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > kLongest) {
    return base::InvalidField("activeDeadlineSeconds", fmt::format("is no number of seconds: value={}", Shown(value)));
  }
  workload.time_limit = absl::Seconds(value.get<int64_t>());
  return absl::OkStatus();
}

/// Pods of a Job that run at once: no more than are left to be completed.
absl::StatusOr<int64_t> PodsOfJob(const json& spec) {
  ASSIGN_OR_RETURN(const int64_t parallelism, CountOf(spec, "parallelism", 1, "pods"));
  ASSIGN_OR_RETURN(const int64_t completions, CountOf(spec, "completions", parallelism, "pods"));
  return std::min(parallelism, completions);
}

absl::Status ReadJob(const json& spec, Workload& workload) {
  ASSIGN_OR_RETURN(const int64_t parallelism, PodsOfJob(spec));
  RETURN_IF_ERROR(base::AtField("template.spec", AddGroup(Member(Member(spec, "template"), "spec"), "/spec/template/spec", parallelism, workload)));
  return ReadTimeLimit(spec, "/spec", workload);
}

absl::Status ReadPyTorchJob(const json& spec, Workload& workload) {
  const json& replicas = Member(spec, "pytorchReplicaSpecs");
  if (!replicas.is_object() || replicas.empty()) return base::InvalidField("pytorchReplicaSpecs", "has no replicas");
  for (const auto& [role, replica] : replicas.items()) {
    const std::string field = fmt::format("pytorchReplicaSpecs.{}", role);
    const auto pods = CountOf(replica, "replicas", 1, "pods");
    if (!pods.ok()) return base::AtField(field, pods.status());
    RETURN_IF_ERROR(base::AtField(field + ".template.spec", AddGroup(Member(Member(replica, "template"), "spec"),
                                                                     fmt::format("/spec/pytorchReplicaSpecs/{}/template/spec", Escaped(role)), *pods, workload)));
  }
  return base::AtField("runPolicy", ReadTimeLimit(Member(spec, "runPolicy"), "/spec/runPolicy", workload));
}

absl::Status ReadJobSet(const json& spec, Workload& workload) {
  const json& jobs = Member(spec, "replicatedJobs");
  if (!jobs.is_array() || jobs.empty()) return base::InvalidField("replicatedJobs", "has no jobs");
  for (size_t i = 0; i < jobs.size(); ++i) {
    const auto read = [&]() -> absl::Status {
      ASSIGN_OR_RETURN(const int64_t replicas, CountOf(jobs[i], "replicas", 1, "jobs"));
      const json& job = Member(Member(jobs[i], "template"), "spec");
      const auto parallelism = PodsOfJob(job);
      if (!parallelism.ok()) return base::AtField("template.spec", parallelism.status());
      if (replicas * *parallelism > kMost) return base::InvalidField("replicas", "makes more than 1,000,000 pods");
      return base::AtField("template.spec.template.spec",
                           AddGroup(Member(Member(job, "template"), "spec"), fmt::format("/spec/replicatedJobs/{}/template/spec/template/spec", i),
                                    replicas * *parallelism, workload));
    };
    RETURN_IF_ERROR(base::AtField(fmt::format("replicatedJobs[{}]", i), read()));
  }
  return absl::OkStatus();
}

}  // namespace

int64_t Workload::gpus() const {
  int64_t sum = 0;
  for (const PodGroup& group : groups) sum += group.pods * group.gpus;
  return sum;
}

std::string Workload::gpu_product() const {
  std::optional<std::string> product;
  for (const PodGroup& group : groups) {
    if (group.gpus == 0 || group.pods == 0) continue;
    if (product.has_value() && *product != group.gpu_product) return "";
    product = group.gpu_product;
  }
  return product.value_or("");
}

absl::StatusOr<std::optional<Workload>> ReadWorkload(const json& object) {
  Workload workload{.kind = TextOf(Member(object, "kind"))};
  const std::string api = TextOf(Member(object, "apiVersion"));
  const std::string group = api.substr(0, api.find('/'));
  absl::Status (*read)(const json&, Workload&) = nullptr;
  if (workload.kind == "Job" && group == "batch") read = ReadJob;
  if (workload.kind == "PyTorchJob" && group == "kubeflow.org") read = ReadPyTorchJob;
  if (workload.kind == "JobSet" && group == "jobset.x-k8s.io") read = ReadJobSet;
  if (read == nullptr) return std::nullopt;

  const json& metadata = Member(object, "metadata");
  const json& annotations = Member(metadata, "annotations");
  if (!annotations.is_object()) return std::nullopt;
  for (const auto& [name, value] : annotations.items()) {
    if (name.starts_with(kPrefix)) workload.words.emplace(name.substr(kPrefix.size()), TextOf(value));
  }
  if (!workload.words.contains("model")) return std::nullopt;
  for (const auto& [word, value] : workload.words) {
    if (value.empty()) return base::InvalidField(fmt::format("metadata.annotations.{}{}", kPrefix, word), "is empty");
  }
  workload.name_space = TextOf(Member(metadata, "namespace"));
  std::string name = TextOf(Member(metadata, "name"));
  if (name.empty()) name = TextOf(Member(metadata, "generateName"));
  workload.name = workload.name_space.empty() ? name : fmt::format("{}/{}", workload.name_space, name);
  RETURN_IF_ERROR(base::AtField("spec", read(Member(object, "spec"), workload)));
  return workload;
}

}  // namespace planner::kubernetes
