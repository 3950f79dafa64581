#include "services/app/daemon.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "services/app/socket_file.h"
#include "services/app/tls.h"

namespace planner::app {
namespace {

constexpr absl::Duration kPatienceAtEnd = absl::Seconds(5);
/// In which calls that are cancelled have to answer.
constexpr absl::Duration kPatienceForAnswers = absl::Seconds(1);

void LogListening(telemetry::Log& log, std::string service, std::string address) {
  log.Write(telemetry::Level::kInfo,
            {{"event", "listening"}, {"service", std::move(service)}, {"address", std::move(address)}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(App& app, const config::Settings& settings,
                                                      const base::Clock& clock, telemetry::Log& log) {
  std::unique_ptr<Daemon> daemon(new Daemon(app, clock));
  if (settings.metrics_listen.has_value()) {
    ASSIGN_OR_RETURN(daemon->metrics_,
                     telemetry::MetricsServer::Start(config::ToString(*settings.metrics_listen), app.metrics()));
  }
  RETURN_IF_ERROR(daemon->Listen(settings, log));
  if (daemon->metrics_ != nullptr) LogListening(log, "metrics", daemon->metrics_->address());
  return daemon;
}

absl::Status Daemon::Listen(const config::Settings& settings, telemetry::Log& log) {
  const std::vector<config::Address>& addresses = settings.listen;
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials, ServerCredentialsOf(settings.tls));
  grpc::ServerBuilder builder;
  // Without it the kernel would let two daemons share a port, and each would get a part of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A client that connects and says nothing holds a socket, and the end of the daemon, no longer than this.
  constexpr int kHandshakeMilliseconds = 5000;
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  // A client that vanishes without a word must not hold the place of its stream: after a minute of silence it is asked whether it is there.
  // Clients may ask likewise.
  constexpr int kSilenceMilliseconds = 60'000;
  constexpr int kAnswerMilliseconds = 20'000;
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kSilenceMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kAnswerMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kSilenceMilliseconds / 2);
  std::vector<std::string> names;
  std::vector<int> ports(addresses.size(), 0);
  for (size_t i = 0; i < addresses.size(); ++i) {
    names.push_back(config::ToString(addresses[i]));
    if (const std::string& path = addresses[i].unix_path; !path.empty()) {
      RETURN_IF_ERROR(ClearSocketFile(path));
      socket_files_.push_back(path);
    }
    // Whoever can open the socket's file is on this machine.
    builder.AddListeningPort(names[i], addresses[i].unix_path.empty() ? credentials : grpc::InsecureServerCredentials(), &ports[i]);
  }
  app_.Register(builder);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    return absl::UnavailableError(fmt::format("listen: cannot be bound: address={}", fmt::join(names, ",")));
  }
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  for (const char* service : {"planner.v1.EstimationService", "planner.v1.ClusterService", "planner.v1.PlanService", "planner.v1.RunService"}) {
    health->SetServingStatus(service, true);
  }
  for (size_t i = 0; i < addresses.size(); ++i) {
    config::Address bound = addresses[i];
    bound.port = ports[i];
    LogListening(log, "grpc", config::ToString(bound));
  }
  return absl::OkStatus();
}

void Daemon::Drain(absl::Duration patience) {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->SetServingStatus(false);
  const absl::Time end = clock_.Now() + patience;
  app_.EndCallsAt(end);
  app_.EndStreams();
  server_->Shutdown(absl::ToChronoTime(end + kPatienceForAnswers));
  server_->Wait();
  server_.reset();
  for (const std::string& path : socket_files_) RemoveSocketFile(path);
}

Daemon::~Daemon() { Drain(kPatienceAtEnd); }

}  // namespace planner::app
