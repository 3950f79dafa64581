#include "services/app/main_function.h"

#include <grpc/support/log.h>
#include <sys/stat.h>

#include <csignal>
#include <iostream>
#include <utility>

#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "services/app/app.h"
#include "services/app/daemon.h"
#include "services/app/state_lock.h"
#include "services/config/flags.h"
#include "services/config/settings.h"
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
          .model_files = settings.model_files,
          .counter_plugins = settings.counter_plugins,
          .log = &log};
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

absl::Status Serve(App& app, const config::Settings& settings, const sigset_t& signals, telemetry::Log& log) {
  RETURN_IF_ERROR(app.Prepare());
  ASSIGN_OR_RETURN(const std::unique_ptr<Daemon> daemon, Daemon::Start(app, settings, base::Clock::Real(), log));
  log.Write(telemetry::Level::kInfo, {{"event", "ready"}, {"version", Version()}, {"state_dir", settings.state_dir}});
  int signal = 0;
  sigwait(&signals, &signal);
  log.Write(telemetry::Level::kInfo, {{"event", "draining"}, {"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  daemon->Drain(kPatience);
  log.Write(telemetry::Level::kInfo, {{"event", "stopped"}});
  return absl::OkStatus();
}

}  // namespace

int Main(int argc, const char* const* argv) {
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
  const absl::StatusOr<std::unique_ptr<App>> app = App::Create(OptionsOf(*settings, log));
  if (!app.ok()) return Fail(app.status());
  if (flags->check_config) {
    std::cout << "ok\n";
    return 0;
  }
  const absl::StatusOr<StateLock> lock = StateLock::Take(settings->state_dir);
  if (!lock.ok()) return Fail(lock.status());
  const absl::Status status = Serve(**app, *settings, signals, log);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace planner::app
