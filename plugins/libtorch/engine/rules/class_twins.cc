#include "plugins/libtorch/engine/rules/class_twins.h"

#include <utility>

#include "plugins/libtorch/engine/rules/class_source.h"

namespace planner::libtorch {
namespace {

constexpr std::string_view kRoot = "__torch__.";
constexpr std::string_view kMangled = ".___torch_mangle_";
/// Modules within modules; what lies deeper has no twins.
constexpr int kDeepest = 100;

bool IsNamePart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/// The class of a source that defines one module and nothing else; empty: it is not such a source.
std::string_view OnlyModule(std::string_view source) {
  constexpr std::string_view kClass = "class ";
  constexpr std::string_view kBase = "(Module):\n";
  if (!source.starts_with(kClass)) return {};
  const size_t end = source.find('(');
  if (end == std::string_view::npos || !source.substr(end).starts_with(kBase)) return {};
  for (size_t line = source.find('\n'); line + 1 < source.size(); line = source.find('\n', line + 1)) {
    const char first = source[line + 1];
    if (first != ' ' && first != '\n') return {};
  }
  return source.substr(kClass.size(), end - kClass.size());
}

std::string WithoutEmptyLines(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  for (const char c : text) {
    if (c != '\n' || !kept.ends_with('\n')) kept += c;
  }
  return kept;
}

}  // namespace

std::string ClassTwins::First(const std::string& name) { return First(name, 0); }

std::optional<std::string> ClassTwins::Source(const std::string& qualifier) {
  File& file = Look(qualifier, 0);
  return std::exchange(file.source, std::nullopt);
}

std::string ClassTwins::First(const std::string& name, int depth) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos || depth > kDeepest || name.find(kMangled) == std::string::npos) return name;
  const File& file = Look(name.substr(0, dot), depth);
  // A file with one class has no other that could be meant, unless the archive is wrong: then the importer says so.
  return file.first.substr(file.first.rfind('.') + 1) == name.substr(dot + 1) ? file.first : name;
}

ClassTwins::File& ClassTwins::Look(const std::string& qualifier, int depth) {
  const auto [entry, is_new] = files_.try_emplace(qualifier);
  File& file = entry->second;  // Stays where it is while others come.
  if (!is_new) return file;
  std::optional<std::string> whole = read_(qualifier);
  if (!whole.has_value()) return file;
  const std::string source = WithoutConstants(*whole);
  const std::string name(OnlyModule(source));
  if (name.empty()) {
    file.source = NameFirstTwins(source, {}, {}, depth);
    return file;
  }
  const std::string self = qualifier + "." + name;
  const std::string compared = WithoutEmptyLines(NameFirstTwins(source, self, "?", depth));
  file.first = first_of_source_.try_emplace(compared, self).first->second;
  file.source = NameFirstTwins(source, self, self, depth);
  return file;
}

std::string ClassTwins::NameFirstTwins(std::string_view source, std::string_view self, std::string_view self_becomes,
                                       int depth) {
  std::string text;
  text.reserve(source.size());
  for (;;) {
    const size_t start = source.find(kRoot);
    if (start == std::string_view::npos) break;
    size_t end = start;
    while (end < source.size() && IsNamePart(source[end])) ++end;
    const std::string_view name = source.substr(start, end - start);
    text += source.substr(0, start);
    if (!self.empty() && name == self) {
      text += self_becomes;
    } else {
      text += First(std::string(name), depth + 1);
    }
    source.remove_prefix(end);
  }
  text += source;
  return text;
}

}  // namespace planner::libtorch
