#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "core/base/clock.h"

namespace planner::plugin_host {

/// Cuts what a program writes into lines for the log, and lets through no more than it can bear: 1,000 bytes a line and 100 lines
/// in ten seconds; how many were dropped is said with the next that passes. Not thread-safe.
class BoundedLines {
 public:
  static constexpr size_t kMaxLine = 1000;
  static constexpr int kMaxLines = 100;
  static constexpr absl::Duration kWindow = absl::Seconds(10);

  BoundedLines(std::function<void(std::string)> sink, const base::Clock& clock) : sink_(std::move(sink)), clock_(clock) {}

  void Write(std::string_view bytes);
  /// The last line, if nothing ended it.
  void Finish();

 private:
  void Emit();

  const std::function<void(std::string)> sink_;
  const base::Clock& clock_;
  std::string line_;
  bool cut_ = false;
  absl::Time window_start_ = absl::InfinitePast();
  int lines_ = 0;
  int64_t dropped_ = 0;
};

}  // namespace planner::plugin_host
