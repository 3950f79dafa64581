#pragma once

#include <deque>
#include <list>
#include <string>

#include "absl/time/time.h"

namespace planner::plugin_host {

/// When a plugin may be started again. The first restart is at once, then after 1, 2, 4, … seconds, 30 at most; with `limit` ends
/// within `window` it stays down until one of them is older than that. Not thread-safe.
class CrashHistory {
 public:
  /// `limit` 0: it never stays down (a plugin on another host, whose network may be gone for a while).
  CrashHistory(int limit, absl::Duration window) : limit_(limit), window_(window) {}

  void Add(absl::Time now);
  /// Ends within the window.
  int Count(absl::Time now) const;
  bool Down(absl::Time now) const { return limit_ > 0 && Count(now) >= limit_; }
  /// When it may be started, unless it is down.
  absl::Time NextStart(absl::Time now) const;
  int limit() const { return limit_; }

 private:
  const int limit_;
  const absl::Duration window_;
  std::deque<absl::Time> ends_;
};

/// Which models have ended plugins, by digest. Remembers the last 1,024. Not thread-safe.
class Blame {
 public:
  void Add(const std::string& digest);
  int Of(const std::string& digest) const;

 private:
  struct Entry {
    std::string digest;
    int count = 0;
  };
  std::list<Entry> entries_;  // The last one blamed first.
};

}  // namespace planner::plugin_host
