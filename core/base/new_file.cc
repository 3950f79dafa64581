#include "core/base/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace planner::base {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

absl::Status FileError(const std::string& path, int error) {
  const std::string text = absl::StrCat(path, ": ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(text);
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(text);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

/// Where the bytes of `path` go: itself, or what a symbolic link leads to.
absl::StatusOr<std::string> TargetOf(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    // A link that leads nowhere is replaced: there is nothing else to write.
    if (errno == ENOENT) return path;
    return FileError(path, errno);
  }
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, ": is there and is no file"));
  std::error_code error;
  const std::filesystem::path target = std::filesystem::canonical(path, error);
  if (error) return FileError(path, error.value());
  return target.string();
}

absl::Status SyncFolderOf(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int file = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return FileError(path, errno);
  const int error = fsync(file) == 0 ? 0 : errno;
  close(file);
  // Some file systems know no such thing for a folder.
  return error == 0 || error == EINVAL ? absl::OkStatus() : FileError(path, error);
}

}  // namespace

absl::StatusOr<NewFile> NewFile::Create(const std::string& path, mode_t mode) {
  ASSIGN_OR_RETURN(std::string target, TargetOf(path));
  std::string temporary = target + ".XXXXXX";
  const int file = mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return FileError(path, errno);
  NewFile made(file, std::move(target), std::move(temporary));
  if (fchmod(file, mode) != 0) return FileError(path, errno);
  return made;
}

NewFile::NewFile(int file, std::string path, std::string temporary)
    : file_(file), path_(std::move(path)), temporary_(std::move(temporary)) {}

NewFile::NewFile(NewFile&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      buffer_(std::move(other.buffer_)) {}

NewFile::~NewFile() {
  if (file_ < 0) return;
  close(file_);
  unlink(temporary_.c_str());
}

absl::Status NewFile::Write(std::string_view bytes) {
  buffer_.append(bytes);
  return buffer_.size() < kBufferBytes ? absl::OkStatus() : Flush();
}

absl::Status NewFile::Finish() {
  RETURN_IF_ERROR(Flush());
  if (fsync(file_) != 0) return FileError(path_, errno);
  // Asked again: a device may have taken the name meanwhile, and a rename would replace it.
  RETURN_IF_ERROR(TargetOf(path_).status());
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) return FileError(path_, errno);
  close(std::exchange(file_, -1));
  return SyncFolderOf(path_);
}

absl::Status NewFile::Flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t count = write(file_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(path_, errno);
    rest.remove_prefix(static_cast<size_t>(count));
  }
  buffer_.clear();
  return absl::OkStatus();
}

}  // namespace planner::base
