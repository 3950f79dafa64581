#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace planner::utilization {

/// How many GPUs were measured in the last minutes, and how many of them were in use by their newest samples. Each step costs the same, however
/// many there are. Not safe for concurrent use.
class RecentGpus {
 public:
  struct Count {
    int64_t measured = 0;
    int64_t occupied = 0;
  };

  /// Whole minutes. Remembers `most_gpus`; with one more it begins anew.
  explicit RecentGpus(size_t most_gpus = 500'000, int64_t minutes = 5) : most_gpus_(most_gpus), minutes_(minutes) {}

  /// `gpu` stands for one GPU. A sample that is older than the GPU's newest one changes nothing.
  void Add(uint64_t gpu, absl::Time time, bool is_occupied);
  /// Of the minute of `now`, those before it in the window, and what comes from clocks that are ahead.
  Count At(absl::Time now) const;

 private:
  struct Last {
    absl::Time time;
    bool is_occupied = false;
  };

  const size_t most_gpus_;
  const int64_t minutes_;
  absl::flat_hash_map<uint64_t, Last> last_;
  std::map<int64_t, Count> counts_;  ///< GPUs by the minute of their newest sample; empty ones are left out.
};

}  // namespace planner::utilization
