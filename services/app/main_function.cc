#include "services/app/main_function.h"

#include <grpc/support/log.h>
#include <sys/stat.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/store/store.h"
#include "fmt/format.h"
#include "services/app/app.h"
#include "services/app/daemon.h"
#include "services/app/state_lock.h"
#include "services/app/tls.h"
#include "services/config/flags.h"
#include "services/config/settings.h"
#include "services/storage/backup.h"
#include "services/storage/make_store.h"
#include "services/telemetry/log.h"

namespace planner::app {
namespace {

constexpr int kCannotRun = 1;
constexpr int kUsage = 2;
/// systemd kills after 90 s, Kubernetes after 30 s.
constexpr absl::Duration kPatience = absl::Seconds(20);

int Fail(const absl::Status& status) {
  std::cerr << "plannerd: error: " << std::string(status.message()) << '\n';
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ? kUsage : kCannotRun;
}

absl::StatusOr<config::Settings> SettingsOf(const config::Flags& flags) {
  config::v1::Config config;
  if (!flags.config_file.empty()) {
    ASSIGN_OR_RETURN(config, config::ReadConfig(flags.config_file));
  }
  ASSIGN_OR_RETURN(config::Settings settings, config::MakeSettings(flags, config));
  if (settings.state_dir.empty()) settings.state_dir = DefaultStateDir();
  if (settings.state_dir.empty()) {
    return absl::InvalidArgumentError("state_dir: is missing, and neither STATE_DIRECTORY nor HOME is set");
  }
  return settings;
}

AppOptions OptionsOf(const config::Settings& settings, telemetry::Log& log) {
  return {.state_dir = settings.state_dir,
          .gpu_types = settings.gpu_types,
          .clusters = settings.clusters,
          .max_call = settings.max_call,
          .max_concurrent_calls = settings.max_concurrent_calls,
          .utilization = settings.utilization,
          .utilization_sources = settings.utilization_sources,
          .model_files = settings.model_files,
          .counter_plugins = settings.counter_plugins,
          .log = &log};
}

storage::Place PlaceOf(const config::Settings& settings) {
  return {.postgresql = settings.postgresql, .state_dir = settings.state_dir};
}

/// Null where the records are this process's alone.
absl::StatusOr<std::unique_ptr<store::Store>> SharedRecordsOf(const config::Settings& settings) {
  if (settings.postgresql.empty()) return nullptr;
  return storage::MakeStore(PlaceOf(settings), base::Clock::Real());
}

absl::StatusOr<std::unique_ptr<App>> MakeApp(const config::Settings& settings, telemetry::Log& log) {
  ASSIGN_OR_RETURN(std::unique_ptr<store::Store> shared_records, SharedRecordsOf(settings));
  return App::Create(OptionsOf(settings, log), std::move(shared_records));
}

/// The signals that end the daemon, blocked for all threads that start from now on, so that the main thread
/// can wait for them.
sigset_t BlockEndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // A file beyond the limit is an error of its write, not the end of the daemon.
  return signals;
}

absl::Status Serve(App& app, const config::Settings& settings, collector::HttpClient& http, const sigset_t& signals, telemetry::Log& log) {
  RETURN_IF_ERROR(app.Prepare());
  ASSIGN_OR_RETURN(const std::unique_ptr<Daemon> daemon, Daemon::Start(app, settings, base::Clock::Real(), log));
  app.CollectUtilization(http);
  log.Write(telemetry::Level::kInfo, {{"event", "ready"},
                                      {"version", Version()},
                                      {"store", storage::Describe(PlaceOf(settings))},
                                      {"state_dir", settings.state_dir}});
  int signal = 0;
  sigwait(&signals, &signal);
  log.Write(telemetry::Level::kInfo, {{"event", "draining"}, {"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  daemon->Drain(kPatience);
  log.Write(telemetry::Level::kInfo, {{"event", "stopped"}});
  return absl::OkStatus();
}

/// What is asked for in place of serving: the records go to a file, or come from one.
absl::Status MoveRecords(const config::Flags& flags, const storage::Place& place) {
  ASSIGN_OR_RETURN(const std::unique_ptr<store::Store> store, storage::MakeStore(place, base::Clock::Real()));
  const bool writes = !flags.backup_file.empty();
  const absl::StatusOr<int64_t> count =
      writes ? storage::WriteBackup(*store, flags.backup_file) : storage::RestoreBackup(*store, flags.restore_file);
  if (!count.ok()) {
    return {count.status().code(),
            fmt::format("{}: {}", std::string(count.status().message()), storage::Describe(place))};
  }
  std::cout << fmt::format("{}: {} records {} {}\n", storage::Describe(place), *count,
                           writes ? "written to" : "restored from", writes ? flags.backup_file : flags.restore_file);
  return absl::OkStatus();
}

}  // namespace

int Main(int argc, const char* const* argv, collector::HttpClient& http) {
  const absl::StatusOr<config::Flags> flags = config::ParseFlags(argc, argv);
  if (!flags.ok()) return Fail(flags.status());
  if (!flags->help.empty()) {
    std::cout << flags->help;
    return 0;
  }
  if (flags->version) {
    std::cout << "plannerd " << Version() << '\n';
    return 0;
  }
  const sigset_t signals = BlockEndingSignals();
  umask(S_IRWXG | S_IRWXO);                         // State and socket files are their owner's alone.
  gpr_set_log_function([](gpr_log_func_args*) {});  // What gRPC would print we say ourselves, in one line.

  const absl::StatusOr<config::Settings> settings = SettingsOf(*flags);
  if (!settings.ok()) return Fail(settings.status());
  telemetry::Log log(base::Clock::Real());
  const absl::StatusOr<std::unique_ptr<App>> app = MakeApp(*settings, log);
  if (!app.ok()) return Fail(app.status());
  if (flags->check_config) {
    const auto credentials = ServerCredentialsOf(settings->tls);
    if (!credentials.ok()) return Fail(credentials.status());
    std::cout << "ok\n";
    return 0;
  }
  if (!flags->backup_file.empty()) {
    const absl::Status status = MoveRecords(*flags, PlaceOf(*settings));
    return status.ok() ? 0 : Fail(status);
  }
  // Records in a database are shared by as many as there are, and so may be what else is in the folder: uploaded model files.
  std::optional<StateLock> lock;
  if (settings->postgresql.empty()) {
    absl::StatusOr<StateLock> taken = StateLock::Take(settings->state_dir);
    if (!taken.ok()) return Fail(taken.status());
    lock.emplace(*std::move(taken));
  }
  const absl::Status status =
      flags->restore_file.empty() ? Serve(**app, *settings, http, signals, log) : MoveRecords(*flags, PlaceOf(*settings));
  return status.ok() ? 0 : Fail(status);
}

}  // namespace planner::app
