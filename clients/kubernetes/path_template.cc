#include "clients/kubernetes/path_template.h"

namespace planner::kubernetes {
namespace {

/// "/v1/{name=plans/*}:confirm" as "/v1/(plans/[^/:]+):confirm"; the variables' names go to `variables`.
std::string PatternOf(std::string_view text, std::vector<std::string>& variables) {
  std::string pattern;
  bool in_variable = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '{') {
      const size_t equals = text.find('=', i);
      variables.emplace_back(text.substr(i + 1, equals - i - 1));
      pattern += '(';
      i = equals;
      in_variable = true;
    } else if (c == '}') {
      pattern += ')';
      in_variable = false;
    } else if (in_variable && text.substr(i, 2) == "**") {
      pattern += ".+";
      ++i;
    } else if (in_variable && c == '*') {
      pattern += "[^/:]+";
    } else {
      pattern += RE2::QuoteMeta(re2::StringPiece(&c, 1));
    }
  }
  return pattern;
}

}  // namespace

PathTemplate::PathTemplate(std::string_view text) : pattern_(std::make_shared<RE2>(PatternOf(text, variables_))) {}

std::optional<std::vector<std::pair<std::string, std::string>>> PathTemplate::Match(std::string_view path) const {
  std::vector<std::string> values(variables_.size());
  std::vector<RE2::Arg> arguments;
  std::vector<const RE2::Arg*> pointers;
  for (std::string& value : values) arguments.emplace_back(&value);
  for (const RE2::Arg& argument : arguments) pointers.push_back(&argument);
  if (!RE2::FullMatchN(re2::StringPiece(path.data(), path.size()), *pattern_, pointers.data(), static_cast<int>(pointers.size()))) {
    return std::nullopt;
  }
  std::vector<std::pair<std::string, std::string>> result;
  for (size_t i = 0; i < values.size(); ++i) result.emplace_back(variables_[i], std::move(values[i]));
  return result;
}

}  // namespace planner::kubernetes
