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

absl::Status TooLarge(const std::string& path) {
  return Unreadable(path, "is larger than 4 MiB, which no description of a model or cluster is");
}

}  // namespace

absl::StatusOr<std::string> ReadBoundedFile(const std::string& path, std::istream& standard_input) {
  std::ifstream file;
  if (path != "-") {
    std::error_code error;
    const auto kind = std::filesystem::status(path, error).type();
    if (kind == std::filesystem::file_type::not_found) return Unreadable(path, "no such file");
    if (kind == std::filesystem::file_type::directory) return Unreadable(path, "is a folder");
    if (kind == std::filesystem::file_type::regular) {
      const auto size = std::filesystem::file_size(path, error);
      if (!error && size > kMaxFileBytes) return TooLarge(path);
    }
    errno = 0;
    file.open(path, std::ios::binary);
    if (!file) return Unreadable(path, errno != 0 ? std::strerror(errno) : "cannot be opened");
  }
  std::istream& in = path == "-" ? standard_input : file;
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  const auto length = static_cast<size_t>(in.gcount());
  if (in.bad()) return Unreadable(path, "cannot be read");
  if (length > kMaxFileBytes) return TooLarge(path);
  text.resize(length);
  return text;
}

}  // namespace planner::plannerctl
