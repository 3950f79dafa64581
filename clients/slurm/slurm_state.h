#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::slurm {

/// GPUs of one type.
struct GpuCount {
  std::string type;  ///< Slurm's name; empty: it has none.
  int64_t count = 0;
};

/// A node as sinfo tells of it.
struct SlurmNode {
  enum class State { kReady, kDrained, kDown };
  std::string name;
  std::vector<GpuCount> gpus;
  int64_t gpus_used = 0;
  State state = State::kReady;
  std::string state_text;  ///< "IDLE+DRAIN".
  std::string reason;
};

/// A job as squeue tells of it.
struct SlurmJob {
  enum class State { kPending, kRunning, kCompleted, kFailed, kCancelled, kTimeout };
  int64_t id = 0;
  int64_t restarts = 0;
  std::string name, user, account, partition, cluster;
  State state = State::kPending;
  absl::Time start = absl::InfinitePast();  ///< InfinitePast: none.
  absl::Time end = absl::InfiniteFuture();  ///< Expected while it runs; InfiniteFuture: no limit.
  std::vector<std::string> nodes;           ///< What it runs on.
  std::vector<int64_t> gpus;                ///< Of each of the nodes, as many as there are nodes; empty: it has none.
  std::string admin_comment;
  std::string plan;         ///< "plans/…"; empty: that of admin_comment, if it has one.
  std::string description;  ///< Of what it has; empty: made of the above.
};

/// The largest answer of Slurm's commands that is read.
inline constexpr size_t kMaxSlurmJsonBytes = size_t{256} << 20;

/// The nodes in the answer of `sinfo --json` or `scontrol show nodes --json`, of Slurm 22.05 ("state": "idle", numbers) and of 23.11 and
/// newer ("state": ["IDLE", "DRAIN"], {"set", "infinite", "number"}), whose sinfo tells of groups of nodes and not of nodes. INVALID_ARGUMENT with the path
/// of what cannot be read: "nodes[3].gres: …"; also for JSON deeper than 64 levels and errors that Slurm reports in it.
absl::StatusOr<std::vector<SlurmNode>> ParseNodes(std::string_view json);

/// The jobs in the answer of `squeue --json` or `scontrol show jobs --json`, the same way.
absl::StatusOr<std::vector<SlurmJob>> ParseJobs(std::string_view json);

}  // namespace planner::slurm
