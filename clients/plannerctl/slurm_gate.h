#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/client.h"
#include "clients/plannerctl/session.h"
#include "clients/slurm/decision.h"
#include "clients/slurm/policy.h"
#include "core/base/mutex.h"

namespace planner::plannerctl {

/// Decides about jobs by a policy and with a planner. Thread-safe but for SetPolicy's own caller.
class SlurmGate {
 public:
  /// `budget` is how long the planner may take for one job, all calls together.
  static absl::StatusOr<std::unique_ptr<SlurmGate>> Open(slurm::Policy policy, absl::Duration budget, Session& session);

  /// Makes the connection and has the planner think once, so that the first job does not wait for that. Whether it has answered.
  absl::Status WarmUp(absl::Duration within) const;

  slurm::Decision Decide(const slurm::Fields& fields) const;
  /// The answer to a message of job_submit.lua or cli_filter.lua. What is no message is left alone, and said to be none. `is_advice`: whoever
  /// asks may be any user, so that nothing is kept.
  std::string Answer(const std::string& question, bool is_advice) const;

  void SetPolicy(slurm::Policy policy);
  std::shared_ptr<const slurm::Policy> policy() const;

 private:
  SlurmGate(slurm::Policy policy, absl::Duration budget, std::unique_ptr<cpp::Client> client);

  const absl::Duration budget_;
  const std::unique_ptr<cpp::Client> client_;
  mutable base::Mutex mutex_;
  std::shared_ptr<const slurm::Policy> policy_ ABSL_GUARDED_BY(mutex_);
};

/// A policy from a file; the default one for "". INVALID_ARGUMENT with the file's name and the field.
absl::StatusOr<slurm::Policy> ReadPolicy(const std::string& path, std::istream& standard_input);

}  // namespace planner::plannerctl
