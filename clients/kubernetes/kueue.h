#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::kubernetes {

/// Kueue's API as this speaks it. Every version from 0.9 on serves it.
inline constexpr char kKueueVersion[] = "kueue.x-k8s.io/v1beta1";

/// An AdmissionCheck of Kueue's: what a queue waits for beside its quota.
struct AdmissionCheck {
  std::string name;
  bool is_active = false;  ///< Kueue waits for active checks only; another queue does not admit anything.
};

/// A check that `controller` answers; nothing: somebody else does. INVALID_ARGUMENT with the field.
absl::StatusOr<std::optional<AdmissionCheck>> ReadAdmissionCheck(const nlohmann::json& object, const std::string& controller);

/// A check of a training.
struct TrainingCheck {
  std::string name;
  std::string state;    ///< "Pending", "Ready", "Retry", "Rejected".
  std::string message;  ///< For people.
  std::string since;    ///< When it came into that state, as Kueue has it.
};

/// A training that has its quota and waits for checks of ours: one of Kueue's Workloads.
struct QueuedTraining {
  std::string name;
  std::string name_space;
  std::string version;             ///< Of the object: an answer to another one is refused by the API server.
  std::string plan;                ///< PLANNER_PLAN of its containers, "plans/…"; empty: it was not planned.
  absl::Time quota_time;           ///< Since when it has its quota.
  std::vector<TrainingCheck> checks;  ///< Ours, all of them; at least one is pending.
};

/// Reads a Workload. Nothing: it has no quota, is finished or switched off, or waits for none of `checks`. INVALID_ARGUMENT with the field.
absl::StatusOr<std::optional<QueuedTraining>> ReadQueuedTraining(const nlohmann::json& object, const std::set<std::string>& checks);

/// The plan of a Workload that any of `checks` has to do with.
struct PlannedWorkload {
  std::string plan;      ///< PLANNER_PLAN of its containers, "plans/…".
  bool is_over = false;  ///< Kueue has it finished.
};

/// Nothing: it has no plan or none of `checks`.
std::optional<PlannedWorkload> ReadPlannedWorkload(const nlohmann::json& object, const std::set<std::string>& checks);

/// Where the state of an object is written.
std::string StatusPath(const AdmissionCheck& check);
std::string StatusPath(const QueuedTraining& training);

/// To be applied there: the check is active.
nlohmann::json ActiveStatus(const AdmissionCheck& check, absl::Time now);

/// To be applied there: its pending checks are in `state`, with that message. Nothing where that is what they are already.
std::optional<nlohmann::json> AnsweredStatus(const QueuedTraining& training, const std::string& state, const std::string& message, absl::Time now);

}  // namespace planner::kubernetes
