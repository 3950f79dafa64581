#include "clients/plannerctl/estimate_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/measured_text.h"
#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

/// "a, b, c" of what is not empty.
std::string Joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += ", ";
    text += part;
  }
  return text;
}

bool HasDataSet(const v1::Recommendation& recommendation) {
  return ToDuration(recommendation.total_duration()) > absl::ZeroDuration();
}

std::string Money(const v1::Recommendation& recommendation) {
  if (recommendation.currency().empty()) return "";
  return FormatMoney(recommendation.cost(), recommendation.currency());
}

/// "19 days to 23.1 days"; empty where the time is given and not predicted.
std::string Interval(const v1::Recommendation& recommendation) {
  const absl::Duration low = ToDuration(recommendation.total_duration_low());
  const absl::Duration high = ToDuration(recommendation.total_duration_high());
  if (low == high) return "";
  return fmt::format("{} to {}", DurationText(low), DurationText(high));
}

std::string MemoryText(const v1::MemoryPerGpu& memory) {
  return fmt::format("{:.1f} / {:.1f} GiB", static_cast<double>(memory.total_bytes()) / 0x1p30,
                     static_cast<double>(memory.capacity_bytes()) / 0x1p30);
}

std::string SourceText(v1::Recommendation::UtilizationSource source) {
  switch (source) {
    case v1::Recommendation::PREDICTED:
      return "predicted";
    case v1::Recommendation::MEASURED:
      return "measured";
    case v1::Recommendation::GIVEN:
      return "given";
    default:
      return "unknown";
  }
}

/// What runs have moved: "Step time: 1.08 x the 3.1 s that the model alone predicts, by 12 runs (kernels)"; empty where they have not.
std::string CorrectionText(const v1::Recommendation& one) {
  const v1::CalibrationInfo& info = one.calibration();
  if (!one.has_calibration() || info.factor() == 1) return "";
  return fmt::format("Step time: {:.4g} x the {} that the model alone predicts, by {:.3g} run{} ({})", info.factor(),
                     DurationText(ToDuration(info.predicted_step_duration())), info.run_count(),
                     std::abs(info.run_count() - 1) < 0.005 ? "" : "s", info.level());
}

/// "1.05M tokens/s", "980 samples/s": which of the two follows from the data set, or else from the samples of a step.
std::string Rate(const v1::EstimateResponse& estimate, const v1::Recommendation& one) {
  const double per_step = one.tokens_per_second() * absl::ToDoubleSeconds(ToDuration(one.step_duration()));
  const auto samples = static_cast<double>(one.global_batch());
  // A sequence may be of one token.
  const bool is_samples = estimate.token_count() <= 0 && std::abs(per_step - samples) < 1e-3 * samples;
  return fmt::format("{} {}/s", FormatCount(one.tokens_per_second()), is_samples ? "samples" : "tokens");
}

void PrintLine(std::ostream& out, std::string_view label, std::string_view text) {
  out << fmt::format("{:<7} {}\n", label, Printable(text));
}

std::string AnswerLine(const v1::EstimateResponse& estimate) {
  if (estimate.recommendations().empty()) return "no plan meets the request";
  const v1::Recommendation& best = estimate.recommendations(0);
  const std::string nodes =
      fmt::format("in {} node{}", FormatGrouped(best.node_count()), best.node_count() == 1 ? "" : "s");
  const std::string where = best.cluster().empty() ? "" : fmt::format(" of {}", best.cluster());
  if (!HasDataSet(best)) {
    return fmt::format("{} {}{}: {} per step, {}; no data set was given", Cards(best), nodes, where,
                       DurationText(ToDuration(best.step_duration())), Rate(estimate, best));
  }
  const std::string interval = Interval(best);
  return fmt::format("{} {}{} for {}{}{}", Cards(best), nodes, where, DurationText(ToDuration(best.total_duration())),
                     interval.empty() ? "" : fmt::format(" (90 %: {})", interval),
                     best.has_finish_time() ? fmt::format(", until {}", TimeText(ToTime(best.finish_time()))) : "");
}

