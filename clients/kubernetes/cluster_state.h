#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::kubernetes {

/// A node with GPUs as the API server tells of it.
struct NodeState {
  std::string name;
  std::string gpu_product;  ///< The label nvidia.com/gpu.product (amd.com/gpu.product-name); empty: it has none.
  int64_t gpus = 0;         ///< That pods may have.
  bool is_ready = true;     ///< Condition Ready.
  bool is_cordoned = false;
  std::string reason;       ///< Why it is not ready.
};

/// A pod that has GPUs of a node.
struct PodState {
  std::string name;  ///< With its namespace: "team/train-0".
  std::string name_space;
  std::string node;
  int64_t gpus = 0;
  std::optional<absl::Time> end;  ///< By activeDeadlineSeconds.
  std::string plan;               ///< "plans/…" of PLANNER_PLAN in its environment; empty: none.
};

/// What a Node is; nothing: it has no GPUs. A GPU that is shared counts once (nvidia.com/gpu.count), also where it is offered several times.
/// INVALID_ARGUMENT with the path in the object.
absl::StatusOr<std::optional<NodeState>> ReadNode(const nlohmann::json& node);

/// What a Pod is; nothing: it has no GPUs, is on no node yet, or has ended. INVALID_ARGUMENT with the path in the object.
absl::StatusOr<std::optional<PodState>> ReadPod(const nlohmann::json& pod);

}  // namespace planner::kubernetes
