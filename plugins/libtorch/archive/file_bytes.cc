#include "plugins/libtorch/archive/file_bytes.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "plugins/libtorch/archive/archive_error.h"

namespace planner::libtorch {

absl::Status ReadAt(int fd, int64_t offset, char* buffer, int64_t size) {
  while (size > 0) {
    const ssize_t count = pread(fd, buffer, static_cast<size_t>(size), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::InternalError(absl::StrCat("the model file cannot be read: ", std::strerror(errno)));
    if (count == 0) return Broken(absl::StrCat("the file ends too early: ", size, " bytes are missing at offset ", offset));
    buffer += count;
    offset += count;
    size -= count;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAt(int fd, int64_t offset, int64_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  RETURN_IF_ERROR(ReadAt(fd, offset, bytes.data(), size));
  return bytes;
}

}  // namespace planner::libtorch
