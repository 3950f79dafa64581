#include "clients/plannerctl/count_view.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

using enum Table::Align;

std::string Short(int64_t value) { return FormatCount(static_cast<double>(value)); }

/// "batch 1, 2048 positions", "input 1x3x224x224": a batch that only the shapes say is not repeated.
std::string BatchText(const v1::BatchShape& shape) {
  std::string text;
  if (shape.has_batch() || shape.inputs().empty())
    text = fmt::format("batch {}", shape.has_batch() ? shape.batch() : 1);
  if (shape.seq_len() > 0) text += fmt::format("{}{} positions", text.empty() ? "" : ", ", shape.seq_len());
  for (const v1::TensorShape& input : shape.inputs()) {
    text += fmt::format("{}{} ", text.empty() ? "" : ", ", input.name().empty() ? "input" : input.name());
    for (int i = 0; i < input.dimensions_size(); ++i) {
      text += fmt::format("{}{}", i > 0 ? "x" : "", input.dimensions(i));
    }
    if (!input.dtype().empty()) text += " " + input.dtype();
  }
  return text;
}

void PrintHeadline(const v1::CountResponse& count, std::ostream& out) {
  const auto line = [&out](std::string_view label, const std::string& text) {
    out << fmt::format("{:<12} {}\n", label, Printable(text));
  };
  std::string parameters = FormatGrouped(count.parameter_count());
  if (count.active_parameter_count() != count.parameter_count()) {
    parameters += fmt::format(", {} active", FormatGrouped(count.active_parameter_count()));
  }
  if (count.stored_parameter_count() != count.parameter_count()) {
    parameters += fmt::format(", {} stored", FormatGrouped(count.stored_parameter_count()));
  }
  if (count.non_embedding_parameter_count() != count.parameter_count()) {
    parameters += fmt::format(", {} non-embedding", FormatGrouped(count.non_embedding_parameter_count()));
  }
  const auto work = [](const v1::Work& one) {
    return fmt::format("{} MACs = {} FLOPs, {} other FLOPs", FormatGrouped(one.macs()), FormatGrouped(one.flops()),
                       FormatGrouped(one.other_flops()));
  };
  line("Parameters", parameters);
  std::string forward = work(count.forward());
  if (count.forward().causal_macs() != count.forward().macs()) {
    forward += fmt::format("; {} MACs causal", FormatGrouped(count.forward().causal_macs()));
  }
  line("Forward", forward);
  if (count.backward().macs() > 0 || count.backward().other_flops() > 0) {
    const bool derived = count.provenance().backward() == v1::CountProvenance::DERIVED;
    line("Backward", work(count.backward()) + (derived ? " (derived from forward)" : ""));
  }
  line("Activations", FormatGib(count.activation_bytes()) +
                          (count.peak_live_bytes() > 0
                               ? fmt::format(" kept; at most {} of tensors alive at once", FormatGib(count.peak_live_bytes()))
                               : ""));
  line("Counted", fmt::format("{} on {}, by {} {}{}{}", count.model(), BatchText(count.batch_shape()),
                              count.provenance().counter(), count.provenance().counter_version(),
                              count.provenance().backward() == v1::CountProvenance::COUNTED ? ", backward pass counted" : "",
                              count.provenance().cached() ? ", remembered" : ""));
  if (count.uncounted_operators().empty()) return;
  std::string missing;
  for (const v1::UncountedOperator& one : count.uncounted_operators()) {
    missing += fmt::format("{}{} ({} calls)", missing.empty() ? "" : ", ", one.kind(), one.call_count());
  }
  line("NOT COUNTED", missing + ": the figures are without them");
}

/// The tree: a module is indented below the nearest row that is a prefix of its path.
void PrintModules(const v1::CountResponse& count, const TableStyle& style, std::ostream& out) {
  Table table({{"MODULE"},
               {"KIND"},
               {"PARAMETERS", kRight},
               {"FORWARD MACS", kRight},
               {"OTHER FLOPS", kRight},
               {"BACKWARD MACS", kRight},
               {"ACTIVATIONS", kRight}});
  std::vector<std::string_view> ancestors;
  for (const v1::ModuleCount& module : count.modules()) {
    const std::string_view path = module.path();
    const auto encloses = [&path](std::string_view ancestor) {
      return ancestor.empty() ||
             (path.starts_with(ancestor) && path.size() > ancestor.size() && path[ancestor.size()] == '.');
    };
    while (!ancestors.empty() && (path.empty() || !encloses(ancestors.back()))) {
      ancestors.pop_back();
    }
    const size_t skip = ancestors.empty() || ancestors.back().empty() ? 0 : ancestors.back().size() + 1;
    std::string name = path.empty() ? "(model)" : std::string(path.substr(skip));
    if (module.instance_count() > 1) name += fmt::format(" × {}", module.instance_count());
    table.AddRow({std::string(2 * ancestors.size(), ' ') + name, module.kind(), FormatGrouped(module.parameter_count()),
                  FormatGrouped(module.forward().macs()), Short(module.forward().other_flops()),
                  FormatGrouped(module.backward().macs()), FormatGib(module.activation_bytes())});
    ancestors.push_back(path);
  }
  table.Print(out, style);
}

void PrintOperators(const v1::CountResponse& count, const TableStyle& style, std::ostream& out) {
  Table table(
      {{"OPERATOR"}, {"CALLS", kRight}, {"FORWARD MACS", kRight}, {"OTHER FLOPS", kRight}, {"BACKWARD MACS", kRight}});
  for (const v1::OperatorCount& one : count.operators()) {
    table.AddRow({one.kind(), FormatGrouped(one.call_count()), FormatGrouped(one.forward().macs()),
                  Short(one.forward().other_flops()), FormatGrouped(one.backward().macs())});
  }
  table.Print(out, style);
}

}  // namespace

void PrintCount(const v1::CountResponse& count, const TableStyle& style, std::ostream& out) {
  PrintHeadline(count, out);
  if (!count.modules().empty()) {
    out << '\n';
    PrintModules(count, style, out);
  }
  if (!count.operators().empty()) {
    out << '\n';
    PrintOperators(count, style, out);
  }
}

}  // namespace planner::plannerctl
