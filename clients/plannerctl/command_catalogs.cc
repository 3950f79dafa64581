// gpu, model, precision, counter: what the planner knows.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "clients/plannerctl/command.h"
#include "clients/plannerctl/numbers.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using enum Table::Align;

template <typename Strings>
std::string Joined(const Strings& strings) {
  std::string text;
  for (const std::string& one : strings) text += (text.empty() ? "" : ", ") + one;
  return text;
}

/// Rows of "Label  value", without headers.
void PrintDetails(const std::vector<std::pair<std::string, std::string>>& details, const TableStyle& style,
                  std::ostream& out) {
  Table table({{""}, {""}});
  for (const auto& [label, value] : details) {
    if (!value.empty()) table.AddRow({label, value});
  }
  table.Print(out, {.headers = false, .bold = style.bold});
}

double PeakOf(const v1::GpuType& gpu, std::string_view precision) {
  for (const v1::PeakRate& peak : gpu.peaks()) {
    if (peak.precision() == precision) return peak.flops_per_second();
  }
  return 0;
}

absl::StatusOr<ExitCode> ListGpus(Session& session) {
  ASSIGN_OR_RETURN(const v1::ListGpuTypesResponse gpus,
                   session.CallAllPages(&v1::ClusterService::Stub::ListGpuTypes, v1::ListGpuTypesRequest()));
  session.Print(gpus, [&](std::ostream& out) {
    Table table({{"NAME"},
                 {"MEMORY", kRight},
                 {"GB/S", kRight},
                 {"FP32 TFLOPS", kRight},
                 {"FP16", kRight},
                 {"BF16", kRight},
                 {"FP8", kRight},
                 {"LINK GB/S", kRight},
                 {"WATTS", kRight},
                 {"YEAR", kRight}});
    for (const v1::GpuType& gpu : gpus.gpu_types()) {
      table.AddRow({gpu.name(), FormatGib(gpu.memory_bytes()), FormatRate(gpu.memory_bandwidth_bytes_per_second(), 1e9),
                    FormatRate(PeakOf(gpu, "fp32"), 1e12), FormatRate(PeakOf(gpu, "fp16"), 1e12),
                    FormatRate(PeakOf(gpu, "bf16"), 1e12), FormatRate(PeakOf(gpu, "fp8"), 1e12),
                    FormatRate(gpu.link_bandwidth_bytes_per_second(), 1e9), FormatRate(gpu.power_watts(), 1),
                    gpu.release_year() == 0 ? "-" : fmt::format("{}", gpu.release_year())});
    }
    table.Print(out, session.style());
  });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> GetGpu(const std::string& name, Session& session) {
  v1::GetGpuTypeRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::GpuType gpu, session.Call(&v1::ClusterService::Stub::GetGpuType, request));
  session.Print(gpu, [&](std::ostream& out) {
    std::vector<std::pair<std::string, std::string>> details = {
        {"Name", gpu.name()},
        {"Aliases", Joined(gpu.aliases())},
        {"Vendor", gpu.vendor()},
        {"Architecture", gpu.architecture()},
        {"Memory", fmt::format("{}, {} GB/s", FormatGib(gpu.memory_bytes()),
                               FormatRate(gpu.memory_bandwidth_bytes_per_second(), 1e9))}};
    for (const v1::PeakRate& peak : gpu.peaks()) {
      details.emplace_back("Peak " + peak.precision(), FormatRate(peak.flops_per_second(), 1e12) + " TFLOP/s, dense");
    }
    details.insert(
        details.end(),
        {{"Link", fmt::format("{} {} GB/s per direction, {} cards", gpu.link(),
                              FormatRate(gpu.link_bandwidth_bytes_per_second(), 1e9), gpu.scale_up_domain())},
         {"Network", FormatRate(gpu.network_bandwidth_bytes_per_second(), 1e9) + " GB/s per card"},
         {"Cards per node", fmt::format("{}", gpu.gpus_per_node())},
         {"Power", FormatRate(gpu.power_watts(), 1) + " W"},
         {"Released", gpu.release_year() == 0 ? "" : fmt::format("{}", gpu.release_year())},
         {"Verified", gpu.verified() ? "yes" : "no"},
         {"Notes", gpu.notes()}});
    PrintDetails(details, session.style(), out);
  });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListModels(Session& session) {
  ASSIGN_OR_RETURN(const v1::ListModelsResponse models,
                   session.CallAllPages(&v1::EstimationService::Stub::ListModels, v1::ListModelsRequest()));
  session.Print(models, [&](std::ostream& out) {
    Table table({{"NAME"}, {"FAMILY"}, {"PARAMETERS", kRight}, {"ACTIVE", kRight}, {"SEQ LEN", kRight}, {"ALIASES"}});
    for (const v1::ModelInfo& model : models.models()) {
      table.AddRow({model.name(), model.family(), FormatCount(static_cast<double>(model.parameter_count())),
                    FormatCount(static_cast<double>(model.active_parameter_count())),
                    model.has_sequence() ? FormatGrouped(model.default_seq_len()) : "-", Joined(model.aliases())});
    }
    table.Print(out, session.style());
  });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> GetModel(const std::string& name, Session& session) {
  v1::GetModelRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::ModelInfo model, session.Call(&v1::EstimationService::Stub::GetModel, request));
  session.Print(model, [&](std::ostream& out) {
    PrintDetails({{"Name", model.name()},
                  {"Aliases", Joined(model.aliases())},
                  {"Family", model.family()},
                  {"Parameters", FormatGrouped(model.parameter_count())},
                  {"Active", FormatGrouped(model.active_parameter_count())},
                  {"Positions", model.has_sequence()
                                    ? fmt::format("{} planned by default", FormatGrouped(model.default_seq_len()))
                                    : "none"}},
                 session.style(), out);
    // The description itself, line by line: escapes in it must not reach a terminal.
    out << '\n';
    std::istringstream lines(model.source_text());
    for (std::string line; std::getline(lines, line);) out << Printable(line) << '\n';
  });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListPrecisions(Session& session) {
  ASSIGN_OR_RETURN(const v1::ListPrecisionsResponse precisions,
                   session.Call(&v1::EstimationService::Stub::ListPrecisions, v1::ListPrecisionsRequest()));
  session.Print(precisions, [&](std::ostream& out) {
    // A column per optimizer that some precision trains with, in the order of their appearance.
    std::vector<std::string> optimizers;
    for (const v1::PrecisionInfo& precision : precisions.precisions()) {
      for (const v1::OptimizerMemory& memory : precision.training()) {
        if (std::find(optimizers.begin(), optimizers.end(), memory.optimizer()) == optimizers.end()) {
          optimizers.push_back(memory.optimizer());
        }
      }
    }
    std::vector<Table::Column> columns = {{"PRECISION"}, {"BYTES", kRight}, {"WEIGHTS", kRight}, {"INFERENCE", kRight}};
    for (const std::string& optimizer : optimizers) columns.push_back({optimizer, kRight});
    Table table(std::move(columns));
    for (const v1::PrecisionInfo& precision : precisions.precisions()) {
      std::vector<std::string> row = {precision.name(), fmt::format("{:g}", precision.weight_bytes_per_element()),
                                      fmt::format("{:.2f}", precision.weights_gib_per_billion()),
                                      fmt::format("{:.2f}", precision.inference_gib_per_billion())};
      for (const std::string& optimizer : optimizers) {
        std::string cell = "-";
        for (const v1::OptimizerMemory& memory : precision.training()) {
          if (memory.optimizer() == optimizer) cell = fmt::format("{:.2f}", memory.gib_per_billion());
        }
        row.push_back(std::move(cell));
      }
      table.AddRow(std::move(row));
    }
    if (session.style().headers) {
      out << "GiB per billion parameters: weights alone, inference without KV cache, and training "
             "by optimizer without activations\n\n";
    }
    table.Print(out, session.style());
  });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ListCounters(Session& session) {
  ASSIGN_OR_RETURN(const v1::ListCountersResponse counters,
                   session.Call(&v1::EstimationService::Stub::ListCounters, v1::ListCountersRequest()));
  session.Print(counters, [&](std::ostream& out) {
    Table table({{"NAME"}, {"VERSION"}, {"STATE"}, {"BACKWARD"}, {"DESCRIPTION"}});
    for (const v1::CounterInfo& counter : counters.counters()) {
      table.AddRow({counter.name(), counter.version(), counter.up() ? "up" : "down",
                    counter.counts_backward() ? "counted" : "derived", counter.description()});
    }
    table.Print(out, session.style());
  });
  return ExitCode::kOk;
}

/// "NOUN list", for lists without flags.
void AddList(CLI::App& noun, const char* description, Action list, Action& chosen) {
  noun.add_subcommand("list", description)->callback([list = std::move(list), &chosen] { chosen = list; });
}

/// "NOUN get NAME".
void AddGet(CLI::App& noun, const char* description, absl::StatusOr<ExitCode> (*get)(const std::string&, Session&),
            Action& chosen) {
  CLI::App& command = *noun.add_subcommand("get", description);
  const auto name = std::make_shared<std::string>();
  command.add_option("name", *name, "Name or alias")->required();
  command.callback([name, get, &chosen] { chosen = [name, get](Session& session) { return get(*name, session); }; });
}

CLI::App& AddNoun(CLI::App& root, const char* name, const char* description) {
  return *root.add_subcommand(name, description)->require_subcommand(1);
}

}  // namespace

void AddGpuCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = AddNoun(root, "gpu", "The catalogue of GPU types");
  AddList(noun, "All types", ListGpus, chosen);
  AddGet(noun, "One type, by name or alias", GetGpu, chosen);
}

void AddModelCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = AddNoun(root, "model", "The catalogue of models");
  AddList(noun, "All models", ListModels, chosen);
  AddGet(noun, "One model and its description", GetModel, chosen);
}

void AddPrecisionCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = AddNoun(root, "precision", "Bytes per element and per billion parameters");
  AddList(noun, "All precisions, by optimizer", ListPrecisions, chosen);
}

void AddCounterCommand(CLI::App& root, Action& chosen) {
  CLI::App& noun = AddNoun(root, "counter", "The counters of FLOPs and MACs");
  AddList(noun, "All counters", ListCounters, chosen);
}

}  // namespace planner::plannerctl
