#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "planner/v1/plan_service.pb.h"

namespace planner::kubernetes {

/// What a queue is told about a training.
struct CheckAnswer {
  std::string state;    ///< Kueue's: "Ready", "Pending", "Rejected".
  std::string message;  ///< For people.
};

/// By a plan after it was confirmed, or the error of that:
///   - it holds GPUs from now on, or holds none because it is of no cluster: Ready
///   - it holds them from later on: Pending
///   - they are taken, or the quota is: Pending; they may be given back
///   - it is infeasible, or its deadline cannot be kept any more: Rejected
///   - it is gone, was cancelled, or is of a cluster that has changed since: Ready, for there is nothing to wait for
/// Nothing: the planner has not answered.
std::optional<CheckAnswer> AnswerOf(const std::string& name, const absl::StatusOr<v1::Plan>& plan, absl::Time now);

/// Whether it has GPUs now or later on.
bool HoldsGpus(const v1::Plan& plan, absl::Time now);

}  // namespace planner::kubernetes
