#include "clients/plannerctl/bounded_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

absl::Status Unreadable(const std::string& path, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", path, why));
}

absl::Status TooLarge(const std::string& path, size_t limit) {
  const std::string_view what = limit == kMaxFileBytes ? ", which no description of a model or cluster is" : "";
  return Unreadable(path, fmt::format("is larger than {} MiB{}", limit >> 20, what));
}

/// An open file, closed with the object.
class File {
 public:
  File(int number, bool is_pipe) : number_(number), is_pipe_(is_pipe) {}
  File(File&& other) noexcept : number_(std::exchange(other.number_, -1)), is_pipe_(other.is_pipe_) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }
  bool is_pipe() const { return is_pipe_; }

 private:
  int number_;
  bool is_pipe_;
};

/// Opened so that neither this nor a read waits for a writer of a pipe that has none.
absl::StatusOr<File> Open(const std::string& path, size_t limit) {
  const int number = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (number < 0) return Unreadable(path, errno == ENOENT ? "no such file" : std::strerror(errno));
  struct stat status {};
  if (fstat(number, &status) != 0) status = {};
  File file(number, S_ISFIFO(status.st_mode));
  if (S_ISDIR(status.st_mode)) return Unreadable(path, "is a folder");
  if (S_ISREG(status.st_mode) && static_cast<uint64_t>(status.st_size) > limit) return TooLarge(path, limit);
  return file;
}

}  // namespace

absl::StatusOr<std::string> ReadBoundedFile(const std::string& path, std::istream& standard_input, size_t limit) {
  std::string text;
  size_t length = 0;
  // Grows with what is there: the limit may be far above what most files have.
  const auto has_room = [&] {
    constexpr size_t kFirstBytes = size_t{64} << 10;
    if (length == text.size()) text.resize(std::min(limit + 1, std::max(kFirstBytes, 2 * text.size())));
    return length < text.size();
  };
  if (path == "-") {
    while (standard_input && has_room()) {
      standard_input.read(text.data() + length, static_cast<std::streamsize>(text.size() - length));
      length += static_cast<size_t>(standard_input.gcount());
    }
    if (standard_input.bad()) return Unreadable(path, "cannot be read");
  } else {
    ASSIGN_OR_RETURN(const File file, Open(path, limit));
    while (has_room()) {
      const ssize_t count = read(file.number(), text.data() + length, text.size() - length);
      if (count < 0 && errno == EINTR) continue;
      // There is a writer, as of `<(command)`: that one is waited for.
      if (count < 0 && errno == EAGAIN && fcntl(file.number(), F_SETFL, 0) == 0) continue;
      if (count < 0) return Unreadable(path, std::strerror(errno));
      if (count == 0) break;
      length += static_cast<size_t>(count);
    }
    if (length == 0 && file.is_pipe()) return Unreadable(path, "is a pipe that nobody writes to");
  }
  if (length > limit) return TooLarge(path, limit);
  text.resize(length);
  return text;
}

}  // namespace planner::plannerctl
