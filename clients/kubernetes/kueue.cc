#include "clients/kubernetes/kueue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "clients/kubernetes/pod_gpus.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

/// What may stand in a path of the API server's.
absl::StatusOr<std::string> NameAt(const json& metadata, const std::string& field) {
  std::string name = TextOf(Member(metadata, field));
  const bool is_name = !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
  if (!is_name) return base::InvalidField("metadata." + field, fmt::format("is no name: value={}", Shown(Member(metadata, field))));
  return name;
}

const json& Condition(const json& object, const std::string& type) {
  static const json none;
  const json& conditions = Member(Member(object, "status"), "conditions");
  if (!conditions.is_array()) return none;
  for (const json& condition : conditions) {
    if (TextOf(Member(condition, "type")) == type) return condition;
  }
  return none;
}

bool IsTrue(const json& condition) { return TextOf(Member(condition, "status")) == "True"; }

/// The first PLANNER_PLAN in the environment of a container: the webhook has written it.
std::string PlanOf(const json& workload) {
  const json& groups = Member(Member(workload, "spec"), "podSets");
  if (!groups.is_array()) return "";
  for (const json& group : groups) {
    const json& containers = Member(Member(Member(group, "template"), "spec"), "containers");
    if (!containers.is_array()) continue;
    for (const json& container : containers) {
      const json& environment = Member(container, "env");
      if (!environment.is_array()) continue;
      for (const json& variable : environment) {
        if (TextOf(Member(variable, "name")) == "PLANNER_PLAN") return TextOf(Member(variable, "value"));
      }
    }
  }
  return "";
}

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

}  // namespace

absl::StatusOr<std::optional<AdmissionCheck>> ReadAdmissionCheck(const json& object, const std::string& controller) {
  if (TextOf(Member(Member(object, "spec"), "controllerName")) != controller) return std::optional<AdmissionCheck>();
  AdmissionCheck check;
  ASSIGN_OR_RETURN(check.name, NameAt(Member(object, "metadata"), "name"));
  check.is_active = IsTrue(Condition(object, "Active"));
  return check;
}

absl::StatusOr<std::optional<QueuedTraining>> ReadQueuedTraining(const json& object, const std::set<std::string>& checks) {
  const json& quota = Condition(object, "QuotaReserved");
  const json& active = Member(Member(object, "spec"), "active");
  if (!IsTrue(quota) || IsTrue(Condition(object, "Finished")) || active == json(false)) return std::optional<QueuedTraining>();

  QueuedTraining training;
  const json& states = Member(Member(object, "status"), "admissionChecks");
  if (!states.is_array()) return std::optional<QueuedTraining>();
  bool is_pending = false;
  for (const json& state : states) {
    TrainingCheck check{.name = TextOf(Member(state, "name")),
                        .state = TextOf(Member(state, "state")),
                        .message = TextOf(Member(state, "message")),
                        .since = TextOf(Member(state, "lastTransitionTime"))};
    if (!checks.contains(check.name)) continue;
    is_pending = is_pending || check.state == "Pending";
    training.checks.push_back(std::move(check));
  }
  if (!is_pending) return std::optional<QueuedTraining>();

  const json& metadata = Member(object, "metadata");
  ASSIGN_OR_RETURN(training.name, NameAt(metadata, "name"));
  ASSIGN_OR_RETURN(training.name_space, NameAt(metadata, "namespace"));
  training.version = TextOf(Member(metadata, "resourceVersion"));
  training.plan = PlanOf(object);
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, TextOf(Member(quota, "lastTransitionTime")), &training.quota_time, &error)) {
    training.quota_time = absl::InfinitePast();
  }
  return training;
}

std::optional<PlannedWorkload> ReadPlannedWorkload(const json& object, const std::set<std::string>& checks) {
  const json& states = Member(Member(object, "status"), "admissionChecks");
  const bool is_ours =
      states.is_array() && std::any_of(states.begin(), states.end(), [&](const json& state) { return checks.contains(TextOf(Member(state, "name"))); });
  PlannedWorkload workload{.plan = PlanOf(object), .is_over = IsTrue(Condition(object, "Finished"))};
  if (!is_ours || workload.plan.empty()) return std::nullopt;
  return workload;
}

std::string StatusPath(const AdmissionCheck& check) { return absl::StrCat("/apis/", kKueueVersion, "/admissionchecks/", check.name, "/status"); }

std::string StatusPath(const QueuedTraining& training) {
  return absl::StrCat("/apis/", kKueueVersion, "/namespaces/", training.name_space, "/workloads/", training.name, "/status");
}

json ActiveStatus(const AdmissionCheck& check, absl::Time now) {
  const json active = {{"type", "Active"}, {"status", "True"}, {"reason", "Active"}, {"message", "the planner is asked"}, {"lastTransitionTime", TimeText(now)}};
  return {{"apiVersion", kKueueVersion}, {"kind", "AdmissionCheck"}, {"metadata", {{"name", check.name}}}, {"status", {{"conditions", {active}}}}};
}

std::optional<json> AnsweredStatus(const QueuedTraining& training, const std::string& state, const std::string& message, absl::Time now) {
  bool is_new = false;
  // All of ours, also those that are as they were: what one's manager leaves out of what it applies, is removed.
  json checks = json::array();
  for (const TrainingCheck& check : training.checks) {
    TrainingCheck next = check;
    if (check.state == "Pending" && (check.state != state || check.message != message)) {
      is_new = true;
      next = {.name = check.name, .state = state, .message = message, .since = check.state == state ? check.since : TimeText(now)};
    }
    checks.push_back({{"name", next.name}, {"state", next.state}, {"message", next.message}, {"lastTransitionTime", next.since.empty() ? TimeText(now) : next.since}});
  }
  if (!is_new) return std::nullopt;
  json metadata = {{"name", training.name}, {"namespace", training.name_space}};
  if (!training.version.empty()) metadata["resourceVersion"] = training.version;
  return json{{"apiVersion", kKueueVersion}, {"kind", "Workload"}, {"metadata", std::move(metadata)}, {"status", {{"admissionChecks", std::move(checks)}}}};
}

}  // namespace planner::kubernetes
