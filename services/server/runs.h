#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/store/store.h"
#include "planner/v1/run_service.pb.h"
#include "services/bookings/bookings.h"
#include "services/server/id_source.h"
#include "services/server/run_index.h"

namespace planner::server {

/// Reports of one run that arrived together.
struct RunReport {
  std::string id;
  std::vector<v1::ProgressSample> samples;  ///< With their times.
  int64_t first = 0;                        ///< Number of the first one in its stream, for what is refused.
};

/// What became of them.
struct ReportOutcome {
  int64_t accepted = 0;
  int64_t refused = 0;
  std::vector<std::string> refusals;  ///< "samples[3].loss: must be a number: loss=nan"; at most kMostRefusals.
  v1::Run run;                        ///< As it is now, without samples.
};
inline constexpr size_t kMostRefusals = 20;

/// RunService's logic. A run is two records with the same name: itself (a Run without samples, kRun), so that lists, metrics and learning
/// read little, and its samples (kRunSamples). Every change reads and writes both in one transaction. Thread-safe.
class Runs {
 public:
  /// All must outlive it.
  Runs(store::Store& store, bookings::Bookings& bookings, RunIndex& index, const base::Clock& clock, IdSource& ids)
      : store_(store), bookings_(bookings), index_(index), clock_(clock), ids_(ids) {}

  absl::StatusOr<v1::Run> Start(const v1::StartRunRequest& request);
  /// Several runs' reports in one transaction: one wait for the disk. Each has its own outcome; when the store fails, all have that error.
  /// NOT_FOUND at "run"; FAILED_PRECONDITION (reason RUN_FINISHED).
  std::vector<absl::StatusOr<ReportOutcome>> Report(const std::vector<RunReport>& reports);
  /// Releases what the plan still holds, unless another run carries it out, too.
  absl::StatusOr<v1::Run> Finish(const v1::FinishRunRequest& request);
  absl::StatusOr<v1::Run> Get(const v1::GetRunRequest& request);
  absl::StatusOr<v1::ListRunsResponse> List(const v1::ListRunsRequest& request);
  absl::Status Delete(const v1::DeleteRunRequest& request);

 private:
  absl::StatusOr<v1::Run> FromRecord(const store::Record& record) const;
  absl::StatusOr<ReportOutcome> ReportOne(const RunReport& report, store::Transaction& transaction) const;
  absl::Status FinishOne(const v1::FinishRunRequest& request, const std::string& id, RunsOfPlan runs, bookings::Ledgers& ledgers,
                         v1::Run& finished) const;

  store::Store& store_;
  bookings::Bookings& bookings_;
  RunIndex& index_;
  const base::Clock& clock_;
  IdSource& ids_;
};

}  // namespace planner::server
