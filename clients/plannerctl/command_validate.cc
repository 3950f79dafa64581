#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "clients/plannerctl/bounded_file.h"
#include "clients/plannerctl/command.h"
#include "clients/plannerctl/flag_names.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/page_output.h"
#include "clients/plannerctl/validation_page.h"
#include "clients/plannerctl/validation_view.h"
#include "core/base/status_macros.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

struct Flags {
  std::string runs, html;
  bool rows = false;
};

absl::StatusOr<ExitCode> Validate(const Flags& flags, Session& session) {
  v1::ValidateRunsRequest request;
  RETURN_IF_ERROR(FillFlag(
      "--runs", flags.runs,
      [&](const std::string& path) { return ReadBoundedFile(path, session.in(), kMaxTableBytes); },
      [&](std::string text) { request.set_runs_csv(std::move(text)); }));
  const auto answer = session.Call(&v1::EstimationService::Stub::ValidateRuns, request);
  if (!answer.ok()) return NameFlags(answer.status());
  for (const std::string& warning : answer->warnings()) session.Warn(NameFlags(warning));
  const std::string name = flags.runs == "-" ? "runs" : std::filesystem::path(flags.runs).filename().string();
  RETURN_IF_ERROR(PrintWithPage(
      *answer, [&](std::ostream& out) { PrintValidation(*answer, flags.rows, session.style(), out); }, flags.html,
      [&] { return ValidationPage(name, *answer); }, session));
  return ExitCode::kOk;
}

}  // namespace

void AddValidateCommand(CLI::App& root, Action& chosen) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& command = *root.add_subcommand("validate", "How far predictions are from a table of measured runs");
  AddFlag(command, "--runs", flags->runs, "Table of measured runs; - is standard input", "FILE.csv")->required();
  AddFlag(command, "--html", flags->html, "Write predicted against measured as a page, too; - is standard output, without the table", "FILE");
  command.add_flag("--rows", flags->rows, "Print every row, too");
  command.footer(
      "The first line names the columns. id, model, gpu_type, n_gpus, global_batch, seq_len, iteration_time_s are a\n"
      "start; an empty cell is unknown and has a default. A table has at most 20,001 lines, the header among them, and "
      "8 MiB.\n"
      "Examples:\n"
      "  plannerctl validate --runs measured.csv --html errors.html\n"
      "  plannerctl validate --runs - -o json < measured.csv");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return Validate(*flags, session); }; });
}

}  // namespace planner::plannerctl
