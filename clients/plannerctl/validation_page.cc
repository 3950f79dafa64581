#include "clients/plannerctl/validation_page.h"

#include <google/protobuf/repeated_ptr_field.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "clients/plannerctl/html.h"
#include "clients/plannerctl/scatter_plot.h"
#include "clients/plannerctl/validation_view.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

using Groups = google::protobuf::RepeatedPtrField<v1::RunGroup>;

constexpr size_t kFurthestOff = 25;

/// Which mark stands for a publication: in the order of the groups.
using Series = std::map<std::string, size_t, std::less<>>;

Series SeriesOf(const Groups& publications) {
  Series series;
  for (const v1::RunGroup& group : publications) series.emplace(group.source(), series.size());
  return series;
}

/// The mark of a publication; the first one for what no group is of.
size_t MarkOf(const Series& series, std::string_view publication) {
  const auto found = series.find(publication);
  return found == series.end() ? 0 : found->second;
}

std::string What(const v1::RunPrediction& row) {
  return fmt::format("{} {} on {}", row.id(), row.model(), CardsText(row));
}

bool IsTimed(const v1::RunPrediction& row) {
  return row.measured_step_seconds() > 0 && row.predicted_step_seconds() > 0;
}

std::vector<ScatterPoint> TimePoints(const v1::ValidateRunsResponse& validation, const Series& series) {
  std::vector<ScatterPoint> points;
  for (const v1::RunPrediction& row : validation.rows()) {
    if (!IsTimed(row)) continue;
    const double measured = row.measured_step_seconds();
    points.push_back({.measured = measured,
                      .predicted = row.predicted_step_seconds(),
                      .series = MarkOf(series, row.publication()),
                      .filled = row.low_step_seconds() <= measured && measured <= row.high_step_seconds(),
                      .tooltip = fmt::format("{}: measured {}, predicted {} ({}), {:.3g} to {:.3g} s; {}", What(row),
                                             StepText(measured), StepText(row.predicted_step_seconds()),
                                             DeviationText(row.predicted_step_seconds(), measured),
                                             row.low_step_seconds(), row.high_step_seconds(), row.source())});
  }
  return points;
}

std::vector<ScatterPoint> MemoryPoints(const v1::ValidateRunsResponse& validation, const Series& series) {
  std::vector<ScatterPoint> points;
  for (const v1::RunPrediction& row : validation.rows()) {
    const double measured = row.measured_peak_memory_gib();
    const double predicted = row.predicted_peak_memory_gib();
    if (measured <= 0 || predicted <= 0) continue;
    points.push_back(
        {.measured = measured,
         .predicted = predicted,
         .series = MarkOf(series, row.publication()),
         .filled = row.low_peak_memory_gib() <= measured && measured <= row.high_peak_memory_gib(),
         .tooltip = fmt::format("{}: measured {:.1f} GiB, predicted {:.1f} GiB ({}), {:.1f} to {:.1f} GiB; {}",
                                What(row), measured, predicted, DeviationText(predicted, measured),
                                row.low_peak_memory_gib(), row.high_peak_memory_gib(), row.source())});
  }
  return points;
}

std::string Row(const std::string& first, const std::vector<std::string>& cells) {
  std::string row = "<tr><td>" + first + "</td>";
  for (const std::string& cell : cells) row += "<td>" + EscapeHtml(cell) + "</td>";
  return row + "</tr>\n";
}

/// `series` null: without marks.
std::string GroupTable(const char* title, const Groups& groups, const v1::RunGroup& overall, const Series* series) {
  std::string table = fmt::format("<table><tr><th>{}</th>", title);
  for (const std::string& name : GroupTitles()) table += "<th>" + name + "</th>";
  table += "</tr>\n";
  for (const v1::RunGroup& group : groups) {
    const std::string& name = group.source().empty() ? group.gpu_family() : group.source();
    const std::string mark = series == nullptr ? "" : SeriesMark(MarkOf(*series, group.source())) + " ";
    table += Row(mark + (name.empty() ? "(none)" : EscapeHtml(name)), GroupCells(group));
  }
  return table + Row("all", GroupCells(overall)) + "</table>\n";
}

std::string FurthestOff(const v1::ValidateRunsResponse& validation) {
  std::vector<const v1::RunPrediction*> rows;
  for (const v1::RunPrediction& row : validation.rows()) {
    if (IsTimed(row)) rows.push_back(&row);
  }
  const auto error = [](const v1::RunPrediction& row) {
    return std::abs(row.predicted_step_seconds() / row.measured_step_seconds() - 1);
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const auto* a, const auto* b) { return error(*a) > error(*b); });
  rows.resize(std::min(rows.size(), kFurthestOff));
  if (rows.empty()) return "";
  std::string table =
      "<h2>Furthest off</h2>\n<table><tr><th>Run</th><th class=\"text\">Source</th><th>Measured</th><th>Predicted</th>"
      "<th>Error</th></tr>\n";
  for (const auto* row : rows) {
    table += fmt::format("<tr><td>{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                         EscapeHtml(What(*row)), EscapeHtml(row->source()), StepText(row->measured_step_seconds()),
                         StepText(row->predicted_step_seconds()),
                         DeviationText(row->predicted_step_seconds(), row->measured_step_seconds()));
  }
  return table + "</table>\n";
}

std::string Skipped(const v1::ValidateRunsResponse& validation) {
  const auto reasons = SkipReasons(validation);
  if (reasons.empty()) return "";
  std::string list = "<h2>Skipped</h2><ul>";
  for (const auto& [reason, count] : reasons) list += fmt::format("<li>{}: {}</li>", count, EscapeHtml(reason));
  return list + "</ul>\n";
}

}  // namespace

std::string ValidationPage(std::string_view name, const v1::ValidateRunsResponse& validation) {
  const Series series = SeriesOf(validation.publications());
  std::string body(ScatterStyle());
  body += "<p>";
  for (const std::string& sentence : ValidationSummary(validation)) body += EscapeHtml(sentence) + "<br>";
  body += "</p>\n";
  if (const std::string plot = ScatterPlot("step time", "s", TimePoints(validation, series)); !plot.empty()) {
    body +=
        "<h2>Step time</h2>\n<p>The band is ±15 %. Hollow marks: measured outside of the 90 % interval.</p>\n" + plot;
  }
  body += "<h2>By source</h2>\n" + GroupTable("Source", validation.publications(), validation.overall(), &series);
  if (validation.groups_size() > validation.publications_size()) {
    body += "<details><summary>By table of the sources</summary>\n" +
            GroupTable("Source", validation.groups(), validation.overall(), nullptr) + "</details>\n";
  }
  body +=
      "<h2>By GPU family</h2>\n" + GroupTable("GPU family", validation.gpu_families(), validation.overall(), nullptr);
  if (const std::string plot = ScatterPlot("peak memory", "GiB", MemoryPoints(validation, series)); !plot.empty()) {
    body += "<h2>Peak memory</h2>\n" + plot;
  }
  body += FurthestOff(validation) + Skipped(validation);
  body += fmt::format("<p>plannerd {}</p>\n", EscapeHtml(validation.planner_version()));
  return HtmlPage(name, "predicted against measured", body);
}

}  // namespace planner::plannerctl
