#include "clients/plannerctl/run_view.h"

#include <cctype>
#include <cmath>
#include <vector>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

using enum Table::Align;

std::string Short(const std::string& name, std::string_view prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c == '_' ? ' ' : std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool HasEnd(const v1::Run& run) { return run.planned().has_finish_time(); }

/// "448 × H100-SXM-80GB".
std::string CardsText(const v1::PlannedRun& planned) { return fmt::format("{} × {}", planned.gpu_count(), planned.gpu_type()); }

/// "main/h100".
std::string PlaceText(const v1::PlannedRun& planned) {
  return planned.cluster().empty() ? "" : fmt::format(" ({}/{})", planned.cluster(), planned.node_pool());
}

std::string PredictedText(const v1::Run& run) {
  if (run.has_finish_time()) return TimeText(ToTime(run.finish_time()));
  const v1::ActualRun& actual = run.actual();
  return actual.has_predicted_finish_time() ? TimeText(ToTime(actual.predicted_finish_time())) : "-";
}

std::string IntervalText(const v1::ActualRun& actual) {
  if (!actual.has_predicted_finish_time()) return "";
  return fmt::format("{} to {}", TimeText(ToTime(actual.predicted_finish_time_low())),
                     TimeText(ToTime(actual.predicted_finish_time_high())));
}

/// "+12 %" of a ratio of 1.12.
std::string DifferenceText(double ratio) {
  const double percent = (ratio - 1) * 100;
  return fmt::format("{:+.0f} %", std::abs(percent) < 0.5 ? 0.0 : percent);
}

/// "-" where nothing is known.
std::string Known(double value, const std::string& text) { return value > 0 ? text : "-"; }

Table Comparison(const v1::Run& run) {
  const v1::PlannedRun& planned = run.planned();
  const v1::ActualRun& actual = run.actual();
  const v1::ProgressSample& last = actual.last();
  const bool has_report = actual.has_last();
  Table table({{""}, {"PLANNED", kRight}, {"ACTUAL", kRight}, {""}});
  if (HasEnd(run)) {
    table.AddRow({"Progress", has_report ? FormatPercent(actual.planned_progress_ratio()) : "-",
                  has_report ? FormatPercent(actual.progress_ratio()) : "-"});
    table.AddRow({"Steps", FormatCount(planned.step_count()), has_report ? FormatGrouped(last.step()) : "-"});
    table.AddRow({"Tokens", FormatCount(planned.token_count()), has_report ? FormatCount(last.token_count()) : "-"});
  } else {
    table.AddRow({"Steps", "-", has_report ? FormatGrouped(last.step()) : "-"});
  }
  const double ratio = actual.step_ratio();
  table.AddRow({"Step", DurationText(ToDuration(planned.step_duration())), Known(ratio, DurationText(ToDuration(actual.step_duration()))),
                ratio > 0 ? DifferenceText(ratio) : ""});
  table.AddRow({"Tokens/s", FormatCount(planned.tokens_per_second()), Known(actual.tokens_per_second(), FormatCount(actual.tokens_per_second())),
                last.tokens_per_second() > 0 ? "last " + FormatCount(last.tokens_per_second()) : ""});
  table.AddRow({"MFU", FormatPercent(planned.model_flops_utilization()),
                Known(actual.model_flops_utilization(), FormatPercent(actual.model_flops_utilization()))});
  table.AddRow({"Finish", HasEnd(run) ? TimeText(ToTime(planned.finish_time())) : "-", PredictedText(run), IntervalText(actual)});
  table.AddRow({"GPU hours", HasEnd(run) ? FormatCount(planned.gpu_hours()) : "-", Known(actual.gpu_hours(), FormatCount(actual.gpu_hours()))});
  if (!planned.currency().empty() && HasEnd(run)) {
    table.AddRow({"Cost", FormatMoney(planned.cost(), planned.currency()), Known(actual.cost(), FormatMoney(actual.cost(), planned.currency()))});
  }
  if (last.has_loss()) table.AddRow({"Loss", "", fmt::format("{:.4g}", last.loss())});
  if (last.has_gpu_utilization_ratio()) table.AddRow({"GPU utilization", "", FormatPercent(last.gpu_utilization_ratio())});
  return table;
}

}  // namespace

std::string RunShortName(const std::string& name) { return Short(name, "runs/"); }

std::string StateText(v1::Run::State state) { return Lower(v1::Run::State_Name(state)); }

std::string DriftText(v1::ActualRun::Drift drift) {
  return drift == v1::ActualRun::DRIFT_UNSPECIFIED ? "-" : Lower(v1::ActualRun::Drift_Name(drift));
}

std::string ProgressText(const v1::Run& run) {
  const v1::ActualRun& actual = run.actual();
  std::string text = HasEnd(run) ? fmt::format("{} done, {} planned", FormatPercent(actual.progress_ratio()),
                                               FormatPercent(actual.planned_progress_ratio()))
                                 : fmt::format("step {}", FormatGrouped(actual.last().step()));
  if (actual.drift() != v1::ActualRun::DRIFT_UNSPECIFIED) text += ", " + DriftText(actual.drift());
  if (!actual.drift_reason().empty()) text += ": " + actual.drift_reason();
  return text;
}

void PrintRun(const v1::Run& run, const TableStyle& style, std::ostream& out) {
  const v1::PlannedRun& planned = run.planned();
  const v1::ActualRun& actual = run.actual();
  std::vector<std::string> lines = {fmt::format("Run     {}: {}{}", run.name().empty() ? "(not stored)" : RunShortName(run.name()),
                                                StateText(run.state()),
                                                actual.drift() == v1::ActualRun::DRIFT_UNSPECIFIED ? "" : ", " + DriftText(actual.drift()))};
  for (const std::string& text : {run.description(), run.message(), actual.drift_reason()}) {
    if (!text.empty()) lines.push_back("        " + text);
  }
  const std::string layout = LayoutText(planned.layout());
  lines.push_back(fmt::format("Plan    {}: {} on {}{}, {}", Short(run.plan(), "plans/"), planned.model(), CardsText(planned),
                              PlaceText(planned), layout));
  lines.push_back("Began   " + TimeText(ToTime(run.start_time())));
  if (actual.has_last()) {
    lines.push_back(fmt::format("Reports {}, the newest at {}", FormatGrouped(actual.report_count()), TimeText(ToTime(actual.last().time()))));
  }
  if (actual.learned()) lines.emplace_back("Learned predictions of such runs are corrected by it");
  for (const std::string& line : lines) out << Printable(line) << '\n';
  out << '\n';
  Comparison(run).Print(out, style);
}

void PrintRuns(const v1::ListRunsResponse& list, const TableStyle& style, std::ostream& out) {
  Table table({{"NAME"}, {"STATE"}, {"DRIFT"}, {"PROGRESS", kRight}, {"PLANNED", kRight}, {"FINISH"}, {"MODEL"}, {"GPUS"}, {"PLAN"}, {"BEGAN"},
               {"DESCRIPTION"}});
  for (const v1::Run& run : list.runs()) {
    const bool is_known = HasEnd(run) && run.actual().has_last();
    table.AddRow({RunShortName(run.name()), StateText(run.state()), DriftText(run.actual().drift()),
                  is_known ? FormatPercent(run.actual().progress_ratio()) : "-",
                  is_known ? FormatPercent(run.actual().planned_progress_ratio()) : "-", PredictedText(run), run.planned().model(),
                  CardsText(run.planned()), Short(run.plan(), "plans/"), TimeText(ToTime(run.start_time())), run.description()});
  }
  table.Print(out, style);
}

}  // namespace planner::plannerctl
