#include "services/app/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "fmt/format.h"

namespace planner::app {

absl::StatusOr<StateLock> StateLock::Take(const std::string& state_dir) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);  // Where it cannot be, the lock below cannot be opened.
  const std::string path = state_dir + "/plannerd.lock";
  constexpr mode_t kOwnerOnly = 0600;
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly);
  if (file < 0) {
    return absl::PermissionDeniedError(fmt::format("state_dir: the lock cannot be opened: path={} error={}", path,
                                                   std::generic_category().message(errno)));
  }
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    ::close(file);
    return absl::FailedPreconditionError(
        fmt::format("state_dir: another plannerd runs on it; give each its own with --state_dir: path={}", state_dir));
  }
  return StateLock(file);
}

StateLock::~StateLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace planner::app
