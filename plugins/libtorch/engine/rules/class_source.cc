#include "plugins/libtorch/engine/rules/class_source.h"

namespace planner::libtorch {
namespace {

/// Two spaces, an identifier and " : Final[": an assignment within a class, but in none of its methods, whose code is deeper.
bool IsConstant(std::string_view line) {
  if (line.size() < 3 || line.substr(0, 2) != "  " || line[2] == ' ') return false;
  const size_t colon = line.find(" : Final[");
  if (colon == std::string_view::npos) return false;
  for (const char c : line.substr(2, colon - 2)) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!letter) return false;
  }
  // A value over several lines would leave its end behind.
  return line.find("\"\"\"") == std::string_view::npos && !line.ends_with("(") && !line.ends_with("[") && !line.ends_with(",") &&
         !line.ends_with("\\");
}

}  // namespace

std::string WithoutConstants(std::string_view source) {
  std::string kept;
  kept.reserve(source.size());
  while (!source.empty()) {
    const size_t end = source.find('\n');
    const std::string_view line = source.substr(0, end);
    if (!IsConstant(line)) kept += line;
    if (end == std::string_view::npos) break;
    kept += '\n';
    source.remove_prefix(end + 1);
  }
  return kept;
}

}  // namespace planner::libtorch
