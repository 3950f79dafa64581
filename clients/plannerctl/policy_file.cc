#include "clients/plannerctl/policy_file.h"

#include "clients/plannerctl/bounded_file.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {

absl::StatusOr<jobs::Policy> ReadPolicy(const std::string& path, std::istream& standard_input) {
  if (path.empty()) return jobs::Policy();
  ASSIGN_OR_RETURN(const std::string text, ReadBoundedFile(path, standard_input, jobs::kMaxPolicyBytes));
  absl::StatusOr<jobs::Policy> policy = jobs::ParsePolicy(text);
  if (!policy.ok())
    return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(policy.status().message())));
  return policy;
}

}  // namespace planner::plannerctl
