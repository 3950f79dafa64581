#include "clients/slurm/wire.h"

#include <algorithm>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool IsPlain(char c) { return IsLetterOrDigit(c) || std::string_view("-_.:/,=").find(c) != std::string_view::npos; }

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), [](char c) {
    return IsLetterOrDigit(c) || c == '_' || c == '-' || c == '.';
  });
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

absl::Status Invalid(std::string_view what) { return absl::InvalidArgumentError(std::string(what)); }

absl::StatusOr<std::string> Unescape(std::string_view text) {
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (!IsPlain(text[i])) return Invalid("has a byte that is not escaped");
      value += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return Invalid("has a \"%\" without two hexadecimal digits");
    value += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return value;
}

}  // namespace

std::string Encode(const Fields& fields) {
  std::string text = fmt::format("{}\n", kFirstLine);
  for (const auto& [name, value] : fields) {
    text += name + "=";
    for (const char c : value)
      text += IsPlain(c) ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
    text += '\n';
  }
  return text += fmt::format("{}\n", kLastLine);
}

absl::StatusOr<Fields> Decode(std::string_view text) {
  if (text.size() > kMaxMessageBytes) return Invalid("is longer than 64 KiB");
  Fields fields;
  bool begun = false;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return Invalid("has a line without an end");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (!begun) {
      if (line != kFirstLine) return Invalid(fmt::format("does not begin with \"{}\"", kFirstLine));
      begun = true;
      continue;
    }
    if (line == kLastLine) {
      if (!text.empty()) return Invalid("goes on after its end");
      return fields;
    }
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos || !IsName(line.substr(0, equals)))
      return Invalid("has a line that is no name=value");
    ASSIGN_OR_RETURN(std::string value, Unescape(line.substr(equals + 1)));
    fields.emplace_back(line.substr(0, equals), std::move(value));
  }
  return Invalid("has no end");
}

std::string_view ValueOf(const Fields& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace planner::slurm
