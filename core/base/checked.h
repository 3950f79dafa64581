#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace planner::base {

/// An exact 64-bit count whose arithmetic never wraps: a result that does not fit makes it, and
/// everything computed from it, overflowed, and `Value()` says so. `(Checked(1) << 62) * 4`
/// overflows; `Checked(3) * 4 + 1` is 13.
class Checked {
 public:
  constexpr Checked() = default;
  constexpr Checked(int64_t value) : value_(value) {}  // NOLINT(google-explicit-constructor): a number is a count.

  constexpr bool overflowed() const { return overflowed_; }

  /// The count, or OUT_OF_RANGE with `what` in its text.
  absl::StatusOr<int64_t> Value(const char* what = "count") const {
    if (overflowed_) return absl::OutOfRangeError(std::string(what) + " does not fit 64 bits");
    return value_;
  }

  /// The count; 0 if it overflowed. For where overflow was already excluded.
  constexpr int64_t ValueOrZero() const { return overflowed_ ? 0 : value_; }

  constexpr Checked& operator+=(Checked other) {
    overflowed_ = __builtin_add_overflow(value_, other.value_, &value_) || overflowed_ || other.overflowed_;
    return *this;
  }
  constexpr Checked& operator-=(Checked other) {
    overflowed_ = __builtin_sub_overflow(value_, other.value_, &value_) || overflowed_ || other.overflowed_;
    return *this;
  }
  constexpr Checked& operator*=(Checked other) {
    overflowed_ = __builtin_mul_overflow(value_, other.value_, &value_) || overflowed_ || other.overflowed_;
    return *this;
  }
  friend constexpr Checked operator+(Checked a, Checked b) { return a += b; }
  friend constexpr Checked operator-(Checked a, Checked b) { return a -= b; }
  friend constexpr Checked operator*(Checked a, Checked b) { return a *= b; }
  friend constexpr bool operator==(Checked a, Checked b) = default;

 private:
  int64_t value_ = 0;
  bool overflowed_ = false;
};

}  // namespace planner::base
