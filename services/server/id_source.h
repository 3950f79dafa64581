#pragma once

#include <string>

#include "absl/time/time.h"

namespace planner::server {

/// Where parts of names that nobody has chosen come from.
class IdSource {
 public:
  virtual ~IdSource() = default;
  /// Eight hexadecimal digits, other ones with every call. Thread-safe.
  virtual std::string Next() = 0;

  /// Random ones.
  static IdSource& Random();
};

/// "20260101-000000-4f3a9c01": by time and chance.
std::string TimedId(absl::Time now, IdSource& ids);

}  // namespace planner::server
