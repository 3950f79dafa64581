#include "tests/faults/faulty_prometheus.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/clock.h"
#include "fmt/format.h"

namespace planner::faults {
namespace {

constexpr int64_t kHour = 3600;
constexpr int64_t kGigabyte = 1'000'000'000;

std::string Answer(const std::string& type, const std::string& result) {
  return fmt::format("{{\"status\":\"success\",\"data\":{{\"resultType\":\"{}\",\"result\":{}}}}}", type, result);
}

/// Of both nodes' GPUs; `value` by number.
template <typename Value>
std::string Matrix(int64_t time, const Value& value) {
  std::string series;
  for (int i = 0; i < 16; ++i) {
    series += fmt::format(
        "{}{{\"metric\":{{\"Hostname\":\"n{}\",\"gpu\":\"{}\",\"modelName\":\"NVIDIA H100 80GB "
        "HBM3\"}},\"values\":[[{},\"0\"],[{},\"{}\"]]}}",
        i == 0 ? "" : ",", i / 8 + 1, i % 8, time - 15, time, value(i));
  }
  return Answer("matrix", "[" + series + "]");
}

/// What the metric of the question is at its best.
const char* GoodValue(const std::string& request) {
  const auto asks = [&](const char* name) { return request.find(name) != std::string::npos; };
  if (asks("GPU_UTIL")) return "75";
  if (asks("TENSOR_ACTIVE")) return "0.5";
  if (asks("DRAM_ACTIVE")) return "0.25";
  return asks("FB_USED") ? "40960" : "500";
}

}  // namespace

FaultyPrometheus::FaultyPrometheus() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 64) != 0 || getsockname(listener_, generic, &size) != 0) return;
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

FaultyPrometheus::~FaultyPrometheus() {
  std::vector<std::thread> threads;
  {
    const base::MutexLock lock(mutex_);
    is_ending_ = true;
    shutdown(listener_, SHUT_RDWR);
    for (const int connection : connections_) shutdown(connection, SHUT_RDWR);
  }
  ending_.WakeAll();
  if (accepting_.joinable()) accepting_.join();
  {
    const base::MutexLock lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  close(listener_);
}

std::string FaultyPrometheus::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

void FaultyPrometheus::Play(Mode mode) {
  mode_ = mode;
  question_count_ = 0;
  byte_count_ = 0;
}

std::string FaultyPrometheus::authorization() const {
  const base::MutexLock lock(mutex_);
  return authorization_;
}

void FaultyPrometheus::Accept() {
  while (true) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const base::MutexLock lock(mutex_);
    if (connection < 0 || is_ending_) {
      if (connection >= 0) close(connection);
      if (is_ending_) return;
      continue;
    }
    connections_.push_back(connection);
    threads_.emplace_back([this, connection] {
      Serve(connection);
      const base::MutexLock own_lock(mutex_);
      connections_.erase(std::find(connections_.begin(), connections_.end(), connection));
      close(connection);
    });
  }
}

bool FaultyPrometheus::Send(int connection, const std::string& text) {
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t count = send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
    byte_count_ += count;
  }
  return true;
}

void FaultyPrometheus::SendBody(int connection, const std::string& body, const std::string& status, const std::string& header) {
  Send(connection, fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{}",
                               status, header, body.size(), body));
}

bool FaultyPrometheus::WaitMilliseconds(int milliseconds) {
  const absl::Time end = base::Clock::Real().Now() + absl::Milliseconds(milliseconds);
  const base::MutexLock lock(mutex_);
  while (!is_ending_ && base::Clock::Real().Now() < end) ending_.WaitFor(mutex_, end - base::Clock::Real().Now());
  return !is_ending_;
}

void FaultyPrometheus::Serve(int connection) {
  std::string request;
  char part[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = recv(connection, part, sizeof(part), 0);
    if (count <= 0) return;
    request.append(part, static_cast<size_t>(count));
  }
  ++question_count_;
  if (request.find("GET /followed") == 0) ++followed_count_;
  {
    constexpr char kName[] = "\r\nAuthorization: ";
    const base::MutexLock lock(mutex_);
    const size_t at = request.find(kName);
    const size_t begin = at + sizeof(kName) - 1;
    authorization_ = at == std::string::npos ? "" : request.substr(begin, request.find("\r\n", begin) - begin);
  }
  const int64_t now = absl::ToUnixSeconds(base::Clock::Real().Now());
  const auto good = [&](int) { return GoodValue(request); };
  const std::string headers = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
  switch (mode_.load()) {
    case Mode::kGood:
      return SendBody(connection, Matrix(now, good));
    case Mode::kSilent:
      recv(connection, part, sizeof(part), 0);  // Until the client gives up.
      return;
    case Mode::kDripping:
      if (!Send(connection, headers + "Content-Length: 1000000\r\n\r\n")) return;
      while (Send(connection, " ") && WaitMilliseconds(20)) {
      }
      return;
    case Mode::kRedirecting:
      return SendBody(connection, "", "302 Found", "Location: " + url() + "/followed\r\n");
    case Mode::kFailing:
      return SendBody(connection, "{\"status\":\"error\",\"error\":\"out of memory\"}", "500 Internal Server Error");
    case Mode::kNan:
      return SendBody(connection, Matrix(now, [](int i) { return i % 3 == 0 ? "NaN" : i % 3 == 1 ? "+Inf" : "-Inf"; }));
    case Mode::kHuge: {
      if (!Send(connection, headers + fmt::format("Content-Length: {}\r\n\r\n", kGigabyte))) return;
      const std::string text = Matrix(now, good);
      for (int64_t sent = 0; sent < kGigabyte && Send(connection, text); sent += static_cast<int64_t>(text.size())) {
      }
      return;
    }
    case Mode::kNonsense:
      return SendBody(connection, "<html><title>Welcome to nginx!</title>" + std::string(1000, '\xff') + "</html>");
    case Mode::kTruncated: {
      const std::string text = Matrix(now, good);
      Send(connection, headers + fmt::format("Content-Length: {}\r\n\r\n", text.size()) + text.substr(0, text.size() / 2));
      return;
    }
    case Mode::kScalar:
      return SendBody(connection, Answer("scalar", fmt::format("[{},\"1\"]", now)));
    case Mode::kOld:
      return SendBody(connection, Matrix(now - kHour, good));
    case Mode::kFuture:
      return SendBody(connection, Matrix(now + kHour, good));
  }
}

}  // namespace planner::faults