std::string CostLine(const v1::Recommendation& best) {
  const std::string money = Money(best);
  return Joined({FormatCount(best.gpu_hours()) + " GPU hours", money.empty() ? "no price known" : money,
                 best.energy_kwh() > 0 ? FormatCount(best.energy_kwh()) + " kWh" : ""});
}

std::string WorkLine(const v1::EstimateResponse& estimate) {
  const auto parameters = static_cast<double>(estimate.parameter_count());
  const auto active = static_cast<double>(estimate.active_parameter_count());
  std::string flops = FormatScientific(estimate.model_flops()) + " FLOPs";
  if (estimate.hardware_flops() > estimate.model_flops()) {
    flops += fmt::format(" ({} with recomputation)", FormatScientific(estimate.hardware_flops()));
  }
  std::string data = "one step";
  if (estimate.token_count() > 0) {
    data = FormatCount(estimate.token_count()) + " tokens";
  } else if (estimate.sample_count() > 0) {
    data = FormatCount(estimate.sample_count()) + " samples";
  }
  return Joined({fmt::format("{}: {} parameters", estimate.model(), FormatCount(parameters)),
                 active < parameters ? FormatCount(active) + " active" : "", data, flops});
}

void PrintCandidates(const v1::EstimateResponse& estimate, const TableStyle& style, std::ostream& out) {
  using enum Table::Align;
  const auto& all = estimate.recommendations();
  const bool has_data = HasDataSet(all.Get(0));
  const bool has_cost = std::any_of(all.begin(), all.end(), [](const auto& one) { return !one.currency().empty(); });
  const bool has_cluster = std::any_of(all.begin(), all.end(), [](const auto& one) { return !one.cluster().empty(); });
  std::vector<Table::Column> columns = {{"GPU TYPE"},      {"GPUS", kRight},           {"LAYOUT"},
                                        {"RECOMPUTE"},     {"MEMORY PER GPU", kRight}, {"MFU", kRight},
                                        {"BATCH", kRight}, {"STEP", kRight},           {"SOURCE"}};
  if (has_data) columns.insert(columns.end(), {{"TOTAL", kRight}, {"GPU HOURS", kRight}});
  if (has_cost) columns.push_back({"COST", kRight});
  if (has_cluster) columns.insert(columns.end(), {{"CLUSTER"}, {"START"}});
  if (has_cluster && has_data) columns.push_back({"FINISH"});
  Table table(std::move(columns));
  for (const v1::Recommendation& one : all) {
    std::vector<std::string> row = {one.gpu_type(),
                                    FormatGrouped(one.gpu_count()),
                                    LayoutText(one.layout()),
                                    RecomputeText(one.layout().recompute()),
                                    MemoryText(one.memory_per_gpu()),
                                    FormatPercent(one.model_flops_utilization()),
                                    FormatGrouped(one.global_batch()),
                                    DurationText(ToDuration(one.step_duration())),
                                    SourceOf(one)};
    if (has_data) {
      row.push_back(DurationText(ToDuration(one.total_duration())));
      row.push_back(FormatCount(one.gpu_hours()));
    }
    if (has_cost) row.push_back(Money(one));
    if (has_cluster) row.insert(row.end(), {one.cluster(), TimeText(ToTime(one.start_time()))});
    if (has_cluster && has_data) row.push_back(TimeText(ToTime(one.finish_time())));
    table.AddRow(std::move(row));
  }
  table.Print(out, style);
}

