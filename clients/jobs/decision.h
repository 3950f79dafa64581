#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/jobs/job.h"
#include "clients/jobs/policy.h"
#include "planner/v1/estimate.pb.h"
#include "planner/v1/plan_service.pb.h"

namespace planner::jobs {

/// What becomes of a job.
enum class Action {
  kLeave,   ///< Nothing of the planner's business.
  kAccept,  ///< Planned; with what the fields beside say.
  kRefuse,
};

struct Decision {
  Action action = Action::kLeave;
  std::string plan;                           ///< "plans/…"; empty: none was made.
  std::optional<int64_t> time_limit_minutes;  ///< To be set.
  std::optional<GpuRequest> gpus;             ///< To be set.
  std::optional<int64_t> nodes;               ///< To be set.
  std::vector<std::string> messages;          ///< To the user, a line each.
  std::string reason;                         ///< For the log: why it was left alone, or what failed.
  bool has_failed = false;                    ///< The planner did not answer: the policy's on_failure has decided.
};

/// The planner, as far as a decision needs it. Errors as its API's: UNAVAILABLE and DEADLINE_EXCEEDED mean that nobody has answered.
struct PlannerCalls {
  std::function<absl::StatusOr<v1::EstimateResponse>(const v1::EstimateRequest&)> estimate;
  std::function<absl::StatusOr<v1::Plan>(const v1::EstimateRequest&, const std::string& description)> create_plan;
  /// Forgets a plan that nobody will use. That it fails matters to nobody.
  std::function<void(const std::string& name)> delete_plan;
  std::function<absl::StatusOr<v1::Plan>(const std::string& name)> get_plan;
  /// A job's words as a request, without resources. INVALID_ARGUMENT with the word.
  std::function<absl::StatusOr<v1::EstimateRequest>(const JobWords&)> build_request;
};

/// Decides about one job. Rules:
///   1. No GPUs, no word to the planner, or mode off: left alone, and the planner is not asked.
///   2. A job that says "fixed" is changed and refused in nothing; it is planned, so that its run can be compared.
///   3. "plan=plans/…" names a plan that was made before: nothing is planned anew.
///   4. Only what `change` allows is changed, and never in mode advise. Only mode enforce refuses.
///   5. What the user has written wrongly (an unknown model, two types of GPUs) refuses in mode enforce and is said otherwise.
///   6. Where nobody answers, on_failure decides in every mode.
/// Asks the planner once where the job can be as it is, and at most four times.
Decision Decide(const Policy& policy, const Job& job, const PlannerCalls& planner);

/// The same for what may not be readable: an error of `job` is one of its user's (rule 5).
Decision Decide(const Policy& policy, const absl::StatusOr<Job>& job, const std::string& partition,
                const PlannerCalls& planner);

}  // namespace planner::jobs
