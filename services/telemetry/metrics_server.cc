#include "services/telemetry/metrics_server.h"

#include <CivetServer.h>

#include <exception>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "fmt/format.h"
#include "services/telemetry/gzip.h"

namespace planner::telemetry {
namespace {

/// The HTTP server takes "/metrics" for the beginning of a path; only the path itself is there.
int RefuseOtherPaths(mg_connection* connection) {
  constexpr int kGoOn = 0;
  constexpr int kNotFound = 404;
  const mg_request_info* request = mg_get_request_info(connection);
  if (request->local_uri != nullptr && std::string_view(request->local_uri) == "/metrics") return kGoOn;
  mg_send_http_error(connection, kNotFound, "%s", "metrics are at /metrics");
  return kNotFound;
}

bool TakesGzip(mg_connection* connection) {
  const char* encodings = mg_get_header(connection, "Accept-Encoding");
  return encodings != nullptr && std::string_view(encodings).find("gzip") != std::string_view::npos;
}

}  // namespace

class MetricsServer::Handler : public CivetHandler {
 public:
  explicit Handler(std::shared_ptr<const PageSource> metrics) : metrics_(std::move(metrics)) {}

  bool handleGet(CivetServer*, mg_connection* connection) override {
    base::MutexLock lock(mutex_);
    page_.Clear();
    metrics_->Write(page_);
    const bool is_gzip = TakesGzip(connection);
    const std::string_view body = is_gzip ? gzip_.Compress(page_.text()) : page_.text();
    mg_printf(connection,
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n%sContent-Length: %zu\r\n"
              "Connection: close\r\n\r\n",
              is_gzip ? "Content-Encoding: gzip\r\n" : "", body.size());
    mg_write(connection, body.data(), body.size());
    return true;
  }

 private:
  const std::shared_ptr<const PageSource> metrics_;
  base::Mutex mutex_;
  Page page_ ABSL_GUARDED_BY(mutex_);
  Gzip gzip_ ABSL_GUARDED_BY(mutex_);
};

MetricsServer::MetricsServer() = default;
MetricsServer::~MetricsServer() = default;

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address, std::shared_ptr<const PageSource> metrics) {
  std::unique_ptr<MetricsServer> server(new MetricsServer);
  server->handler_ = std::make_unique<Handler>(std::move(metrics));
  std::vector<int> ports;
  try {
    CivetCallbacks callbacks;
    callbacks.begin_request = RefuseOtherPaths;
    // One thread: a scrape every few seconds is all there is.
    const std::vector<std::string> options = {"listening_ports", address, "num_threads", "1"};
    server->server_ = std::make_unique<CivetServer>(options, &callbacks);
    server->server_->addHandler("/metrics", *server->handler_);
    ports = server->server_->getListeningPorts();
  } catch (const std::exception&) {
    ports.clear();
  }
  if (ports.empty()) return absl::UnavailableError(fmt::format("metrics_listen: cannot be bound: address={}", address));
  server->address_ = fmt::format("{}:{}", address.substr(0, address.rfind(':')), ports.front());
  return server;
}

}  // namespace planner::telemetry