/// What a reader who would trade time for cards or money chooses from.
void PrintFront(const v1::EstimateResponse& estimate, const TableStyle& style, std::ostream& out) {
  using enum Table::Align;
  if (estimate.pareto_front_size() < 2) return;
  out << "\nNo option beats these in time, cards and cost at once\n";
  Table table({{"  GPU TYPE"}, {"GPUS", kRight}, {"LAYOUT"}, {"STEP", kRight}, {"TOTAL", kRight}, {"GPU HOURS", kRight},
               {"COST", kRight}, {"CLUSTER"}});
  for (const v1::ParetoOption& option : estimate.pareto_front()) {
    const absl::Duration total = ToDuration(option.total_duration());
    table.AddRow({"  " + option.gpu_type(), FormatGrouped(option.gpu_count()), LayoutText(option.layout()),
                  DurationText(ToDuration(option.step_duration())), total > absl::ZeroDuration() ? DurationText(total) : "",
                  option.gpu_hours() > 0 ? FormatCount(option.gpu_hours()) : "",
                  option.currency().empty() ? "" : FormatMoney(option.cost(), option.currency()),
                  option.cluster()});
  }
  table.Print(out, style);
}

/// What was last measured of the pools that were planned on, and how old it is.
void PrintUtilization(const v1::EstimateResponse& estimate, std::ostream& out) {
  if (estimate.provenance().utilization().empty()) return;
  out << "\nMeasured on the cluster\n";
  for (const v1::MeasuredUtilization& measured : estimate.provenance().utilization()) {
    out << Printable(fmt::format("  - {}: {}", measured.node_pool(), MeasuredText(measured))) << '\n';
  }
}

void PrintExplanation(const v1::EstimateResponse& estimate, const TableStyle& style, std::ostream& out) {
  const v1::Recommendation& best = estimate.recommendations(0);
  const v1::MemoryPerGpu& memory = best.memory_per_gpu();
  const v1::Layout& layout = best.layout();
  out << "\nMemory of the fullest GPU\n";
  Table table({{"  PART"}, {"SIZE", Table::Align::kRight}});
  const std::array<std::pair<const char*, int64_t>, 7> parts = {{{"  parameters", memory.parameter_bytes()},
                                                                 {"  gradients", memory.gradient_bytes()},
                                                                 {"  optimizer", memory.optimizer_bytes()},
                                                                 {"  activations", memory.activation_bytes()},
                                                                 {"  overhead", memory.overhead_bytes()},
                                                                 {"  total", memory.total_bytes()},
                                                                 {"  capacity", memory.capacity_bytes()}}};
  for (const auto& [name, bytes] : parts) table.AddRow({name, FormatGib(bytes)});
  if (memory.high_bytes() > 0) {
    table.AddRow(
        {"  90 % interval", fmt::format("{} to {}", FormatGib(memory.low_bytes()), FormatGib(memory.high_bytes()))});
  }
  table.Print(out, {.headers = false, .bold = style.bold});

  if (!best.step_terms().empty()) {
    out << "\nTime of one step\n";
    const absl::Duration step = ToDuration(best.step_duration());
    Table terms({{"  TERM"}, {"TIME", Table::Align::kRight}, {"SHARE", Table::Align::kRight}});
    for (const v1::StepTerm& term : best.step_terms()) {
      const absl::Duration time = ToDuration(term.duration());
      terms.AddRow({"  " + Printable(term.name()), DurationText(time),
                    FormatPercent(step > absl::ZeroDuration() ? absl::FDivDuration(time, step) : 0)});
    }
    terms.AddRow({"  step", DurationText(step), ""});
    terms.Print(out, {.headers = false, .bold = style.bold});
  }

  out << "\nLayout and speed\n";
  out << Printable(fmt::format("  {}; micro-batch {}, {} micro-batches per step, global batch {}, ZeRO stage {}, "
                               "recomputation {}, sequence parallelism {}",
                               LayoutText(layout), FormatGrouped(layout.micro_batch_size()),
                               FormatGrouped(best.micro_batch_count()), FormatGrouped(best.global_batch()),
                               layout.zero_stage(), RecomputeText(layout.recompute()),
                               layout.sequence_parallel() ? "on" : "off"))
      << '\n';
  out << Printable(fmt::format("  MFU {}, HFU {} ({}); {}; limited by {}",
                               FormatPercent(best.model_flops_utilization()),
                               FormatPercent(best.hardware_flops_utilization()), SourceText(best.utilization_source()),
                               Rate(estimate, best), best.limited_by().empty() ? "nothing" : best.limited_by()))
      << '\n';
  if (const std::string correction = CorrectionText(best); !correction.empty())
    out << Printable("  " + correction) << '\n';
  if (!best.next_better().empty()) out << Printable(fmt::format("  Not possible: {}", best.next_better())) << '\n';

  if (!best.launch().empty()) out << "\nLaunch\n";
  for (const v1::LaunchFlags& launch : best.launch()) {
    out << Printable(fmt::format("  {}: {}", launch.framework(),
                                 launch.unsupported().empty() ? launch.flags() : "cannot run " + launch.unsupported()))
        << '\n';
    if (!launch.config().empty()) out << Printable(fmt::format("    FILE: {}", launch.config())) << '\n';
  }

  out << "\nHow the numbers came about\n";
  for (const std::string& sentence : best.explanation()) {
    out << "  - " << Printable(sentence) << '\n';
  }
}

}  // namespace

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string Cards(const v1::Recommendation& recommendation) {
  return fmt::format("{} × {}", FormatGrouped(recommendation.gpu_count()), recommendation.gpu_type());
}

