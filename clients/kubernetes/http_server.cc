#include "clients/kubernetes/http_server.h"

#include <httplib.h>

#include <utility>

#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

constexpr time_t kSilenceSeconds = 5;
constexpr size_t kMaxBodyBytes = 16 << 20;
/// httplib refuses paths beyond 8 KiB, which its regular expressions take.
constexpr char kAnyPath[] = "/.*";

HttpRequest RequestOf(const httplib::Request& request, std::string body) {
  return {.method = request.method, .path = request.path, .query = {request.params.begin(), request.params.end()}, .body = std::move(body)};
}

void Send(const HttpResponse& from, httplib::Response& to) {
  to.status = from.code;
  to.set_content(from.body, from.content_type.c_str());
}

/// Of requests that httplib refuses by itself.
const char* WhatIsWrong(int code) {
  if (code == 404) return "there is no such path";
  if (code == 413) return "the body is larger than 16 MiB";
  if (code == 414) return "the path is longer than 8 KiB";
  return "the request is malformed";
}

}  // namespace

HttpServer::HttpServer() = default;

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                              std::function<HttpResponse(const HttpRequest&)> answer) {
  std::unique_ptr<HttpServer> server(new HttpServer);
  if (options.certificate_file.empty()) {
    server->server_ = std::make_unique<httplib::Server>();
  } else {
    const char* const client_ca = options.client_ca_file.empty() ? nullptr : options.client_ca_file.c_str();
    server->server_ = std::make_unique<httplib::SSLServer>(options.certificate_file.c_str(), options.key_file.c_str(), client_ca);
    if (!server->server_->is_valid()) {
      return absl::FailedPreconditionError(fmt::format("no certificate and its key in PEM: files=\"{}\", \"{}\"{}", options.certificate_file,
                                                       options.key_file, client_ca == nullptr ? "" : fmt::format(", \"{}\"", client_ca)));
    }
  }
  httplib::Server& http = *server->server_;
  http.set_read_timeout(kSilenceSeconds);
  http.set_write_timeout(kSilenceSeconds);
  http.set_keep_alive_timeout(kSilenceSeconds);
  http.set_payload_max_length(kMaxBodyBytes);
  http.set_tcp_nodelay(true);
  // httplib's own are SO_REUSEPORT: two servers would share a port, and each would get a part of the calls.
  http.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  http.new_task_queue = [threads = options.threads] { return new httplib::ThreadPool(static_cast<size_t>(threads)); };

  http.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    response.set_content(fmt::format(R"({{"error":{{"code":{},"message":"{}"}}}})", response.status, WhatIsWrong(response.status)),
                         "application/json");
  });

  const auto without_body = [answer](const httplib::Request& request, httplib::Response& response) {
    Send(answer(RequestOf(request, request.body)), response);
  };
  // Read by us: httplib would take a body for a form, of 8 KiB at most, where curl -d says that it is one.
  const auto with_body = [answer](const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& reader) {
    std::string body;
    const bool is_whole = reader([&](const char* data, size_t size) {
      body.append(data, size);
      return body.size() <= kMaxBodyBytes;
    });
    if (!is_whole) {
      if (response.status < 400) response.status = body.size() > kMaxBodyBytes ? 413 : 400;
      return;
    }
    Send(answer(RequestOf(request, std::move(body))), response);
  };
  http.Get(kAnyPath, without_body);
  http.Options(kAnyPath, without_body);
  http.Post(kAnyPath, with_body);
  http.Put(kAnyPath, with_body);
  http.Patch(kAnyPath, with_body);
  http.Delete(kAnyPath, with_body);

  if (options.port == 0) {
    server->port_ = http.bind_to_any_port(options.host);
  } else {
    server->port_ = http.bind_to_port(options.host, options.port) ? options.port : -1;
  }
  if (server->port_ <= 0) return absl::UnavailableError(fmt::format("cannot be bound: address={}:{}", options.host, options.port));
  server->thread_ = std::thread([&http] { http.listen_after_bind(); });
  return server;
}

HttpServer::~HttpServer() {
  if (!thread_.joinable()) return;
  // stop() before the loop has begun would be forgotten.
  while (!server_->is_running()) std::this_thread::yield();
  server_->stop();
  thread_.join();
}

}  // namespace planner::kubernetes
