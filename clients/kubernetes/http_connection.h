#pragma once

#include <httplib.h>

#include <array>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "clients/kubernetes/http_server.h"

namespace planner::kubernetes {

/// The bytes of one connection, plain or with TLS, as httplib reads and writes them. httplib's own streams limit the silence between two bytes
/// alone: whoever sends one every few seconds would keep a thread for hours.
class HttpConnection : public httplib::Stream {
 public:
  /// Closes `socket` in the end. `tls` may be null: no TLS.
  HttpConnection(socket_t socket, SSL_CTX* tls, ConnectionLimits limits);
  ~HttpConnection() override;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// False: the other side does not speak TLS, or has no certificate that is wanted of it.
  bool Open();
  /// Waits for the next request to begin. False: none has come in time, the other side has left, or `is_stopping` says that no more is to be read.
  bool WaitForRequest(const std::function<bool()>& is_stopping);
  /// Whether the last request had not come whole within its time.
  bool is_late() const { return is_late_; }
  /// Where one request ends and the next one begins is not known any more: nothing else may be read.
  void Break() { is_broken_ = true; }
  bool is_broken() const { return is_broken_; }

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* data, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  /// False: not before `end`.
  bool WaitFor(short events, absl::Time end) const;
  /// Waits as an operation of TLS that has returned `result` wants it. False: it has failed, or it is late.
  bool WaitAsTlsWants(int result, absl::Time end);
  /// At least a byte; 0: the other side has left; less: an error, or it is late.
  ssize_t Receive(char* data, size_t size);

  const socket_t socket_;
  SSL* tls_ = nullptr;
  const ConnectionLimits limits_;
  absl::Time request_end_;
  size_t request_bytes_ = 0;
  bool is_late_ = false;
  bool is_broken_ = false;
  std::array<char, 16 << 10> buffer_;  ///< httplib reads heads byte by byte.
  size_t buffer_begin_ = 0, buffer_end_ = 0;
};

}  // namespace planner::kubernetes
