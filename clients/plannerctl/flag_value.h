#pragma once

#include <CLI/CLI.hpp>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fmt/format.h"

namespace planner::plannerctl {

/// Adds a flag whose text is kept as it was written, to be read by FillFlag. An empty text is
/// refused: an unset shell variable is a mistake, not a default.
template <typename Value>
CLI::Option* AddFlag(CLI::App& command, const char* names, Value& value, const char* description,
                     const char* type_name) {
  return command.add_option(names, value, description)
      ->type_name(type_name)
      ->check([](const std::string& given) { return given.empty() ? "is empty" : ""; }, "");
}

/// Reads a flag's text with `parse` and hands the value to `set`; nothing if the flag was not given.
/// The error is that of `parse` with the flag's name in front.
template <typename Parse, typename Set>
absl::Status FillFlag(std::string_view flag, const std::string& text, Parse parse, Set set) {
  if (text.empty()) return absl::OkStatus();
  auto value = parse(text);
  if (!value.ok()) {
    return absl::Status(value.status().code(), fmt::format("{}: {}", flag, std::string(value.status().message())));
  }
  set(*std::move(value));
  return absl::OkStatus();
}

/// A parser for FillFlag that takes one of `words`.
template <typename Enum, size_t kSize>
auto OneOf(const std::array<std::pair<std::string_view, Enum>, kSize>& words) {
  return [&words](std::string_view text) -> absl::StatusOr<Enum> {
    std::string known;
    for (const auto& [word, value] : words) {
      if (word == text) return value;
      known += fmt::format("{}{}", known.empty() ? "" : ", ", word);
    }
    return absl::InvalidArgumentError(fmt::format("is none of {}: value=\"{}\"", known, text));
  };
}

}  // namespace planner::plannerctl
