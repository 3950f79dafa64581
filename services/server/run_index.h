#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/store/store.h"
#include "planner/v1/run.pb.h"

namespace planner::server {

/// What dashboards and decisions need of a run, in a few hundred bytes.
struct RunFigures {
  std::string plan;  ///< "plans/…"
  v1::Run::State state = v1::Run::STATE_UNSPECIFIED;
  std::string cluster, gpu_type;
  std::string currency;  ///< Empty: no prices are known.
  absl::Time start, finish, planned_finish, newest;
  absl::Time planned_latest;  ///< Upper end of the plan's interval.
  absl::Duration planned_total;
  v1::ActualRun::Drift drift = v1::ActualRun::DRIFT_UNSPECIFIED;  ///< As of the newest report.
  absl::Time predicted_finish, predicted_low, predicted_high;
  int64_t report_count = 0;
  bool has_end = false;
  double gpu_count = 0, step_ratio = 0, progress = 0, planned_progress = 0;
  double first_progress = 0;  ///< Where it began: above 0 if it goes on from a checkpoint.
  double planned_tokens_per_second = 0, tokens_per_second = 0, model_flops_utilization = 0;
  double planned_gpu_hours = 0, gpu_hours = 0, planned_cost = 0, cost = 0;
};

/// The RUNNING runs of a plan, as of a version of the store.
struct RunsOfPlan {
  std::string plan;  ///< "plans/…"
  int64_t version = 0;
  std::set<std::string> ids;

  /// Brings them up to what a transaction sees, whose changes of kRun since `version` these are.
  void Apply(const store::Changes& changes);
};

/// The runs of the store that matter now, in memory: all that are RUNNING, and those that have ended last. What has changed since is read, not
/// all again, so any replica knows the runs of all. Thread-safe.
class RunIndex {
 public:
  /// Ended runs that are known at most.
  static constexpr size_t kMostEnded = 100;
  /// Ended runs of a cluster and GPU type whose error is known at most.
  static constexpr size_t kMostErrors = 50;

  /// The store must outlive it.
  explicit RunIndex(store::Store& store) : store_(store) {}

  /// By cluster and GPU type.
  using Errors = std::map<std::pair<std::string, std::string>, std::map<std::pair<absl::Time, std::string>, double>>;
  struct View {
    const std::map<std::string, RunFigures>& active;  ///< By id, which begins with the time.
    const std::map<std::pair<absl::Time, std::string>, RunFigures>& ended;  ///< By finish and id.
    const Errors& errors;  ///< |measured / planned step time - 1| of what has ended, by finish and id.
  };
  /// Looks at all as it is in the store now; the store's error where that cannot be read.
  absl::Status Look(const std::function<void(const View&)>& look);

  /// The runs that carry out a plan ("plans/…").
  absl::StatusOr<RunsOfPlan> RunsOf(const std::string& plan);

 private:
  absl::Status CatchUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Goes through all records by pages: in one piece they could be as large as the store.
  absl::Status ReadAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Put(const store::Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PutEnded(const std::string& id, RunFigures figures) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Clear() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  store::Store& store_;
  base::Mutex mutex_;
  int64_t version_ ABSL_GUARDED_BY(mutex_) = -1;  ///< Below 0: nothing is known yet.
  std::map<std::string, RunFigures> active_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<absl::Time, std::string>, RunFigures> ended_ ABSL_GUARDED_BY(mutex_);
  Errors errors_ ABSL_GUARDED_BY(mutex_);
  /// Where an ended run is, in ended_ or errors_.
  std::map<std::string, std::pair<absl::Time, std::pair<std::string, std::string>>> places_ ABSL_GUARDED_BY(mutex_);
};

/// The figures of a stored run.
RunFigures FiguresOf(const v1::Run& run);

}  // namespace planner::server
