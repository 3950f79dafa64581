#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::kubernetes {

/// Pods of one template.
struct PodGroup {
  std::string path;       ///< JSON pointer to the pod's spec in the object, "/spec/template/spec".
  int64_t pods = 1;       ///< That run at the same time.
  int64_t gpus = 0;       ///< Of each pod.
  std::string gpu_product;  ///< The node label nvidia.com/gpu.product that it selects; empty: any.
};

/// What a training asks of Kubernetes.
struct Workload {
  std::string kind;  ///< "Job", "PyTorchJob", "JobSet".
  std::string name;  ///< With its namespace, "team/train"; of one that is still to be named, "team/train-".
  std::string name_space;
  std::map<std::string, std::string> words;  ///< Annotations planner.io/NAME by NAME: "model", "tokens", "seq-len".
  std::vector<PodGroup> groups;              ///< At least one.
  std::optional<absl::Duration> time_limit;  ///< activeDeadlineSeconds of the whole.
  std::string time_limit_path;               ///< JSON pointer to the object that has activeDeadlineSeconds, or may get it.

  int64_t gpus() const;
  /// The product that all groups with GPUs select; empty: none, or not all the same.
  std::string gpu_product() const;
};

/// Reads a Job (batch/v1), PyTorchJob (kubeflow.org) or JobSet (jobset.x-k8s.io). GPUs are the limits, or else requests, of nvidia.com/gpu and
/// amd.com/gpu: of a pod the sum over its containers, or the largest of an init container. Nothing: another kind, or one without an annotation
/// planner.io/model. INVALID_ARGUMENT with a path in the object: "spec.template.spec.containers[0].resources.limits.nvidia.com/gpu: is no
/// number of GPUs: value="1500m"".
absl::StatusOr<std::optional<Workload>> ReadWorkload(const nlohmann::json& object);

}  // namespace planner::kubernetes
