#pragma once

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/base/mutex.h"

namespace planner::telemetry {

/// Writes lines to a file descriptor, and never waits for whoever reads at its other end: a daemon whose log nobody reads goes on. What the
/// pipe does not take at once is kept, and goes out with the next line; beyond `most_kept_bytes` lines are lost, and a line says
/// how many as soon as there is room again. Thread-safe.
class UnwaitingSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  /// The descriptor must outlive the sink, and is not closed.
  explicit UnwaitingSink(int file, size_t most_kept_bytes = size_t{1} << 20) : file_(file), most_kept_bytes_(most_kept_bytes) {}
  /// Gives the reader a second for what is kept.
  ~UnwaitingSink() override;

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;  // NOLINT(readability-identifier-naming)
  void flush_() override {}                                         // NOLINT(readability-identifier-naming)

 private:
  /// Writes of what is kept whatever can be written within the time.
  void Write(int wait_milliseconds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(own_mutex_);

  const int file_;
  const size_t most_kept_bytes_;
  base::Mutex own_mutex_;
  std::string kept_ ABSL_GUARDED_BY(own_mutex_);
  int64_t lost_lines_ ABSL_GUARDED_BY(own_mutex_) = 0;
};

}  // namespace planner::telemetry
