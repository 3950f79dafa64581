#include "clients/plannerctl/inference_view.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

std::string TimeOf(const google::protobuf::Duration& duration) { return DurationText(ToDuration(duration)); }

std::string CardsOf(const v1::InferenceOption& option) {
  return fmt::format("{} × {}", FormatGrouped(option.gpu_count()), option.gpu_type());
}

/// Of all options the one that makes most of a card.
const v1::InferenceOption& BestOf(const v1::EstimateResponse& estimate) {
  return *std::max_element(estimate.inference().begin(), estimate.inference().end(), [](const auto& a, const auto& b) {
    return a.max_batch_tokens_per_second_per_gpu() < b.max_batch_tokens_per_second_per_gpu();
  });
}

std::string AnswerText(const v1::EstimateResponse& estimate) {
  if (estimate.inference().empty()) return "no option holds the model and the batch";
  const v1::InferenceOption& best = BestOf(estimate);
  return fmt::format("most per GPU: {} with {} sequences at once: {} tokens/s ({} per GPU)", CardsOf(best),
                     FormatGrouped(best.max_batch()), FormatCount(best.max_batch_tokens_per_second()),
                     FormatCount(best.max_batch_tokens_per_second_per_gpu()));
}

void PrintOptions(const v1::EstimateResponse& estimate, const TableStyle& style, std::ostream& out) {
  using enum Table::Align;
  const auto& options = estimate.inference();
  const bool has_cost =
      std::any_of(options.begin(), options.end(), [](const auto& one) { return !one.currency().empty(); });
  std::vector<Table::Column> columns = {{"GPU TYPE"},
                                        {"GPUS", kRight},
                                        {"MEMORY PER GPU", kRight},
                                        {"BATCH", kRight},
                                        {"PREFILL", kRight},
                                        {"PER TOKEN", kRight},
                                        {"TOKENS/S", kRight},
                                        {"LIMITED BY"},
                                        {"MOST SEQUENCES", kRight},
                                        {"THEN TOKENS/S", kRight},
                                        {"PER GPU", kRight}};
  if (has_cost) columns.push_back({"COST PER M TOKENS", kRight});
  Table table(std::move(columns));
  for (const v1::InferenceOption& option : options) {
    std::vector<std::string> row = {
        option.gpu_type(),
        FormatGrouped(option.gpu_count()),
        fmt::format("{:.1f} / {:.1f} GiB", static_cast<double>(option.memory_per_gpu().total_bytes()) / 0x1p30,
                    static_cast<double>(option.memory_per_gpu().capacity_bytes()) / 0x1p30),
        FormatGrouped(option.batch()),
        TimeOf(option.prefill_duration()),
        TimeOf(option.decode_step_duration()),
        FormatCount(option.tokens_per_second()),
        option.limited_by(),
        FormatGrouped(option.max_batch()),
        FormatCount(option.max_batch_tokens_per_second()),
        FormatCount(option.max_batch_tokens_per_second_per_gpu())};
    if (has_cost)
      row.push_back(option.currency().empty() ? "" : FormatMoney(option.cost_per_million_tokens(), option.currency()));
    table.AddRow(std::move(row));
  }
  table.Print(out, style);
}

void PrintExplanation(const v1::InferenceOption& option, const TableStyle& style, std::ostream& out) {
  const v1::InferenceMemory& memory = option.memory_per_gpu();
  out << '\n' << Printable("Memory of each GPU of " + CardsOf(option)) << '\n';
  Table parts({{"  PART"}, {"SIZE", Table::Align::kRight}});
  for (const auto& [name, bytes] :
       std::array<std::pair<const char*, int64_t>, 6>{{{"  weights", memory.weight_bytes()},
                                                       {"  cache", memory.cache_bytes()},
                                                       {"  activations", memory.activation_bytes()},
                                                       {"  overhead", memory.overhead_bytes()},
                                                       {"  total", memory.total_bytes()},
                                                       {"  capacity", memory.capacity_bytes()}}}) {
    parts.AddRow({name, FormatGib(bytes)});
  }
  parts.Print(out, {.headers = false, .bold = style.bold});
  out << "\nTime of one decode step\n";
  Table terms({{"  TERM"}, {"TIME", Table::Align::kRight}});
  for (const v1::StepTerm& term : option.decode_terms())
    terms.AddRow({"  " + Printable(term.name()), TimeOf(term.duration())});
  terms.AddRow({"  step", TimeOf(option.decode_step_duration())});
  terms.Print(out, {.headers = false, .bold = style.bold});
  out << "\nHow the numbers came about\n";
  for (const std::string& sentence : option.explanation()) out << "  - " << Printable(sentence) << '\n';
}

}  // namespace

void PrintInference(const v1::EstimateResponse& estimate, bool explain, const TableStyle& style, std::ostream& out) {
  out << Printable("Answer  " + AnswerText(estimate)) << '\n';
  out << Printable(fmt::format("Work    {}: {} parameters, {} FLOPs a prompt", estimate.model(),
                               FormatCount(static_cast<double>(estimate.parameter_count())),
                               FormatScientific(estimate.model_flops())))
      << '\n';
  if (estimate.inference().empty()) return;
  out << '\n';
  PrintOptions(estimate, style, out);
  if (!estimate.infeasible_reasons().empty()) {
    out << "\nNot possible\n";
    for (const std::string& reason : estimate.infeasible_reasons()) out << "  - " << Printable(reason) << '\n';
  }
  if (explain) PrintExplanation(estimate.inference(0), style, out);
}

}  // namespace planner::plannerctl
