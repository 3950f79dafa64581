#pragma once

#include <functional>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "planner/v1/utilization.pb.h"

namespace planner::plannerctl {

/// Reads samples of utilization line by line:
///   - JSON: an object each line, with the fields of planner.v1.UtilizationSample,
///   - CSV: a header line with names of those fields, then a sample each line; an empty cell is not measured.
/// Which of both it is, the first line says. Times are RFC 3339, or seconds since 1970.
class SampleReader {
 public:
  /// One line that is not empty; its sample is added to `samples`, unless it is the header. INVALID_ARGUMENT with what is wrong.
  absl::Status Read(std::string_view line, std::vector<v1::UtilizationSample>& samples);

 private:
  absl::Status ReadHeader(std::string_view line);
  absl::Status ReadRow(std::string_view line, v1::UtilizationSample& sample) const;

  bool has_begun_ = false;
  std::vector<std::string> columns_;  ///< Empty: JSON.
};

/// Reads all lines of `in` and hands the samples over in batches of at most `most`, and sooner where nothing more has come yet, so that a
/// pipe of a running exporter is not held up. Ends where `take` says false. INVALID_ARGUMENT "line 3: …"; what comes before is handed over.
absl::Status ReadSamples(std::istream& in, size_t most,
                         const std::function<bool(const std::vector<v1::UtilizationSample>&)>& take);

}  // namespace planner::plannerctl
