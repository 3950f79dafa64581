#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/clock.h"

namespace spdlog {
class logger;
namespace sinks {
class sink;
}  // namespace sinks
}  // namespace spdlog

namespace planner::telemetry {

enum class Level { kInfo, kWarning, kError };

/// A key and its value; the keys are ours, the values may be anything.
using Field = std::pair<std::string_view, std::string>;

/// `key=value` pairs on one line: {{"event", "listening"}, {"path", "a b"}} -> `event=listening path="a b"`.
/// A value with blanks, quotes, "=" or control characters is quoted and escaped, so that no request can
/// write a line of its own into a log.
std::string Logfmt(std::initializer_list<Field> fields);

/// The daemon's log: `ts=2026-01-01T00:00:00.000Z level=info event=listening …`. Thread-safe.
class Log {
 public:
  /// To standard error, without waiting for whoever reads it (UnwaitingSink).
  explicit Log(const base::Clock& clock);
  /// To a sink of one's own, for tests.
  Log(const base::Clock& clock, std::shared_ptr<spdlog::sinks::sink> sink);
  ~Log();

  void Write(Level level, std::initializer_list<Field> fields);

 private:
  const base::Clock& clock_;
  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace planner::telemetry
