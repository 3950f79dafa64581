#pragma once

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "plugins/libtorch/worker/descriptor.h"

namespace planner::libtorch {

/// A counter of free places that threads wait for. Thread-safe.
class Gate {
 public:
  /// Starts with `places` free ones.
  explicit Gate(int places);

  /// Takes a place, when one is free. False if none is by `deadline`.
  bool Take(absl::Time deadline, const base::Clock& clock) const;
  /// Takes every place that is free now, without waiting.
  void TakeAll() const;
  /// Waits for a free place without taking it. False if none is by `deadline`.
  bool Wait(absl::Time deadline, const base::Clock& clock) const;
  void Give() const;

 private:
  bool TakeNow() const;

  Descriptor event_;
};

/// As poll's timeout: milliseconds until `deadline`, rounded up, at least 0.
int PollTimeout(absl::Time deadline, const base::Clock& clock);

}  // namespace planner::libtorch
