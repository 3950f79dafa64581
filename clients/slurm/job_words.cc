#include "clients/slurm/job_words.h"

#include <algorithm>
#include <array>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

constexpr std::string_view kMark = "planner:";
constexpr size_t kMaxBytes = 4096;
constexpr size_t kMaxWords = 64;

absl::Status Invalid(std::string_view what) { return absl::InvalidArgumentError(std::string(what)); }

bool IsNameByte(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

std::string AsName(std::string_view text) {
  std::string name(text);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return name;
}

absl::Status Add(std::string_view written, std::string_view value, jobs::JobWords& words) {
  const std::string name = AsName(written);
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsNameByte))
    return Invalid("has a word that is no name=value");
  if (value.empty()) return Invalid(fmt::format("{}: is empty", name));
  if (std::any_of(value.begin(), value.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return Invalid(fmt::format("{}: has a control character", name));
  }
  if (!words.emplace(name, value).second) return Invalid(fmt::format("{}: is there twice", name));
  if (words.size() > kMaxWords) return Invalid("has more than 64 words");
  return absl::OkStatus();
}

/// Where the words begin; npos: nowhere.
size_t Begin(std::string_view comment) {
  for (size_t at = comment.find(kMark); at != std::string_view::npos; at = comment.find(kMark, at + 1)) {
    if (at == 0 || std::string_view(" \t;").find(comment[at - 1]) != std::string_view::npos) return at + kMark.size();
  }
  return std::string_view::npos;
}

}  // namespace

absl::StatusOr<jobs::JobWords> WordsOfComment(std::string_view comment) {
  jobs::JobWords words;
  const size_t begin = Begin(comment);
  if (begin == std::string_view::npos) return words;
  std::string_view rest = comment.substr(begin);
  if (rest.size() > kMaxBytes) return Invalid("is longer than 4,096 bytes");
  while (!rest.empty() && std::string_view(" \t;").find(rest.front()) == std::string_view::npos) {
    const size_t name_end = std::min(rest.find_first_of("=,; \t"), rest.size());
    const std::string_view name = rest.substr(0, name_end);
    rest.remove_prefix(name_end);
    std::string_view value = "true";
    if (!rest.empty() && rest.front() == '=') {
      rest.remove_prefix(1);
      size_t value_end = 0;
      if (!rest.empty() && rest.front() == '"') {
        rest.remove_prefix(1);
        value_end = rest.find('"');
        if (value_end == std::string_view::npos)
          return Invalid(fmt::format("{}: has a quote without its end", AsName(name)));
        value = rest.substr(0, value_end);
        rest.remove_prefix(value_end + 1);
        if (!rest.empty() && std::string_view(",; \t").find(rest.front()) == std::string_view::npos) {
          return Invalid(fmt::format("{}: goes on after its quote", AsName(name)));
        }
      } else {
        value_end = std::min(rest.find_first_of(",; \t"), rest.size());
        value = rest.substr(0, value_end);
        rest.remove_prefix(value_end);
      }
    }
    RETURN_IF_ERROR(Add(name, value, words));
    if (!rest.empty() && rest.front() == ',') {
      rest.remove_prefix(1);
    }
  }
  if (words.empty()) return Invalid("has no word after \"planner:\"");
  return words;
}

absl::StatusOr<jobs::JobWords> WordsOfEnvironment(const Fields& environment) {
  constexpr std::string_view kPrefix = "PLANNER_";
  constexpr std::array<std::string_view, 6> kOthers = {"SERVER", "TLS_CA", "TLS_CERT", "TLS_KEY", "PLAN_ID", "RUN"};
  jobs::JobWords words;
  size_t bytes = 0;
  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with(kPrefix)) continue;
    const std::string_view name = std::string_view(variable).substr(kPrefix.size());
    if (std::find(kOthers.begin(), kOthers.end(), name) != kOthers.end() || name.starts_with("SLURM_")) continue;
    bytes += variable.size() + value.size();
    if (bytes > kMaxBytes) return Invalid("PLANNER_ variables are longer than 4,096 bytes");
    RETURN_IF_ERROR(Add(name, value, words));
  }
  return words;
}

}  // namespace planner::slurm
