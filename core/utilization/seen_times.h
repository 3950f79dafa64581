#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace planner::utilization {

/// Tells samples that come a second time, as after a stream that broke, from new ones: it remembers the times of the last few samples
/// of each GPU. Not safe for concurrent use.
class SeenTimes {
 public:
  enum class Answer {
    kNew,
    kRepeated,  ///< One of this time was taken.
    kTooOld,    ///< Older than all that is remembered of this GPU: it may have been taken.
  };
  /// So late may samples come, counted in newer ones of their GPU.
  static constexpr size_t kRemembered = 4;

  /// Remembers `most_gpus`. With one more it forgets all of them: 40 bytes a GPU are not to grow without end.
  explicit SeenTimes(size_t most_gpus) : most_gpus_(most_gpus) {}

  /// Takes the sample if it is new. `gpu` stands for one GPU.
  Answer Take(uint64_t gpu, absl::Time time);

 private:
  static constexpr int64_t kNone = INT64_MIN;
  using Times = std::array<int64_t, kRemembered>;  ///< Microseconds, the newest first; kNone: not so many yet.

  const size_t most_gpus_;
  absl::flat_hash_map<uint64_t, Times> times_;
};

}  // namespace planner::utilization
