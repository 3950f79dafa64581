#include <fcntl.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <thread>

#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "plugins/sdk/count_service.h"
#include "plugins/sdk/counter_plugin.h"
#include "plugins/sdk/handshake.h"
#include "plugins/sdk/listen_flags.h"

namespace planner::plugin {
namespace {

constexpr int kCannotRun = 1;
constexpr int kUsage = 2;
constexpr int kMaxRequestBytes = 16 << 20;
/// Threads that wait for calls, beside those that count or wait for their turn.
constexpr int kMaxThreads = 128;
/// The host waits two seconds for the end of a plugin.
constexpr absl::Duration kPatience = absl::Milliseconds(1500);

int Fail(int code, const absl::Status& status) {
  std::cerr << "error: " << std::string(status.message()) << '\n';
  return code;
}

/// The signals that end a plugin, as a descriptor; blocked for all threads that start from now on.
int EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

/// Returns with a signal or, if it is watched, with the end of standard input.
void WaitForEnd(int signals, bool watch_input) {
  std::array<pollfd, 2> files = {{{signals, POLLIN, 0}, {watch_input ? STDIN_FILENO : -1, POLLIN, 0}}};
  while (true) {
    if (poll(files.data(), files.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (files[0].revents != 0) return;
    std::array<char, 4096> ignored;
    if (files[1].revents != 0 && read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0) return;
  }
}

/// Ends the server. A count that does not end is left behind with the process: the sockets are all that has to be put away.
void ShutDown(std::unique_ptr<grpc::Server> server) {
  struct Progress {
    base::Mutex mutex;
    base::Condition changed;
    bool done ABSL_GUARDED_BY(mutex) = false;
  };
  const auto progress = std::make_shared<Progress>();
  const absl::Time end = base::Clock::Real().Now() + kPatience;
  std::thread([progress, server = std::shared_ptr<grpc::Server>(std::move(server))]() mutable {
    server->Shutdown(absl::ToChronoTime(base::Clock::Real().Now()));
    server.reset();
    base::MutexLock lock(progress->mutex);
    progress->done = true;
    progress->changed.WakeAll();
  }).detach();
  base::MutexLock lock(progress->mutex);
  while (!progress->done && base::Clock::Real().Now() < end) {
    progress->changed.WaitFor(progress->mutex, end - base::Clock::Real().Now());
  }
  if (!progress->done) std::_Exit(0);
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) return absl::NotFoundError(fmt::format("cannot be read: file=\"{}\"", path));
  return text.str();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(const ListenFlags& flags) {
  if (flags.ca_file.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadFile(flags.ca_file));
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  ASSIGN_OR_RETURN(pair.private_key, ReadFile(flags.key_file));
  ASSIGN_OR_RETURN(pair.cert_chain, ReadFile(flags.certificate_file));
  options.pem_key_cert_pairs.push_back(std::move(pair));
  return grpc::SslServerCredentials(options);
}

int Run(CounterPlugin& plugin, const std::string& target, std::shared_ptr<grpc::ServerCredentials> credentials, bool shares_disk) {
  const int signals = EndingSignals();
  grpc::EnableDefaultHealthCheckService(true);
  CountService service(plugin, shares_disk);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.SetResourceQuota(grpc::ResourceQuota("plugin").SetMaxThreads(kMaxThreads));
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.AddListeningPort(target, std::move(credentials), &port);
  builder.RegisterService(&service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return Fail(kCannotRun, absl::UnavailableError("cannot listen: address=" + target));
  server->GetHealthCheckService()->SetServingStatus("planner.plugin.v1.CounterPlugin", true);
  const std::string line =
      shares_disk ? HandshakeLine("unix", target.substr(std::string("unix:").size()))
                  : HandshakeLine("tcp", fmt::format("{}:{}", target.substr(0, target.rfind(':')), port));
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  WaitForEnd(signals, /*watch_input=*/shares_disk);
  ShutDown(std::move(server));
  close(signals);
  return 0;
}

std::optional<std::string> Variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

int ServeHost(CounterPlugin& plugin) {
  const absl::StatusOr<HostEnvironment> host = ReadHostEnvironment(Variable);
  if (!host.ok()) return Fail(kUsage, host.status());
  umask(S_IRWXG | S_IRWXO);
  const int code = Run(plugin, "unix:" + host->socket_path, grpc::InsecureServerCredentials(), /*shares_disk=*/true);
  // A host that was killed cannot tidy up; one that lives finds its folder gone, or full, and sees to it.
  unlink(host->socket_path.c_str());
  rmdir(host->socket_path.substr(0, host->socket_path.rfind('/')).c_str());
  return code;
}

}  // namespace

int Serve(CounterPlugin& plugin) { return ServeHost(plugin); }

int Serve(CounterPlugin& plugin, int argc, const char* const* argv) {
  const absl::StatusOr<ListenFlags> flags = ParseListenFlags(argc, argv);
  if (!flags.ok()) return Fail(kUsage, flags.status());
  if (flags->listen.empty()) return ServeHost(plugin);
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials = Credentials(*flags);
  if (!credentials.ok()) return Fail(kUsage, credentials.status());
  return Run(plugin, flags->listen, *std::move(credentials), /*shares_disk=*/false);
}

}  // namespace planner::plugin
