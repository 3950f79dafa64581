#include "clients/plannerctl/slurm_gate.h"

#include <algorithm>
#include <utility>

#include "clients/plannerctl/bounded_file.h"
#include "clients/plannerctl/planner_calls.h"
#include "clients/slurm/submission.h"
#include "clients/slurm/wire.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

/// Advice comes before the submission, which waits too: both must end within what a user has patience for.
constexpr absl::Duration kAdviceBudget = absl::Milliseconds(50);

}  // namespace

absl::StatusOr<std::unique_ptr<SlurmGate>> SlurmGate::Open(slurm::Policy policy, absl::Duration budget,
                                                           Session& session) {
  // Somebody waits who has no time: what is not there at once is not there.
  ASSIGN_OR_RETURN(auto client, session.NewClient(budget, {.most_rounds = 1}));
  return std::unique_ptr<SlurmGate>(new SlurmGate(std::move(policy), budget, std::move(client)));
}

SlurmGate::SlurmGate(slurm::Policy policy, absl::Duration budget, std::unique_ptr<cpp::Client> client)
    : budget_(budget), client_(std::move(client)), policy_(std::make_shared<const slurm::Policy>(std::move(policy))) {}

void SlurmGate::SetPolicy(slurm::Policy policy) {
  auto shared = std::make_shared<const slurm::Policy>(std::move(policy));
  base::MutexLock lock(mutex_);
  policy_ = std::move(shared);
}

std::shared_ptr<const slurm::Policy> SlurmGate::policy() const {
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

slurm::Decision SlurmGate::Decide(const slurm::Fields& fields) const {
  const std::shared_ptr<const slurm::Policy> rules = policy();
  const bool is_advice = slurm::ValueOf(fields, "advice") == "1";
  const absl::Time end = base::Clock::Real().Now() + (is_advice ? std::min(budget_, kAdviceBudget) : budget_);
  const slurm::PlannerCalls planner = CallsOf(*client_, end, rules->model_folders);
  return slurm::Decide(*rules, slurm::ReadSubmission(fields), std::string(slurm::ValueOf(fields, "partition")), planner);
}

std::string SlurmGate::Answer(const std::string& question, bool is_advice) const {
  absl::StatusOr<slurm::Fields> fields = slurm::Decode(question);
  if (!fields.ok()) {
    return slurm::Encode(slurm::FieldsOf({.reason = "the question " + std::string(fields.status().message())}));
  }
  if (is_advice) fields->insert(fields->begin(), {"advice", "1"});
  return slurm::Encode(slurm::FieldsOf(Decide(*fields)));
}

absl::StatusOr<slurm::Policy> ReadPolicy(const std::string& path, std::istream& standard_input) {
  if (path.empty()) return slurm::Policy();
  ASSIGN_OR_RETURN(const std::string text, ReadBoundedFile(path, standard_input, slurm::kMaxPolicyBytes));
  absl::StatusOr<slurm::Policy> policy = slurm::ParsePolicy(text);
  if (!policy.ok())
    return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(policy.status().message())));
  return policy;
}

}  // namespace planner::plannerctl
