#pragma once

#include <string>

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

}  // namespace planner::server
