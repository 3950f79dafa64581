#include <grpcpp/client_context.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "clients/plannerctl/cluster_commands.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/measured_text.h"
#include "clients/plannerctl/numbers.h"
#include "clients/plannerctl/utilization_file.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "planner/v1/cluster_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

using enum Table::Align;
using Stub = v1::ClusterService::Stub;

constexpr size_t kSamplesOfAMessage = 1000;

std::vector<std::string> CellsOf(const v1::UtilizationSummary& summary) {
  const auto ratio = [](bool is_there, double value) { return is_there ? FormatPercent(value) : "-"; };
  return {FormatGrouped(summary.sample_count()),
          ratio(summary.has_busy_ratio(), summary.busy_ratio()),
          ratio(summary.has_tensor_active_ratio(), summary.tensor_active_ratio()),
          ratio(summary.has_memory_active_ratio(), summary.memory_active_ratio()),
          summary.has_memory_used_bytes() ? FormatGib(std::llround(summary.memory_used_bytes())) : "-",
          summary.has_power_watts() ? FormatRate(summary.power_watts(), 1) : "-"};
}

void PrintUtilization(const v1::GetUtilizationResponse& response, const TableStyle& style, std::ostream& out) {
  const auto table_of = [](std::vector<Table::Column> columns) {
    for (const char* title : {"SAMPLES", "BUSY", "TENSOR", "MEMORY", "USED", "WATTS"})
      columns.push_back({title, kRight});
    return Table(columns);
  };
  const auto add = [](std::vector<std::string> cells, const v1::UtilizationSummary& summary, Table& table) {
    for (std::string& cell : CellsOf(summary)) cells.push_back(std::move(cell));
    table.AddRow(std::move(cells));
  };
  Table pools = table_of({{"POOL"}, {"GPU TYPE"}, {"LAST SAMPLE"}});
  Table periods = table_of({{"POOL"}, {"FROM"}, {"FOR"}});
  bool has_periods = false;
  for (const v1::PoolUtilization& pool : response.pools()) {
    const v1::UtilizationSummary& whole = pool.summary();
    add({pool.node_pool(), pool.gpu_type(),
         whole.has_last_sample_time() ? TimeText(ToTime(whole.last_sample_time())) : "-"},
        whole, pools);
    for (const v1::UtilizationSummary& one : pool.periods()) {
      has_periods = true;
      add({pool.node_pool(), TimeText(ToTime(one.start_time())), DurationText(ToDuration(one.duration()))}, one,
          periods);
    }
  }
  pools.Print(out, style);
  bool is_first = true;
  for (const v1::PoolUtilization& pool : response.pools()) {
    if (!pool.has_latest()) continue;
    out << (std::exchange(is_first, false) ? "\n" : "") << Printable(fmt::format("{}: {}", pool.node_pool(), MeasuredText(pool.latest()))) << '\n';
  }
  if (!has_periods) return;
  out << '\n';
  periods.Print(out, style);
}

absl::StatusOr<ExitCode> Show(const std::string& cluster, const std::string& since, const std::string& pool,
                              Session& session) {
  v1::GetUtilizationRequest request;
  request.set_cluster(cluster);
  request.set_node_pool(pool);
  RETURN_IF_ERROR(FillFlag("--since", since, ParseDuration, [&](absl::Duration length) {
    SetTime(session.now() - length, *request.mutable_start_time());
  }));
  ASSIGN_OR_RETURN(const v1::GetUtilizationResponse response, session.Call(&Stub::GetUtilization, request));
  session.Print(response, [&](std::ostream& out) { PrintUtilization(response, session.style(), out); });
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Report(const std::string& cluster, const std::string& path, Session& session) {
  std::ifstream file;
  if (path != "-") {
    errno = 0;
    file.open(path);
    if (!file)
      return absl::InvalidArgumentError(
          fmt::format("{}: {}", path, errno != 0 ? std::strerror(errno) : "cannot be opened"));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, session.Channel());
  Stub stub(channel);
  grpc::ClientContext context;  // Without a deadline: standard input may go on for as long as an exporter runs.
  v1::ReportUtilizationResponse response;
  const auto writer = stub.ReportUtilization(&context, &response);
  v1::ReportUtilizationRequest message;
  message.set_cluster(cluster);
  bool is_open = writer->Write(message);  // A cluster that is not there is an error without samples, too.
  const absl::Status read = ReadSamples(
      path == "-" ? session.in() : file, kSamplesOfAMessage, [&](const std::vector<v1::UtilizationSample>& samples) {
        message.mutable_samples()->Assign(samples.begin(), samples.end());
        is_open = is_open && writer->Write(message);  // False: the server has answered already.
        return is_open;
      });
  writer->WritesDone();
  RETURN_IF_ERROR(cpp::FromGrpc(writer->Finish()));
  for (const std::string& refusal : response.refusals()) session.Warn(refusal);
  if (response.refused_count() > response.refusals_size()) {
    session.Warn(fmt::format("{} more samples were refused",
                             FormatGrouped(response.refused_count() - response.refusals_size())));
  }
  session.Print(response, [&](std::ostream& out) {
    out << fmt::format("{} samples taken, {} refused\n", FormatGrouped(response.accepted_count()),
                       FormatGrouped(response.refused_count()));
  });
  if (!read.ok()) return absl::InvalidArgumentError(fmt::format("{}: {}", path, std::string(read.message())));
  return response.refused_count() > 0 ? ExitCode::kFailed : ExitCode::kOk;
}

}  // namespace

void AddUtilizationCommands(CLI::App& noun, Action& chosen) {
  struct ShowFlags {
    std::string cluster, since, pool;
  };
  const auto show_flags = std::make_shared<ShowFlags>();
  CLI::App& show = *noun.add_subcommand("utilization", "What the GPUs of a cluster did, by pool and hour");
  show.add_option("name", show_flags->cluster, "Name of the cluster")->required();
  AddFlag(show, "--since", show_flags->since, "Of the time up to now; 24h if not given", "DURATION");
  AddFlag(show, "--pool", show_flags->pool, "Of this pool alone", "POOL");
  show.callback([show_flags, &chosen] {
    chosen = [show_flags](Session& session) {
      return Show(show_flags->cluster, show_flags->since, show_flags->pool, session);
    };
  });

  struct ReportFlags {
    std::string cluster, file;
  };
  const auto report_flags = std::make_shared<ReportFlags>();
  CLI::App& report =
      *noun.add_subcommand("report-utilization", "Send what was measured of GPUs: lines of JSON, or CSV");
  report.add_option("name", report_flags->cluster, "Name of the cluster")->required();
  report.add_option("-f,--filename", report_flags->file, "Of samples; - reads standard input as it comes")
      ->required()
      ->type_name("FILE");
  report.callback([report_flags, &chosen] {
    chosen = [report_flags](Session& session) { return Report(report_flags->cluster, report_flags->file, session); };
  });
}

}  // namespace planner::plannerctl
