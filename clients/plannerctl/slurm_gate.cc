#include "clients/plannerctl/slurm_gate.h"

#include <algorithm>
#include <utility>

#include "clients/plannerctl/planner_calls.h"
#include "clients/slurm/answer.h"
#include "clients/slurm/submission.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

/// Advice comes before the submission, which waits too: both must end within what a user has patience for.
constexpr absl::Duration kAdviceBudget = absl::Milliseconds(50);

}  // namespace

absl::StatusOr<std::unique_ptr<SlurmGate>> SlurmGate::Open(jobs::Policy policy, absl::Duration budget,
                                                           Session& session) {
  // Somebody waits who has no time: what is not there at once is not there.
  ASSIGN_OR_RETURN(auto client, session.NewClient(budget, {.most_rounds = 1}));
  return std::unique_ptr<SlurmGate>(new SlurmGate(std::move(policy), budget, std::move(client)));
}

SlurmGate::SlurmGate(jobs::Policy policy, absl::Duration budget, std::unique_ptr<cpp::Client> client)
    : budget_(budget), client_(std::move(client)), policy_(std::make_shared<const jobs::Policy>(std::move(policy))) {}

void SlurmGate::SetPolicy(jobs::Policy policy) {
  auto shared = std::make_shared<const jobs::Policy>(std::move(policy));
  base::MutexLock lock(mutex_);
  policy_ = std::move(shared);
}

std::shared_ptr<const jobs::Policy> SlurmGate::policy() const {
  base::MutexLock lock(mutex_);
  return policy_;
}

absl::Status SlurmGate::WarmUp(absl::Duration within) const {
  v1::EstimateRequest request;
  request.mutable_model()->set_preset("gpt2");
  request.mutable_resources()->set_min_gpus(1);
  request.mutable_resources()->set_max_gpus(1);
  return client_->CallBy(base::Clock::Real().Now() + within, &v1::EstimationService::Stub::Estimate, request).status();
}

jobs::Decision SlurmGate::Decide(const slurm::Fields& fields) const {
  const std::shared_ptr<const jobs::Policy> rules = policy();
  const bool is_advice = slurm::ValueOf(fields, "advice") == "1";
  const absl::Time end = base::Clock::Real().Now() + (is_advice ? std::min(budget_, kAdviceBudget) : budget_);
  const jobs::PlannerCalls planner = CallsOf(*client_, end, rules->model_folders);
  return jobs::Decide(*rules, slurm::ReadSubmission(fields), std::string(slurm::ValueOf(fields, "partition")), planner);
}

std::string SlurmGate::Answer(const std::string& question, bool is_advice) const {
  absl::StatusOr<slurm::Fields> fields = slurm::Decode(question);
  if (!fields.ok()) {
    return slurm::Encode(slurm::FieldsOf({.reason = "the question " + std::string(fields.status().message())}));
  }
  if (is_advice) fields->insert(fields->begin(), {"advice", "1"});
  return slurm::Encode(slurm::FieldsOf(Decide(*fields)));
}

}  // namespace planner::plannerctl
