#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "clients/cpp/client.h"
#include "clients/jobs/decision.h"

namespace planner::plannerctl {

/// How the plan of a job is made.
struct PlanCreation {
  std::string request_id;  ///< The same for the same job, however often it is asked about; empty: a new one each time.
  bool validate_only = false;  ///< Nothing is kept.
};

/// What a decision asks of the planner, over `client` and until `end`, which both outlive it.
jobs::PlannerCalls CallsOf(cpp::Client& client, absl::Time end, const std::vector<std::string>& model_folders,
                           PlanCreation creation = {});

}  // namespace planner::plannerctl
