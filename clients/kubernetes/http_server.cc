#include "clients/kubernetes/http_server.h"

#include <httplib.h>

#include <atomic>
#include <queue>
#include <utility>
#include <vector>

#include "clients/kubernetes/http_connection.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

constexpr size_t kMaxBodyBytes = 16 << 20;
/// Of all bodies that are held at once: each may be in order, all together too much.
constexpr size_t kMaxHeldBytes = 512 << 20;
/// A client that asks often needs no connection for each few requests, which with TLS are dear.
constexpr size_t kRequestsOfConnection = 1000;
/// httplib refuses paths beyond 8 KiB, which its regular expressions take.
constexpr char kAnyPath[] = "/.*";

/// The connection that this thread serves.
thread_local HttpConnection* current = nullptr;

/// A thread for each connection, made when all others are busy: connections that say nothing must not keep those waiting that do.
class ConnectionThreads : public httplib::TaskQueue {
 public:
  explicit ConnectionThreads(size_t most) : most_(most) {}

  void enqueue(std::function<void()> task) override {
    base::MutexLock lock(mutex_);
    tasks_.push(std::move(task));
    if (tasks_.size() > idle_ && threads_.size() < most_) threads_.emplace_back([this] { Work(); });
    changed_.WakeOne();
  }

  void shutdown() override {
    std::vector<std::thread> threads;
    {
      base::MutexLock lock(mutex_);
      is_over_ = true;
      threads.swap(threads_);
    }
    changed_.WakeAll();
    for (std::thread& thread : threads) thread.join();
  }

 private:
  void Work() {
    while (true) {
      std::function<void()> task;
      {
        base::MutexLock lock(mutex_);
        ++idle_;
        while (tasks_.empty() && !is_over_) changed_.Wait(mutex_);
        --idle_;
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop();
      }
      task();
    }
  }

  const size_t most_;
  base::Mutex mutex_;
  base::Condition changed_;
  std::queue<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

/// httplib's server on connections of ours, with and without TLS.
class BoundedServer : public httplib::Server {
 public:
  /// `certificates` may be null: no TLS.
  BoundedServer(ConnectionLimits limits, const Certificates* certificates)
      : limits_(limits), certificates_(certificates) {}

  /// httplib lets five connections wait to be accepted: of more that come at once, each tries again a second later.
  void LetMoreWait() { ::listen(svr_sock_, SOMAXCONN); }

 private:
  bool process_and_close_socket(socket_t socket) override {
    const auto tls = certificates_ == nullptr ? nullptr : certificates_->Current();
    HttpConnection connection(socket, tls.get(), limits_);
    if (!connection.Open()) return false;
    current = &connection;
    const auto is_stopping = [this] { return svr_sock_ == INVALID_SOCKET; };
    bool goes_on = true;
    for (size_t left = keep_alive_max_count_; goes_on && left > 0; --left) {
      if (!connection.WaitForRequest(is_stopping)) break;
      bool is_closed = false;
      goes_on = process_request(connection, left == 1, is_closed, nullptr) && !is_closed && !connection.is_broken();
    }
    current = nullptr;
    return goes_on;
  }

