#include "services/config/flags.h"

#include <CLI/CLI.hpp>

namespace planner::config {

absl::StatusOr<Flags> ParseFlags(int argc, const char* const* argv) {
  Flags flags;
  std::string metrics_listen;
  std::string state_dir;
  std::string postgresql;
  CLI::App app("Answers how many GPUs a training job needs, over gRPC.", "plannerd");
  app.add_option("--config", flags.config_file, "Configuration (planner.config.v1.Config in protobuf text format)")
      ->type_name("FILE");
  app.add_option("--listen", flags.listen, "HOST:PORT or unix:PATH; may be repeated; port 0 picks a free one")
      ->type_name("ADDRESS")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  const CLI::Option* metrics =
      app.add_option("--metrics_listen,--metrics-listen", metrics_listen, "Where /metrics is served; \"off\": nowhere")
          ->type_name("HOST:PORT");
  const CLI::Option* state =
      app.add_option("--state_dir,--state-dir", state_dir, "Folder of planner.db")->type_name("DIR");
  const CLI::Option* database =
      app.add_option(
             "--postgresql", postgresql,
             "Keep records in this PostgreSQL database, which several plannerds may share, and not in planner.db: "
             "\"host=db1,db2 dbname=planner\"")
          ->type_name("CONNINFO");
  CLI::Option* backup = app.add_option("--backup", flags.backup_file,
                                       "Write all records to a file and exit; may be done while plannerd runs")
                            ->type_name("FILE");
  app.add_option("--restore", flags.restore_file, "Put a backup's records where there are none yet, and exit")
      ->type_name("FILE")
      ->excludes(backup);
  app.add_flag("--check_config,--check-config", flags.check_config, "Check the configuration and exit");
  app.add_flag("--version", flags.version, "Print the version and exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    flags.help = app.help();
    return flags;
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(error.what());
  }
  if (metrics->count() > 0) flags.metrics_listen = metrics_listen;
  if (state->count() > 0) flags.state_dir = state_dir;
  if (database->count() > 0) flags.postgresql = postgresql;
  return flags;
}

}  // namespace planner::config
