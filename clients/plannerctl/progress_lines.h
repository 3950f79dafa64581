#pragma once

#include <cstddef>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "planner/v1/run.pb.h"

namespace planner::plannerctl {

/// Longest line of reports that is read.
inline constexpr size_t kMaxReportLine = size_t{64} << 10;

/// What reports are called in lines: `step`, `time` (RFC 3339, or seconds since 1970), `tokens`, `tokens_per_second`, `loss`, `gpu_utilization`, and
/// as the API calls them (`tokenCount`, `gpu_utilization_ratio`, …). Other names are left out: logs have more than is asked for.
///
/// Lines of a log of progress, one report each: JSON objects, or CSV, whose first line names the columns. The first line that is not empty
/// says which.
class ProgressLines {
 public:
  /// What a line reports; nothing for an empty line and the names of the columns. INVALID_ARGUMENT: it is neither, or a value is no
  /// number.
  absl::StatusOr<std::optional<v1::ProgressSample>> Read(std::string line);

 private:
  enum class Format { kUnknown, kJson, kCsv };
  absl::Status ReadNames(const std::string& line);
  absl::StatusOr<v1::ProgressSample> ReadCells(const std::string& line) const;

  Format format_ = Format::kUnknown;
  std::vector<std::string> names_;
};

/// The next line without its end, as soon as it is there; nullopt: there is none. INVALID_ARGUMENT: longer than kMaxReportLine.
absl::StatusOr<std::optional<std::string>> NextLine(std::istream& in);

/// Whether more can be read without waiting for it.
bool HasMoreNow(std::istream& in);

}  // namespace planner::plannerctl
