#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/validate/requests.h"

namespace planner::validate {
namespace {

struct TableShape {
  size_t columns = 0;  ///< Of the first record.
  size_t records = 1;
  size_t cells = 1;
};

/// Counts what reading the table (core/planning/measured_run.h) would make of it, without making it: commas and line
/// breaks outside of quotes.
TableShape ShapeOf(std::string_view csv) {
  TableShape shape;
  bool quoted = false;
  bool empty = true;  // Only a quote that begins a cell hides what follows.
  if (csv.starts_with("\xEF\xBB\xBF")) csv.remove_prefix(3);
  if (csv.ends_with('\n')) csv.remove_suffix(1);  // It begins no line.
  for (size_t at = 0; at < csv.size(); ++at) {
    const char c = csv[at];
    if (quoted) {
      const bool escaped = csv.substr(at, 2) == "\"\"";
      quoted = escaped || c != '"';
      empty = empty && !quoted;
      at += escaped ? 1 : 0;
    } else if (c == ',' || c == '\n') {
      if (c == '\n' && shape.records++ == 1) shape.columns = shape.cells;
      ++shape.cells;
      empty = true;
    } else if (c == '"' && empty) {
      quoted = true;
    } else {
      empty = false;
    }
  }
  if (shape.records == 1) shape.columns = shape.cells;
  return shape;
}

absl::Status AtMost(size_t count, size_t most, std::string_view what) {
  if (count <= most) return absl::OkStatus();
  return base::InvalidField("runs_csv", fmt::format("must have at most {} {}: it has {}", most, what, count),
                            "TOO_LARGE");
}

}  // namespace

absl::Status Validate(const v1::ValidateRunsRequest& request) {
  const std::string& csv = request.runs_csv();
  if (csv.empty()) return base::InvalidField("runs_csv", "is empty: its first line names the columns");
  RETURN_IF_ERROR(AtMost(csv.size(), kMaxTableBytes, "bytes"));
  const TableShape shape = ShapeOf(csv);
  RETURN_IF_ERROR(AtMost(shape.columns, kMaxColumns, "columns"));
  RETURN_IF_ERROR(AtMost(shape.records, kMaxTableLines, "lines"));
  return AtMost(shape.cells, kMaxCells, "cells");
}

}  // namespace planner::validate
