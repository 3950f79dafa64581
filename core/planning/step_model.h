#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/cluster/snapshot.h"
#include "core/parallel/enumerate.h"
#include "core/perf/step_time.h"
#include "core/planning/workload.h"

namespace planner::planning {

/// The step-time model for one job on one pool. Remembers what layouts share, so that a search of thousands of them takes a
/// fraction of a microsecond for each: not safe for concurrent use.
class StepModel {
 public:
  /// `work.step_job` must be there; where the job names no framework, layouts that shard by data alone (ZeRO-3) have the
  /// constants of fsdp, others those of runs that name none. NOT_FOUND where the card has no peak for the precision.
  static absl::StatusOr<StepModel> Make(const Workload& work, const cluster::Pool& pool,
                                        const perf::StepTimeConstants& constants);

  /// One step of `batched`, term by term.
  perf::StepTime Time(const parallel::BatchedLayout& batched);
  /// Half of the 90 % interval's width, of the logarithm: from time / exp(w) to time x exp(w).
  double HalfWidth(const parallel::Layout& layout) const { return Sharded(layout) ? sharded_width_ : width_; }

  /// At most the total of that, in a fraction of its time.
  double LeastSeconds(const parallel::BatchedLayout& batched);
  /// At most the seconds per sample of any layout of these cards in `space` that has the tensor and context degrees of `split`,
  /// its pipeline and data parallel degrees, and at most its microbatches.
  double LeastSampleSeconds(const parallel::BatchedLayout& split, const parallel::LayoutSpace& space);

  /// No product of the job runs faster, FLOP/s of one card: what bounds from below the cards that a deadline needs.
  double fastest_flops() const { return fastest_flops_; }

 private:
  /// What of a layout the first part of its time depends on.
  struct Key {
    int64_t tensor, context, expert, expert_tensor, micro_batch;
    bool sequence_parallel, sharded;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    perf::MicroBatchTime time;
  };

  /// The least of a block's seconds per sample over experts and microbatches that are powers of two, for one tensor and context
  /// degree.
  struct Least {
    int64_t tensor, context;
    double block_seconds;
  };

  const perf::MicroBatchTime& MicroBatch(const parallel::Layout& layout);
  double LeastBlockSeconds(const parallel::Layout& layout, const parallel::LayoutSpace& space);
  double BlockSecondsPerSample(parallel::Layout layout, const parallel::LayoutSpace& space, int64_t micro_batch);
  StepModel(const Workload& work, const perf::Machine& machine, const perf::SharedConstants& shared);

  static bool Sharded(const parallel::Layout& layout) { return layout.zero_stage >= 3; }
  const perf::StepJob& JobOf(const parallel::Layout& layout) const { return Sharded(layout) ? sharded_job_ : job_; }

  perf::StepJob job_;          ///< With the framework of layouts that are not sharded by data alone.
  perf::StepJob sharded_job_;  ///< With that of those that are.
  double width_ = 0;
  double sharded_width_ = 0;
  double scale_ = 1;  ///< Counted FLOPs over those of the blocks alone: what cross-attention and the like add.
  perf::Machine machine_;
  perf::SharedConstants shared_;
  double fastest_flops_ = 0;
  std::vector<Entry> entries_;
  /// Where in entries_ a key was last seen, by its hash: found there nearly always. Positions count from 1; 0: nowhere.
  std::array<uint32_t, 1024> seen_ = {};
  std::vector<Least> least_;
};

}  // namespace planner::planning