  const ConnectionLimits limits_;
  const Certificates* const certificates_;
};

/// What several bodies take together while they are held.
class Held {
 public:
  explicit Held(std::atomic<size_t>& all) : all_(all) {}
  ~Held() { all_ -= own_; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  /// False: it is too much.
  bool Add(size_t bytes) {
    own_ += bytes;
    return (all_ += bytes) <= kMaxHeldBytes;
  }

 private:
  std::atomic<size_t>& all_;
  size_t own_ = 0;
};

HttpRequest RequestOf(const httplib::Request& request, std::string body) {
  return {.method = request.method, .path = request.path, .query = {request.params.begin(), request.params.end()}, .body = std::move(body)};
}

void Send(const HttpResponse& from, httplib::Response& to) {
  to.status = from.code;
  to.set_content(from.body, from.content_type.c_str());
}

/// Of requests that never come to `answer`: what google.rpc.Code calls them, and what is wrong.
std::pair<const char*, const char*> WhatIsWrong(int code) {
  if (code == 404) return {"NOT_FOUND", "there is no such path"};
  if (code == 408) return {"DEADLINE_EXCEEDED", "the request has not come whole in time"};
  if (code == 413) return {"INVALID_ARGUMENT", "the body is larger than 16 MiB"};
  if (code == 414) return {"INVALID_ARGUMENT", "the path is longer than 8 KiB"};
  if (code == 503) return {"UNAVAILABLE", "too much is being sent at once; try again"};
  if (code >= 500) return {"INTERNAL", "the request could not be answered"};
  return {"INVALID_ARGUMENT", "the request is malformed, or has ended early"};
}

/// Where a body begins or ends that nobody reads, or that two readers would read differently, is not known.
bool HasUnclearBody(const httplib::Request& request) {
  const size_t lengths = request.get_header_value_count("Content-Length");
  const bool is_chunked = request.has_header("Transfer-Encoding");
  if (lengths > 1 || (lengths > 0 && is_chunked)) return true;
  const bool takes_none = request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS";
  return takes_none && (is_chunked || (lengths > 0 && request.get_header_value("Content-Length") != "0"));
}

}  // namespace

HttpServer::HttpServer() = default;

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                              std::function<HttpResponse(const HttpRequest&)> answer) {
  std::unique_ptr<HttpServer> server(new HttpServer);
  if (!options.certificate_file.empty()) {
    ASSIGN_OR_RETURN(server->certificates_, Certificates::Open({.certificate = options.certificate_file,
                                                                .key = options.key_file,
                                                                .client_ca = options.client_ca_file}));
  }
  auto bounded = std::make_unique<BoundedServer>(options.limits, server->certificates_.get());
  BoundedServer& http = *bounded;
  server->server_ = std::move(bounded);
  http.set_keep_alive_max_count(kRequestsOfConnection);
  http.set_keep_alive_timeout(static_cast<time_t>(absl::ToInt64Seconds(options.limits.silence)));  // It is told to clients.
  http.set_payload_max_length(kMaxBodyBytes);
  http.set_tcp_nodelay(true);
  // httplib's own are SO_REUSEPORT: two servers would share a port, and each would get a part of the calls.
  http.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  http.new_task_queue = [most = options.most_connections] { return new ConnectionThreads(static_cast<size_t>(most)); };

  http.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    if (current != nullptr) {
      if (current->is_late()) response.status = 408;
      current->Break();
    }
    const auto [status, what] = WhatIsWrong(response.status);
    response.set_content(
        fmt::format(R"({{"error":{{"code":{},"message":"{}","details":[],"status":"{}"}}}})", response.status, what, status),
        "application/json");
  });
  http.set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) { response.status = 500; });
  http.set_pre_routing_handler([](const httplib::Request& request, httplib::Response& response) {
    if (!HasUnclearBody(request)) return httplib::Server::HandlerResponse::Unhandled;
    response.status = 400;
    return httplib::Server::HandlerResponse::Handled;
  });

  const auto without_body = [answer](const httplib::Request& request, httplib::Response& response) {
    Send(answer(RequestOf(request, request.body)), response);
  };
  // Read by us: httplib would take a body for a form, of 8 KiB at most, where curl -d says that it is one.
  const auto with_body = [answer, all = std::make_shared<std::atomic<size_t>>(0)](
                             const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& reader) {
    std::string body;
    Held held(*all);
    bool has_room = true;
    const bool is_whole = reader([&](const char* data, size_t size) {
      body.append(data, size);
      has_room = held.Add(size);
      return has_room && body.size() <= kMaxBodyBytes;
    });
    if (!is_whole) {
      if (response.status < 400) response.status = 400;
      if (body.size() > kMaxBodyBytes) response.status = 413;
      if (!has_room) response.status = 503;
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
  http.LetMoreWait();
  server->thread_ = std::thread([&http] { http.listen_after_bind(); });
  return server;
}

absl::StatusOr<bool> HttpServer::ReadCertificatesAgain() {
  return certificates_ == nullptr ? false : certificates_->ReadAgain();
}

HttpServer::~HttpServer() {
  if (!thread_.joinable()) return;
  // stop() before the loop has begun would be forgotten.
  while (!server_->is_running()) std::this_thread::yield();
  server_->stop();
  thread_.join();
}

}  // namespace planner::kubernetes
