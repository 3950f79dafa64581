#include "core/planning/goodput.h"

#include <algorithm>
#include <cmath>

namespace planner::planning {

Goodput GoodputOf(double gpus, double checkpoint_bytes_per_gpu) {
  Goodput answer;
  const double between = kCardSecondsBetweenFailures / std::max(gpus, 1.0);
  answer.seconds_between_failures = between;
  answer.checkpoint_seconds =
      std::max(kLeastCheckpointSeconds, checkpoint_bytes_per_gpu / kCheckpointBytesPerSecond);
  answer.restart_seconds = kRestartSeconds;
  const double interval = std::sqrt(2 * answer.checkpoint_seconds * between);
  answer.checkpoint_interval_seconds = interval;
  const double elapsed = between * std::exp(kRestartSeconds / between) *
                         std::expm1((interval + answer.checkpoint_seconds) / between);
  answer.ratio = interval / elapsed;
  return answer;
}

}  // namespace planner::planning
