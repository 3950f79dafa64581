#include "clients/kubernetes/held_plans.h"

namespace planner::kubernetes {

std::vector<std::string> HeldPlans::Unused(const SeenPlans& seen, absl::Time now) {
  for (const std::string& plan : seen.live) {
    last_seen_[plan] = now;
    settled_.erase(plan);
  }
  std::erase_if(settled_, [&](const std::string& plan) { return !seen.over.contains(plan); });
  std::set<std::string> unused;
  for (const std::string& plan : seen.over) {
    if (!seen.live.contains(plan) && !settled_.contains(plan)) unused.insert(plan);
  }
  for (const auto& [plan, last] : last_seen_) {
    if (!seen.live.contains(plan) && !settled_.contains(plan) && now - last >= patience_) unused.insert(plan);
  }
  return {unused.begin(), unused.end()};
}

void HeldPlans::Settle(const std::string& plan) {
  last_seen_.erase(plan);
  settled_.insert(plan);
}

}  // namespace planner::kubernetes
