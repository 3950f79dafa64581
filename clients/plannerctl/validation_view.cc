#include "clients/plannerctl/validation_view.h"

#include <algorithm>
#include <map>

#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

std::string Ratio(double ratio) { return fmt::format("{:.3f}", ratio); }

/// At most 60 characters: sources may be sentences.
std::string Shortened(const std::string& text) {
  constexpr size_t kLongest = 60;
  if (DisplayWidth(text) <= kLongest) return text;
  std::string shortened;
  for (const char c : text) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    if (!continues && DisplayWidth(shortened) >= kLongest - 1) break;
    shortened += c;
  }
  return shortened + "…";
}

std::string GibText(double gib) { return gib > 0 ? fmt::format("{:.1f} GiB", gib) : "-"; }

void PrintGroups(const char* title, const google::protobuf::RepeatedPtrField<v1::RunGroup>& groups,
                 const v1::RunGroup& overall, const TableStyle& style, std::ostream& out) {
  std::vector<Table::Column> columns = {{title, Table::Align::kLeft}};
  for (std::string& name : GroupTitles()) columns.push_back({std::move(name), Table::Align::kRight});
  Table table(std::move(columns));
  const auto add = [&](std::string name, const v1::RunGroup& group) {
    std::vector<std::string> cells = GroupCells(group);
    cells.insert(cells.begin(), std::move(name));
    table.AddRow(std::move(cells));
  };
  for (const v1::RunGroup& group : groups) {
    const std::string& name = group.source().empty() ? group.gpu_family() : group.source();
    add(name.empty() ? "(none)" : Shortened(name), group);
  }
  if (groups.size() != 1) add("all", overall);
  table.Print(out, style);
}

void PrintRows(const v1::ValidateRunsResponse& validation, const TableStyle& style, std::ostream& out) {
  using enum Table::Align;
  Table table({{"ID", kLeft},
               {"MODEL", kLeft},
               {"CARDS", kLeft},
               {"MEASURED", kRight},
               {"PREDICTED", kRight},
               {"90 %", kRight},
               {"ERROR", kRight},
               {"MEMORY", kRight},
               {"PREDICTED", kRight},
               {"FITS", kLeft},
               {"SKIPPED", kLeft}});
  for (const v1::RunPrediction& row : validation.rows()) {
    const bool interval = row.high_step_seconds() > 0;
    table.AddRow({row.id(), row.model(), CardsText(row), StepText(row.measured_step_seconds()),
                  StepText(row.predicted_step_seconds()),
                  interval ? fmt::format("{:.3g} to {:.3g}", row.low_step_seconds(), row.high_step_seconds()) : "-",
                  DeviationText(row.predicted_step_seconds(), row.measured_step_seconds()),
                  GibText(row.measured_peak_memory_gib()), GibText(row.predicted_peak_memory_gib()),
                  !row.has_fits() ? "-"
                  : row.fits()    ? "yes"
                                  : "no",
                  row.skipped()});
  }
  table.Print(out, style);
}

void PrintSkipReasons(const v1::ValidateRunsResponse& validation, std::ostream& out) {
  constexpr int kMost = 10;
  int shown = 0;
  int others = 0;
  for (const auto& [reason, count] : SkipReasons(validation)) {
    if (++shown > kMost) {
      others += count;
    } else {
      out << "  skipped " << FormatGrouped(count) << ": " << Printable(reason) << '\n';
    }
  }
  if (others > 0) out << "  skipped " << FormatGrouped(others) << " for other reasons: --rows has them\n";
}

}  // namespace

void PrintValidation(const v1::ValidateRunsResponse& validation, bool rows, const TableStyle& style,
                     std::ostream& out) {
  if (rows) {
    PrintRows(validation, style, out);
    out << '\n';
  }
  for (const std::string& sentence : ValidationSummary(validation)) out << sentence << '\n';
  PrintSkipReasons(validation, out);
  out << '\n';
  PrintGroups("SOURCE", validation.publications(), validation.overall(), style, out);
  out << '\n';
  PrintGroups("GPU FAMILY", validation.gpu_families(), validation.overall(), style, out);
}

std::vector<std::string> ValidationSummary(const v1::ValidateRunsResponse& validation) {
  const v1::RunGroup& all = validation.overall();
  std::vector<std::string> sentences = {fmt::format("{} rows: {} predicted, {} skipped", FormatGrouped(all.row_count()),
                                                    FormatGrouped(all.predicted_count()),
                                                    FormatGrouped(all.skipped_count()))};
  if (all.time_count() > 0) {
    sentences.push_back(fmt::format(
        "step time of {} rows: mean error {}, median of predicted / measured {}, {} within the 90 % interval",
        FormatGrouped(all.time_count()), FormatPercent(all.time_mape()), Ratio(all.time_median_ratio()),
        FormatPercent(all.time_coverage90())));
  }
  if (all.memory_count() > 0) {
    sentences.push_back(fmt::format(
        "peak memory of {} rows: mean error {}, median of predicted / measured {}, {} within the 90 % interval",
        FormatGrouped(all.memory_count()), FormatPercent(all.memory_mape()), Ratio(all.memory_median_ratio()),
        FormatPercent(all.memory_coverage90())));
  }
  if (all.oom_count() > 0) {
    sentences.push_back(fmt::format("{} of {} rows that ran out of memory are predicted not to fit",
                                    FormatGrouped(all.oom_right_count()), FormatGrouped(all.oom_count())));
  }
  if (all.ran_count() > 0) {
    sentences.push_back(fmt::format("{} of {} rows that ran are predicted not to fit",
                                    FormatGrouped(all.ran_wrong_count()), FormatGrouped(all.ran_count())));
  }
  return sentences;
}

std::vector<std::string> GroupTitles() {
  return {"ROWS", "TIMED", "TIME MAPE", "MEDIAN RATIO", "COVERAGE", "WITH MEMORY", "MEMORY MAPE"};
}

std::vector<std::string> GroupCells(const v1::RunGroup& group) {
  const bool timed = group.time_count() > 0;
  const bool remembered = group.memory_count() > 0;
  return {FormatGrouped(group.row_count()),
          FormatGrouped(group.time_count()),
          timed ? FormatPercent(group.time_mape()) : "-",
          timed ? Ratio(group.time_median_ratio()) : "-",
          timed ? FormatPercent(group.time_coverage90()) : "-",
          FormatGrouped(group.memory_count()),
          remembered ? FormatPercent(group.memory_mape()) : "-"};
}

std::vector<std::pair<std::string, int>> SkipReasons(const v1::ValidateRunsResponse& validation) {
  std::map<std::string, int> counts;
  for (const v1::RunPrediction& row : validation.rows()) {
    if (!row.skipped().empty()) ++counts[row.skipped()];
  }
  std::vector<std::pair<std::string, int>> reasons(counts.begin(), counts.end());
  std::stable_sort(reasons.begin(), reasons.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return reasons;
}

std::string CardsText(const v1::RunPrediction& row) {
  return row.gpu_count() > 0 ? fmt::format("{} × {}", row.gpu_count(), row.gpu_type()) : row.gpu_type();
}

std::string StepText(double seconds) { return seconds > 0 ? fmt::format("{:.3g} s", seconds) : "-"; }

std::string DeviationText(double predicted, double measured) {
  if (predicted <= 0 || measured <= 0) return "-";
  return fmt::format("{:+.1f} %", 100 * (predicted / measured - 1));
}

}  // namespace planner::plannerctl
