#include "clients/kubernetes/cluster_state.h"

#include <algorithm>

#include "clients/kubernetes/pod_gpus.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

constexpr char kPlanVariable[] = "PLANNER_PLAN";

absl::StatusOr<int64_t> GpusOfNode(const json& node) {
  // Time slicing offers each GPU several times; discovery counts them.
  const auto counted = CountOf(Member(Member(node, "metadata"), "labels"), "nvidia.com/gpu.count", 0, "GPUs");
  if (!counted.ok()) return base::AtField("metadata.labels", counted.status());
  const json& allocatable = Member(Member(node, "status"), "allocatable");
  int64_t offered = 0;
  for (const char* const resource : {"nvidia.com/gpu", "amd.com/gpu"}) {
    const auto count = CountOf(allocatable, resource, 0, "GPUs");
    if (!count.ok()) return base::AtField("status.allocatable", count.status());
    offered += *count;
  }
  return *counted > 0 ? std::min(*counted, offered) : offered;
}

std::string PlanOf(const json& containers) {
  if (!containers.is_array()) return "";
  for (const json& container : containers) {
    const json& environment = Member(container, "env");
    if (!environment.is_array()) continue;
    for (const json& variable : environment) {
      if (TextOf(Member(variable, "name")) == kPlanVariable) return TextOf(Member(variable, "value"));
    }
  }
  return "";
}

}  // namespace

absl::StatusOr<std::optional<NodeState>> ReadNode(const json& node) {
  const json& metadata = Member(node, "metadata");
  NodeState state{.name = TextOf(Member(metadata, "name"))};
  if (state.name.empty()) return base::InvalidField("metadata.name", "is missing");
  ASSIGN_OR_RETURN(state.gpus, GpusOfNode(node));
  const json& labels = Member(metadata, "labels");
  for (const char* const label : {"nvidia.com/gpu.product", "amd.com/gpu.product-name"}) {
    if (state.gpu_product.empty()) state.gpu_product = TextOf(Member(labels, label));
  }
  // A node whose device plugin is down offers none for a while, and is still one with GPUs.
  if (state.gpus == 0) {
    const auto counted = CountOf(labels, "nvidia.com/gpu.count", 0, "GPUs");
    if (!counted.ok() || *counted == 0) return std::nullopt;
    state.gpus = *counted;
    state.is_ready = false;
    state.reason = "offers no GPUs";
  }
  const json& unschedulable = Member(Member(node, "spec"), "unschedulable");
  state.is_cordoned = unschedulable.is_boolean() && unschedulable.get<bool>();
  const json& conditions = Member(Member(node, "status"), "conditions");
  if (!conditions.is_array()) return state;
  for (const json& condition : conditions) {
    if (TextOf(Member(condition, "type")) != "Ready" || TextOf(Member(condition, "status")) == "True") continue;
    state.is_ready = false;
    state.reason = TextOf(Member(condition, "reason"));
  }
  return state;
}

absl::StatusOr<std::optional<PodState>> ReadPod(const json& pod) {
  const json& metadata = Member(pod, "metadata");
  const json& spec = Member(pod, "spec");
  const json& status = Member(pod, "status");
  PodState state{.name_space = TextOf(Member(metadata, "namespace")), .node = TextOf(Member(spec, "nodeName"))};
  state.name = state.name_space + "/" + TextOf(Member(metadata, "name"));
  const std::string phase = TextOf(Member(status, "phase"));
  if (state.node.empty() || phase == "Succeeded" || phase == "Failed") return std::nullopt;
  const auto gpus = GpusOfPod(spec);
  if (!gpus.ok()) return base::AtField("spec", gpus.status());
  if (*gpus == 0) return std::nullopt;
  state.gpus = *gpus;
  state.plan = PlanOf(Member(spec, "containers"));
  const json& deadline = Member(spec, "activeDeadlineSeconds");
  absl::Time start;
  std::string unused;
  // Beyond the years that a time has it is no end.
  constexpr int64_t kLongest = int64_t{1000} * 365 * 86400;
  if (deadline.is_number_integer() && deadline.get<int64_t>() > 0 && deadline.get<int64_t>() < kLongest &&
      absl::ParseTime(absl::RFC3339_full, TextOf(Member(status, "startTime")), &start, &unused)) {
    state.end = start + absl::Seconds(deadline.get<int64_t>());
  }
  return state;
}

}  // namespace planner::kubernetes
