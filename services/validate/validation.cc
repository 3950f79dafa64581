#include "core/base/error.h"
#include "fmt/format.h"
#include "services/validate/requests.h"

namespace planner::validate {
namespace {

/// Cells of the first record: commas outside of quotes. What reads the table compares the names of all columns.
size_t HeaderWidth(std::string_view csv) {
  size_t width = 1;
  bool quoted = false;
  bool begins = true;  // Only a quote that begins a cell hides commas.
  for (const char c : csv) {
    if (c == '"' && (quoted || begins)) {
      quoted = !quoted;
    } else if (c == '\n' && !quoted) {
      break;
    }
    begins = c == ',' && !quoted;
    width += begins ? 1 : 0;
  }
  return width;
}

}  // namespace

absl::Status Validate(const v1::ValidateRunsRequest& request) {
  constexpr char kField[] = "runs_csv";
  const std::string& csv = request.runs_csv();
  if (csv.empty()) return base::InvalidField(kField, "is missing");
  if (csv.size() > kMaxTableBytes) {
    return base::InvalidField(kField, fmt::format("must be at most {} bytes: it has {}", kMaxTableBytes, csv.size()),
                              "TOO_LARGE");
  }
  const size_t width = HeaderWidth(csv);
  if (width <= kMaxColumns) return absl::OkStatus();
  return base::InvalidField(kField, fmt::format("line 1: must have at most {} columns: columns={}", kMaxColumns, width),
                            "TOO_LARGE");
}

}  // namespace planner::validate
