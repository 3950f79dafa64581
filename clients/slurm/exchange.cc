#include "clients/slurm/exchange.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "clients/slurm/wire.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        fmt::format("path of a socket is empty or longer than 107 bytes: path=\"{}\"", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

/// Waits until `events` are there. False: not before `end`, or the other side has left.
bool WaitFor(int fd, short events, absl::Time end) {
  while (true) {
    const absl::Duration left = end - base::Clock::Real().Now();
    if (left <= absl::ZeroDuration()) return false;
    pollfd waited{.fd = fd, .events = events, .revents = 0};
    const int count = poll(&waited, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

bool WriteAll(int fd, std::string_view text, absl::Time end) {
  while (!text.empty()) {
    const ssize_t count = send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (!WaitFor(fd, POLLOUT, end)) return false;
    } else {
      return false;
    }
  }
  return true;
}

bool IsWhole(std::string_view text) {
  return text.size() > kLastLine.size() && text.ends_with('\n') &&
         text.substr(0, text.size() - 1).ends_with(kLastLine) && text[text.size() - 2 - kLastLine.size()] == '\n';
}

/// Reads to the line that ends a message, to the end of the stream, or to the limit.
absl::StatusOr<std::string> ReadMessage(int fd, absl::Time end) {
  std::string text;
  char buffer[16 << 10];
  while (!IsWhole(text)) {
    const ssize_t count = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (count > 0) {
      text.append(buffer, static_cast<size_t>(count));
      if (text.size() > kMaxMessageBytes) return absl::ResourceExhaustedError("a message is longer than 64 KiB");
    } else if (count == 0) {
      break;
    } else if (errno == EAGAIN || errno == EINTR) {
      if (!WaitFor(fd, POLLIN, end)) return absl::DeadlineExceededError("no answer in time");
    } else {
      return absl::UnavailableError(fmt::format("the connection has broken: {}", std::strerror(errno)));
    }
  }
  return text;
}

absl::StatusOr<int> Connect(const std::string& path, absl::Time end) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return absl::UnavailableError(std::strerror(errno));
  // A Unix socket's connection is there at once, or refused; EAGAIN means that too many wait to be accepted.
  while (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    if (error == EINTR) continue;
    close(fd);
    if (error == EAGAIN) return absl::DeadlineExceededError("too many wait there already");
    return absl::UnavailableError(fmt::format("{}: path=\"{}\"", std::strerror(error), path));
  }
  if (base::Clock::Real().Now() < end) return fd;
  close(fd);
  return absl::DeadlineExceededError("no answer in time");
}

/// Removes the socket of a server that has died. FAILED_PRECONDITION where one lives, or where something else is.
absl::Status RemoveStale(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return absl::OkStatus();
  if (!S_ISSOCK(status.st_mode))
    return absl::FailedPreconditionError(fmt::format("is there and is no socket: path=\"{}\"", path));
  const absl::StatusOr<int> other = Connect(path, base::Clock::Real().Now() + absl::Seconds(1));
  if (other.ok()) close(*other);
  if (other.ok() || absl::IsDeadlineExceeded(other.status())) {
    return absl::FailedPreconditionError(fmt::format("somebody answers there already: path=\"{}\"", path));
  }
  unlink(path.c_str());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Exchange>> Exchange::Listen(ExchangeOptions options, Answer answer) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(options.path));
  RETURN_IF_ERROR(RemoveStale(options.path));
  int wake[2];
  if (pipe2(wake, O_CLOEXEC) != 0) return absl::InternalError(std::strerror(errno));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool is_bound = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
                        chmod(options.path.c_str(), options.mode) == 0 && listen(fd, 64) == 0;
  if (!is_bound) {
    const absl::Status error =
        absl::FailedPreconditionError(fmt::format("{}: path=\"{}\"", std::strerror(errno), options.path));
    for (const int one : {fd, wake[0], wake[1]}) {
      if (one >= 0) close(one);
    }
    return error;
  }
  return std::unique_ptr<Exchange>(new Exchange(std::move(options), std::move(answer), fd, wake[0], wake[1]));
}

Exchange::Exchange(ExchangeOptions options, Answer answer, int listening, int wake_reader, int wake_writer)
    : options_(std::move(options)),
      answer_(std::move(answer)),
      listening_(listening),
      wake_reader_(wake_reader),
      wake_writer_(wake_writer) {
  accepting_ = std::thread([this] { Accept(); });
}

Exchange::~Exchange() {
  [[maybe_unused]] const ssize_t written = write(wake_writer_, "x", 1);
  accepting_.join();
  unlink(options_.path.c_str());
  close(listening_);
  {
    base::MutexLock lock(mutex_);
    while (open_connections_ > 0) changed_.Wait(mutex_);
  }
  close(wake_reader_);
  close(wake_writer_);
}

void Exchange::Accept() {
  while (true) {
    pollfd waited[2] = {{.fd = listening_, .events = POLLIN, .revents = 0},
                        {.fd = wake_reader_, .events = POLLIN, .revents = 0}};
    if (poll(waited, 2, -1) < 0 && errno != EINTR) return;
    if (waited[1].revents != 0) return;
    const int connection = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0) {
      if (errno == EMFILE || errno == ENFILE)
        poll(nullptr, 0, 10);  // Without a pause this would spin until one is free again.
      continue;
    }
    {
      base::MutexLock lock(mutex_);
      if (open_connections_ >= options_.most_connections) {
        close(connection);
        continue;
      }
      ++open_connections_;
    }
    // A thread each: there are few, and each may wait for the planner.
    std::thread([this, connection] { Serve(connection); }).detach();
  }
}

void Exchange::Serve(int connection) {
  const absl::StatusOr<std::string> question =
      ReadMessage(connection, base::Clock::Real().Now() + options_.read_timeout);
  if (question.ok()) {
    WriteAll(connection, answer_(*question), base::Clock::Real().Now() + options_.read_timeout);
  }
  close(connection);
  base::MutexLock lock(mutex_);
  --open_connections_;
  changed_.WakeAll();
}

absl::StatusOr<std::string> Ask(const std::string& path, const std::string& question, absl::Duration within) {
  const absl::Time end = base::Clock::Real().Now() + within;
  ASSIGN_OR_RETURN(const int fd, Connect(path, end));
  absl::StatusOr<std::string> answer = absl::UnavailableError("the question was not taken");
  if (WriteAll(fd, question, end)) answer = ReadMessage(fd, end);
  close(fd);
  if (answer.ok() && answer->empty()) return absl::UnavailableError("the connection was closed without an answer");
  return answer;
}

}  // namespace planner::slurm
