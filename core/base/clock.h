#pragma once

#include "absl/time/time.h"

namespace planner::base {

/// Where time comes from. Everything that needs "now" takes a Clock&, so tests and golden plans fix
/// it.
class Clock {
 public:
  virtual ~Clock() = default;
  /// The current time. Thread-safe.
  virtual absl::Time Now() const = 0;

  /// The machine's clock, for main functions.
  static const Clock& Real();
};

}  // namespace planner::base
