#include "clients/cpp/retry.h"

#include <algorithm>

#include "clients/cpp/status.h"

namespace planner::cpp {

std::optional<absl::Duration> Retry::After(const absl::Status& status, absl::Time now) {
  if (!absl::IsUnavailable(status) && !absl::IsResourceExhausted(status)) return std::nullopt;
  absl::Duration wait = absl::ZeroDuration();
  if (++tries_ % addresses_ == 0) {
    if (tries_ >= addresses_ * static_cast<size_t>(std::max(1, options_.most_rounds))) return std::nullopt;
    wait = std::max(wait_ * (0.5 + 0.5 * random_()), RetryDelayOf(status) * (1 + 0.5 * random_()));
    wait_ = std::min(wait_ * options_.growth, options_.longest_wait);
  }
  if (now + wait >= deadline_) return std::nullopt;
  return wait;
}

}  // namespace planner::cpp
