#pragma once

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
  /// `work.step_job` must be there. NOT_FOUND where the card has no peak for the precision.
  static absl::StatusOr<StepModel> Make(const Workload& work, const cluster::Pool& pool,
                                        const perf::StepTimeConstants& constants);

  /// One step of `batched`, term by term.
  perf::StepTime Time(const parallel::BatchedLayout& batched);

  /// No product of the job runs faster, FLOP/s of one card: what bounds from below the cards that a deadline needs.
  double fastest_flops() const { return fastest_flops_; }

 private:
  /// What of a layout the first part of its time depends on.
  struct Key {
    int64_t tensor, context, expert, micro_batch;
    bool sequence_parallel;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Entry {
    Key key;
    perf::MicroBatchTime time;
  };

  StepModel(const Workload& work, const perf::Machine& machine, const perf::SharedConstants& shared);

  perf::StepJob job_;
  double scale_ = 1;  ///< Counted FLOPs over those of the blocks alone: what cross-attention and the like add.
  perf::Machine machine_;
  perf::SharedConstants shared_;
  double fastest_flops_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace planner::planning
