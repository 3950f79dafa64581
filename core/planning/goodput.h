#pragma once

namespace planner::planning {

/// What failures cost a long training: a factor beside the training time, never in it.
struct Goodput {
  double ratio = 1;                         ///< Useful time over elapsed time.
  double seconds_between_failures = 0;      ///< Of the whole job.
  double checkpoint_interval_seconds = 0;   ///< Of useful work between two checkpoints.
  double checkpoint_seconds = 0;            ///< That training stands still for one.
  double restart_seconds = 0;               ///< From a failure to training again, lost work apart.
};

/// Card hours between two failures that stop a job, of any cause: 419 in 54 days on 16,384 H100 (Llama 3, 2407.21783, section
/// 3.3.4) are one in 50,700 card hours.
inline constexpr double kCardSecondsBetweenFailures = 54 * 86400.0 * 16384 / 419;
/// A failure is noticed, the job placed again, libraries and the checkpoint loaded.
inline constexpr double kRestartSeconds = 600;
/// Each card writes its share of a checkpoint to storage at this rate; a coordinated save takes some seconds at least.
inline constexpr double kCheckpointBytesPerSecond = 1e9;
inline constexpr double kLeastCheckpointSeconds = 5;

/// `checkpoint_bytes_per_gpu`: weights and optimizer of a card, each state saved once. Checkpoints at the best interval of
/// Young, t = sqrt(2 c M); elapsed time by Daly (Future Generation Computer Systems 22, 2006), for failures without memory:
/// M e^(R/M) (e^((t + c)/M) - 1) for each t of useful work. Llama 3 405B on 16,384 H100, 0.35 GB a card: M 3.09 h, c 5 s, t 334 s,
/// R 600 s: 0.919 (the authors report over 0.90).
Goodput GoodputOf(double gpus, double checkpoint_bytes_per_gpu);

}  // namespace planner::planning
