#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::utilization {

/// What is measured of a GPU.
enum Metric : size_t { kBusy, kTensorActive, kMemoryActive, kMemoryUsedBytes, kPowerWatts, kMetricCount };

/// What one GPU did over some seconds; a metric that was not measured is absent.
struct Sample {
  absl::Time time;
  std::array<std::optional<double>, kMetricCount> values;
};

/// A mean that can be put together with others.
struct Total {
  double sum = 0;
  int64_t count = 0;

  void Add(double value) {
    sum += value;
    ++count;
  }
  void Merge(const Total& other) {
    sum += other.sum;
    count += other.count;
  }
  /// sum / count; absent: nothing was added.
  std::optional<double> Mean() const {
    return count == 0 ? std::nullopt : std::optional(sum / static_cast<double>(count));
  }
};

/// Samples of [start, start + length), put together: sums and counts, so that what several servers have seen, or several hours, add
/// up, in any order.
struct Summary {
  absl::Time start;
  absl::Duration length;
  int64_t sample_count = 0;
  absl::Time last_sample_time = absl::InfinitePast();  ///< Of the newest sample.
  std::array<Total, kMetricCount> totals;

  void Add(const Sample& sample);
  /// Takes in the samples of `other`; start and length stay.
  void Merge(const Summary& other);
};

/// The hour or day (UTC) that a moment is in: 07:59:59 -> 07:00:00.
absl::Time HourOf(absl::Time time);
absl::Time DayOf(absl::Time time);

/// A line of text, to be stored: "1 START LENGTH SAMPLES LAST SUM:COUNT…", times in seconds, the last one in microseconds, sums so that
/// the very same double comes back. The first number is the version of this form.
std::string Encode(const Summary& summary);
/// DATA_LOSS for anything that Encode did not write.
absl::StatusOr<Summary> Decode(std::string_view text);

}  // namespace planner::utilization
