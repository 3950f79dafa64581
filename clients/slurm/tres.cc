#include "clients/slurm/tres.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

using jobs::GpuRequest;
using jobs::GpuScope;

constexpr int64_t kMostGpus = 1'000'000;
constexpr size_t kMaxText = 1024;

absl::Status Invalid(std::string_view what, std::string_view text) {
  return absl::InvalidArgumentError(fmt::format("{}: gpus=\"{}\"", what, text.substr(0, 100)));
}

bool IsTypeName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

bool IsNumber(std::string_view text) {
  return !text.empty() && text.front() >= '0' && text.front() <= '9' &&
         std::all_of(text.begin(), text.end() - 1, [](char c) { return c >= '0' && c <= '9'; }) &&
         std::string_view("0123456789kKmM").find(text.back()) != std::string_view::npos;
}

absl::StatusOr<int64_t> ParseCount(std::string_view text, std::string_view whole) {
  int64_t factor = 1;
  if (text.back() == 'k' || text.back() == 'K') factor = 1024;
  if (text.back() == 'm' || text.back() == 'M') factor = 1024 * 1024;
  if (factor > 1) text.remove_suffix(1);
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count > kMostGpus / factor)
    return Invalid("count is above 1,000,000", whole);
  return count * factor;
}

/// "a100:4", "a100", "4", "": what follows the word gpu.
absl::Status FillTypeAndCount(std::string_view text, std::string_view whole, GpuRequest& gpus) {
  if (text.empty()) return absl::OkStatus();
  const size_t at = text.find_last_of(":=");
  const std::string_view last = at == std::string_view::npos ? text : text.substr(at + 1);
  std::string_view type = at == std::string_view::npos ? std::string_view() : text.substr(0, at);
  // "a100=4" has its separator already; a lone word is a count if it looks like one, else a type.
  if (IsNumber(last)) {
    ASSIGN_OR_RETURN(gpus.count, ParseCount(last, whole));
  } else if (type.empty()) {
    type = last;
  } else {
    return Invalid("is no count", whole);
  }
  if (!type.empty() && !IsTypeName(type)) return Invalid("is no type of GPUs", whole);
  gpus.type = std::string(type);
  return absl::OkStatus();
}

/// Without what Slurm says of sockets and indices: "gpu:a100:4(S:0-1)". Commas in brackets separate nothing.
std::vector<std::string> Parts(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (depth == 0 && c == ',') {
      parts.emplace_back();
    } else if (depth == 0) {
      parts.back() += c;
    }
    if (c == ')' && depth > 0) --depth;
  }
  return parts;
}

}  // namespace

std::string_view FieldOf(GpuScope scope) {
  switch (scope) {
    case GpuScope::kJob:
      return "tres_per_job";
    case GpuScope::kNode:
      return "tres_per_node";
    case GpuScope::kSocket:
      return "tres_per_socket";
    case GpuScope::kTask:
      return "tres_per_task";
  }
  return "";
}

absl::StatusOr<std::optional<GpuRequest>> ParseGpus(std::string_view text, GpuScope scope) {
  if (text.size() > kMaxText) return Invalid("is longer than 1,024 bytes", text);
  std::optional<GpuRequest> found;
  std::vector<std::string> beside;
  for (const std::string& part : Parts(text)) {
    std::string_view rest = part;
    size_t prefix = 0;
    for (const std::string_view gres : {"gres:", "gres/"}) {
      if (rest.starts_with(gres)) prefix = gres.size();
    }
    rest.remove_prefix(prefix);
    const bool is_gpus =
        rest.starts_with("gpu") && (rest.size() == 3 || rest[3] == ':' || rest[3] == '=');  // Not "gpumem".
    if (!is_gpus) {
      if (!part.empty()) beside.push_back(part);
      continue;
    }
    rest.remove_prefix(3);
    GpuRequest gpus{.scope = scope, .prefix = part.substr(0, prefix + 3)};
    if (!rest.empty()) {
      rest.remove_prefix(1);
      if (rest.empty()) return Invalid("has no count", text);
    }
    RETURN_IF_ERROR(FillTypeAndCount(rest, text, gpus));
    if (!found.has_value()) {
      found = gpus;
    } else if (found->type == gpus.type) {
      found->count += gpus.count;
    } else {
      return Invalid("asks for two types of GPUs", text);
    }
  }
  if (found.has_value() && found->count == 0) return std::optional<GpuRequest>();
  if (found.has_value()) found->beside = std::move(beside);
  return found;
}

absl::StatusOr<std::optional<GpuRequest>> ParseGpuOption(std::string_view text, GpuScope scope) {
  if (text.empty()) return std::optional<GpuRequest>();
  if (text.starts_with("gres:") || text.starts_with("gres/") || text.starts_with("gpu")) return ParseGpus(text, scope);
  std::string whole = "gres:gpu:";
  for (const char c : text) {
    whole += c;
    if (c == ',') whole += "gres:gpu:";
  }
  return ParseGpus(whole, scope);
}

std::string TextOf(const GpuRequest& gpus) {
  std::string text = fmt::format("{}{}{}:{}", gpus.prefix, gpus.type.empty() ? "" : ":", gpus.type, gpus.count);
  for (const std::string& other : gpus.beside) text += "," + other;
  return text;
}

}  // namespace planner::slurm
