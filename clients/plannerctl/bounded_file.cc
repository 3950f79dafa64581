#include "clients/plannerctl/bounded_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

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

}  // namespace

absl::StatusOr<std::string> ReadBoundedFile(const std::string& path, std::istream& standard_input, size_t limit) {
  std::ifstream file;
  if (path != "-") {
    std::error_code error;
    const auto kind = std::filesystem::status(path, error).type();
    if (kind == std::filesystem::file_type::not_found) return Unreadable(path, "no such file");
    if (kind == std::filesystem::file_type::directory) return Unreadable(path, "is a folder");
    if (kind == std::filesystem::file_type::regular) {
      const auto size = std::filesystem::file_size(path, error);
      if (!error && size > limit) return TooLarge(path, limit);
    }
    errno = 0;
    file.open(path, std::ios::binary);
    if (!file) return Unreadable(path, errno != 0 ? std::strerror(errno) : "cannot be opened");
  }
  std::istream& in = path == "-" ? standard_input : file;
  std::string text(limit + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  const auto length = static_cast<size_t>(in.gcount());
  if (in.bad()) return Unreadable(path, "cannot be read");
  if (length > limit) return TooLarge(path, limit);
  text.resize(length);
  return text;
}

}  // namespace planner::plannerctl
