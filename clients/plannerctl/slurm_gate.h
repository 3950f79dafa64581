#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/client.h"
#include "clients/jobs/decision.h"
#include "clients/jobs/policy.h"
#include "clients/plannerctl/session.h"
#include "clients/slurm/wire.h"
#include "core/base/mutex.h"

namespace planner::plannerctl {

/// Decides about jobs by a policy and with a planner. Thread-safe but for SetPolicy's own caller.
class SlurmGate {
 public:
  /// `budget` is how long the planner may take for one job, all calls together.
  static absl::StatusOr<std::unique_ptr<SlurmGate>> Open(jobs::Policy policy, absl::Duration budget, Session& session);

  /// Makes the connection and has the planner think once, so that the first job does not wait for that. Whether it has answered.
  absl::Status WarmUp(absl::Duration within) const;

  jobs::Decision Decide(const slurm::Fields& fields) const;
  /// The answer to a message of job_submit.lua or cli_filter.lua. What is no message is left alone, and said to be none. `is_advice`: whoever
  /// asks may be any user, so that nothing is kept.
  std::string Answer(const std::string& question, bool is_advice) const;

  void SetPolicy(jobs::Policy policy);
  std::shared_ptr<const jobs::Policy> policy() const;

 private:
  SlurmGate(jobs::Policy policy, absl::Duration budget, std::unique_ptr<cpp::Client> client);

  const absl::Duration budget_;
  const std::unique_ptr<cpp::Client> client_;
  mutable base::Mutex mutex_;
  std::shared_ptr<const jobs::Policy> policy_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::plannerctl