std::string LayoutText(const v1::Layout& layout) {
  const std::array<std::pair<const char*, int64_t>, 6> degrees = {{{"DP", layout.data_parallel()},
                                                                   {"TP", layout.tensor_parallel()},
                                                                   {"PP", layout.pipeline_parallel()},
                                                                   {"CP", layout.context_parallel()},
                                                                   {"VPP", layout.virtual_pipeline()},
                                                                   {"EP", layout.expert_parallel()}}};
  std::string text;
  for (const auto& [name, degree] : degrees) {
    if (degree <= 1) continue;
    // Chunks and experts do not multiply the cards.
    const bool multiplies = name != std::string_view("VPP") && name != std::string_view("EP");
    if (!text.empty()) text += multiplies ? " × " : ", ";
    text += fmt::format("{} {}", name, degree);
  }
  if (layout.shard_group() > 0) text += fmt::format(", sharded by {}", layout.shard_group());
  return text.empty() ? "single GPU" : text;
}

std::string RecomputeText(v1::Layout::Recompute recompute) {
  switch (recompute) {
    case v1::Layout::NONE:
      return "none";
    case v1::Layout::SELECTIVE:
      return "selective";
    case v1::Layout::FULL:
      return "full";
    default:
      return "unknown";
  }
}

std::string SourceOf(const v1::Recommendation& one) {
  std::string text = SourceText(one.utilization_source());
  if (one.utilization_source() != v1::Recommendation::MEASURED) return text;
  const double runs = one.calibration().run_count();
  return text + fmt::format(", {:.3g} run{}", runs, std::abs(runs - 1) < 0.005 ? "" : "s");
}

void PrintEstimate(const v1::EstimateResponse& estimate, bool explain, const TableStyle& style, std::ostream& out) {
  PrintLine(out, "Answer", AnswerLine(estimate));
  if (!estimate.recommendations().empty() && HasDataSet(estimate.recommendations(0))) {
    PrintLine(out, "Cost", CostLine(estimate.recommendations(0)));
  }
  PrintLine(out, "Work", WorkLine(estimate));
  if (estimate.recommendations().empty()) return;
  out << '\n';
  PrintCandidates(estimate, style, out);
  if (!estimate.infeasible_reasons().empty()) {
    out << "\nNot possible\n";
    for (const std::string& reason : estimate.infeasible_reasons()) {
      out << "  - " << Printable(reason) << '\n';
    }
  }
  if (explain) {
    PrintFront(estimate, style, out);
    PrintExplanation(estimate, style, out);
    PrintUtilization(estimate, out);
  }
}

}  // namespace planner::plannerctl
