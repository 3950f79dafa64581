#pragma once

#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "services/app/app.h"
#include "services/config/settings.h"
#include "services/telemetry/log.h"
#include "services/telemetry/metrics_server.h"

namespace planner::app {

/// An App behind ports.
class Daemon {
 public:
  /// Binds every address of the settings and logs it (`event=listening service=grpc address=…`); when it
  /// returns, health checks answer SERVING. UNAVAILABLE: an address cannot be bound. App, log and clock must
  /// outlive the daemon.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(App& app, const config::Settings& settings,
                                                       const base::Clock& clock, telemetry::Log& log);
  /// Drains.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Health checks answer NOT_SERVING, new calls are refused, those in flight have `patience` to end. Counts that have not by then
  /// are cancelled: their clients get UNAVAILABLE.
  void Drain(absl::Duration patience);

 private:
  Daemon(App& app, const base::Clock& clock) : app_(app), clock_(clock) {}
  absl::Status Listen(const config::Settings& settings, telemetry::Log& log);

  App& app_;
  const base::Clock& clock_;
  std::unique_ptr<telemetry::MetricsServer> metrics_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::string> socket_files_;
};

}  // namespace planner::app
