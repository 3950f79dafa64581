#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace planner::kubernetes {

/// What a round of a queue has seen: the plans of trainings that are there, and of those that are there and over.
struct SeenPlans {
  std::set<std::string> live;
  std::set<std::string> over;
};

/// Whose plan has GPUs that nobody uses any more, by what was seen from round to round: of trainings that are over; and of those that were live
/// and have been deleted, `patience` later, since Kueue makes a workload anew when its job changes. A plan that another training has is not meant.
class HeldPlans {
 public:
  explicit HeldPlans(absl::Duration patience) : patience_(patience) {}

  /// Plans whose GPUs are to be given back, in their order; each again in every round until it was Settled.
  std::vector<std::string> Unused(const SeenPlans& seen, absl::Time now);
  /// Nothing more is to be done about the plan, until a training has it again.
  void Settle(const std::string& plan);

 private:
  const absl::Duration patience_;
  std::map<std::string, absl::Time> last_seen_;  ///< Of live ones.
  std::set<std::string> settled_;                ///< Of those that are over and still listed.
};

}  // namespace planner::kubernetes
