#include "services/app/socket_file.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "fmt/format.h"

namespace planner::app {
namespace {

/// Whether a connection is accepted, or may be (the queue is full).
bool SomebodyListens(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy_n(path.begin(), std::min(path.size(), sizeof(address.sun_path) - 1), address.sun_path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return true;
  const int result = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const bool refused = result != 0 && errno == ECONNREFUSED;
  ::close(socket);
  return !refused;
}

}  // namespace

absl::Status ClearSocketFile(const std::string& path) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder, error)) {
    return absl::InvalidArgumentError(
        fmt::format("listen: the socket's folder does not exist: path={}", folder.string()));
  }
  const std::filesystem::file_status status = std::filesystem::symlink_status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) return absl::OkStatus();
  if (status.type() != std::filesystem::file_type::socket) {
    return absl::FailedPreconditionError(fmt::format("listen: there is a file that is no socket: path={}", path));
  }
  if (SomebodyListens(path)) {
    return absl::UnavailableError(fmt::format("listen: is in use: address=unix:{}", path));
  }
  RemoveSocketFile(path);
  return absl::OkStatus();
}

void RemoveSocketFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::symlink_status(path, error).type() == std::filesystem::file_type::socket) {
    std::filesystem::remove(path, error);
  }
}

}  // namespace planner::app
