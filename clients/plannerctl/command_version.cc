#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "clients/plannerctl/command.h"
#include "clients/plannerctl/version.h"
#include "core/base/status_macros.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

absl::StatusOr<ExitCode> PrintVersions(Session& session) {
  const auto server = session.Call(&v1::EstimationService::Stub::GetVersion, v1::GetVersionRequest());
  nlohmann::ordered_json json = {{"client", {{"version", kVersion}}}, {"server", nullptr}};
  if (server.ok()) {
    json["server"] = {
        {"address", session.server()},
        {"version", server->version()},
        {"apiVersions", std::vector<std::string>(server->api_versions().begin(), server->api_versions().end())}};
  }
  session.PrintJson(json.dump(1), [&](std::ostream& out) {
    out << "Client  " << kVersion << '\n';
    if (!server.ok()) return;
    out << "Server  " << Printable(server->version()) << " ("
        << (session.server().empty() ? "in this process" : Printable(session.server())) << ")\n";
  });
  if (!server.ok()) return server.status();
  return ExitCode::kOk;
}

}  // namespace

void AddVersionCommand(CLI::App& root, Action& chosen) {
  root.add_subcommand("version", "Versions of plannerctl and of the server")->callback([&chosen] {
    chosen = PrintVersions;
  });
}

}  // namespace planner::plannerctl
