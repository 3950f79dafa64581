#include "clients/kubernetes/http_connection.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/clock.h"

namespace planner::kubernetes {
namespace {

absl::Time Now() { return base::Clock::Real().Now(); }

}  // namespace

HttpConnection::HttpConnection(socket_t socket, SSL_CTX* tls, ConnectionLimits limits) : socket_(socket), limits_(limits) {
  fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
  if (tls == nullptr) return;
  tls_ = SSL_new(tls);
  if (tls_ == nullptr) return;
  SSL_set_fd(tls_, socket_);
  SSL_set_mode(tls_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_accept_state(tls_);
}

HttpConnection::~HttpConnection() {
  if (tls_ != nullptr) {
    if (SSL_is_init_finished(tls_) == 1) SSL_shutdown(tls_);
    SSL_free(tls_);
    ERR_clear_error();  // Of this thread, which has other connections after this one.
  }
  shutdown(socket_, SHUT_RDWR);
  close(socket_);
}

bool HttpConnection::WaitFor(short events, absl::Time end) const {
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(absl::Ceil(end - Now(), absl::Milliseconds(1)));
    if (left <= 0) return false;
    pollfd waited = {.fd = socket_, .events = events, .revents = 0};
    const int count = poll(&waited, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

bool HttpConnection::WaitAsTlsWants(int result, absl::Time end) {
  const int error = SSL_get_error(tls_, result);
  ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ) return WaitFor(POLLIN, end);
  if (error == SSL_ERROR_WANT_WRITE) return WaitFor(POLLOUT, end);
  return false;
}

bool HttpConnection::Open() {
  if (tls_ == nullptr) return true;
  const absl::Time end = Now() + limits_.silence;
  while (true) {
    const int result = SSL_accept(tls_);
    if (result == 1) return true;
    if (!WaitAsTlsWants(result, end)) return false;
  }
}

bool HttpConnection::WaitForRequest(const std::function<bool()>& is_stopping) {
  const absl::Time end = Now() + limits_.silence;
  // In slices, since nobody wakes a thread that waits for a stranger.
  constexpr absl::Duration kSlice = absl::Milliseconds(100);
  bool is_there = buffer_begin_ < buffer_end_ || (tls_ != nullptr && SSL_pending(tls_) > 0);
  while (!is_there && Now() < end && !is_stopping()) is_there = WaitFor(POLLIN, std::min(end, Now() + kSlice));
  request_end_ = Now() + limits_.request;
  request_bytes_ = 0;
  is_late_ = false;
  return is_there;
}

ssize_t HttpConnection::Receive(char* data, size_t size) {
  if (request_bytes_ >= limits_.request_bytes) return -1;
  size = std::min(size, limits_.request_bytes - request_bytes_);
  while (true) {
    ssize_t count = 0;
    bool goes_on = false;
    if (tls_ == nullptr) {
      count = recv(socket_, data, size, 0);
      goes_on = count < 0 && (errno == EINTR || ((errno == EAGAIN || errno == EWOULDBLOCK) && WaitFor(POLLIN, request_end_)));
    } else {
      count = SSL_read(tls_, data, static_cast<int>(size));
      if (count <= 0 && SSL_get_error(tls_, static_cast<int>(count)) == SSL_ERROR_ZERO_RETURN) return 0;
      goes_on = count <= 0 && WaitAsTlsWants(static_cast<int>(count), request_end_);
    }
    if (count > 0) request_bytes_ += static_cast<size_t>(count);
    // Bytes that trickle in are late as well.
    if (!goes_on || Now() >= request_end_) {
      is_late_ = count < 0 && Now() >= request_end_;
      return count;
    }
  }
}

ssize_t HttpConnection::read(char* data, size_t size) {
  if (Now() >= request_end_) {
    is_late_ = true;
    return -1;
  }
  if (buffer_begin_ == buffer_end_) {
    if (size >= buffer_.size()) return Receive(data, size);
    const ssize_t count = Receive(buffer_.data(), buffer_.size());
    if (count <= 0) return count;
    buffer_begin_ = 0;
    buffer_end_ = static_cast<size_t>(count);
  }
  const size_t count = std::min(size, buffer_end_ - buffer_begin_);
  std::memcpy(data, buffer_.data() + buffer_begin_, count);
  buffer_begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t HttpConnection::write(const char* data, size_t size) {
  const absl::Time end = Now() + limits_.answer;
  size_t written = 0;
  while (written < size) {
    ssize_t count = 0;
    bool goes_on = false;
    if (tls_ == nullptr) {
      count = send(socket_, data + written, size - written, MSG_NOSIGNAL);
      goes_on = count < 0 && (errno == EINTR || ((errno == EAGAIN || errno == EWOULDBLOCK) && WaitFor(POLLOUT, end)));
    } else {
      count = SSL_write(tls_, data + written, static_cast<int>(std::min<size_t>(size - written, 1 << 20)));
      goes_on = count <= 0 && WaitAsTlsWants(static_cast<int>(count), end);
    }
    if (count > 0) {
      written += static_cast<size_t>(count);
    } else if (!goes_on) {
      return -1;
    }
    if (written < size && Now() >= end) return -1;
  }
  return static_cast<ssize_t>(written);
}

bool HttpConnection::is_readable() const { return !is_broken_; }

bool HttpConnection::is_writable() const { return WaitFor(POLLOUT, Now() + limits_.answer); }

// Nobody asks who it is: the addresses of proxies and services say nothing.
void HttpConnection::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void HttpConnection::get_local_ip_and_port(std::string& ip, int& port) const { get_remote_ip_and_port(ip, port); }

}  // namespace planner::kubernetes
