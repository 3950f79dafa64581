#include "services/plugin_host/crash_history.h"

#include <algorithm>
#include <iterator>

namespace planner::plugin_host {
namespace {

constexpr size_t kMaxEnds = 64;
constexpr size_t kMaxDigests = 1024;
constexpr absl::Duration kLongestDelay = absl::Seconds(30);

}  // namespace

void CrashHistory::Add(absl::Time now) {
  ends_.push_back(now);
  if (ends_.size() > kMaxEnds) ends_.pop_front();
}

int CrashHistory::Count(absl::Time now) const {
  return static_cast<int>(
      std::count_if(ends_.begin(), ends_.end(), [&](absl::Time end) { return now - end < window_; }));
}

absl::Time CrashHistory::NextStart(absl::Time now) const {
  const int count = Count(now);
  if (count <= 1) return now;
  absl::Duration delay = absl::Seconds(1);
  for (int i = 2; i < count && delay < kLongestDelay; ++i) delay *= 2;
  return ends_.back() + std::min(delay, kLongestDelay);
}

void Blame::Add(const std::string& digest) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.digest == digest; });
  if (found == entries_.end()) {
    entries_.push_front({digest, 1});
    if (entries_.size() > kMaxDigests) entries_.pop_back();
    return;
  }
  ++found->count;
  entries_.splice(entries_.begin(), entries_, found);
}

int Blame::Of(const std::string& digest) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.digest == digest; });
  return found == entries_.end() ? 0 : found->count;
}

}  // namespace planner::plugin_host
