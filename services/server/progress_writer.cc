#include "services/server/progress_writer.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>

#include "fmt/format.h"

namespace planner::server {
namespace {

/// Libraries may throw, and memory may run out: that costs these reports, not the daemon.
std::vector<absl::StatusOr<ReportOutcome>> Guarded(Runs& runs, const std::vector<RunReport>& reports) {
  absl::Status status;
  try {
    return runs.Report(reports);
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    status = absl::InternalError(fmt::format("unexpected error: {}", error.what()));
  }
  return std::vector<absl::StatusOr<ReportOutcome>>(reports.size(), status);
}

}  // namespace

void ProgressWriter::Write(RunReport report, Done done) {
  base::MutexLock lock(mutex_);
  waiting_.emplace_back(std::move(report), std::move(done));
  if (std::exchange(is_writing_, true)) return;
  worker_.Run([this] { WriteWhatWaits(); });
}

void ProgressWriter::WriteWhatWaits() {
  while (true) {
    std::vector<RunReport> reports;
    std::vector<Done> dones;
    {
      base::MutexLock lock(mutex_);
      while (!waiting_.empty() && reports.size() < kMostTogether) {
        reports.push_back(std::move(waiting_.front().first));
        dones.push_back(std::move(waiting_.front().second));
        waiting_.pop_front();
      }
      is_writing_ = !reports.empty();
      if (!is_writing_) return;
    }
    std::vector<absl::StatusOr<ReportOutcome>> outcomes = Guarded(runs_, reports);
    for (size_t i = 0; i < dones.size(); ++i) dones[i](std::move(outcomes[i]));
  }
}

size_t ProgressWriter::waiting() {
  base::MutexLock lock(mutex_);
  return waiting_.size();
}

}  // namespace planner::server
