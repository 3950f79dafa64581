#include "clients/jobs/time_limit.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::jobs {
namespace {

constexpr int64_t kMinutesOfDay = 24 * 60;
constexpr int64_t kMostMinutes = int64_t{1000} * 366 * kMinutesOfDay;

absl::Status NotALimit(std::string_view text) {
  return absl::InvalidArgumentError(fmt::format("is no time limit: time=\"{}\"", text.substr(0, 64)));
}

absl::StatusOr<int64_t> Number(std::string_view text, std::string_view whole) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0 || value > kMostMinutes)
    return NotALimit(whole);
  return value;
}

}  // namespace

absl::StatusOr<std::optional<int64_t>> ParseTimeLimit(std::string_view text) {
  if (text.empty() || text == "UNLIMITED" || text == "INFINITE" || text == "unlimited" || text == "infinite")
    return std::optional<int64_t>();
  if (text.size() > 64) return NotALimit(text);
  int64_t days = 0;
  std::string_view clock = text;
  const size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    ASSIGN_OR_RETURN(days, Number(text.substr(0, dash), text));
    clock = text.substr(dash + 1);
  }
  const std::vector<std::string> texts = absl::StrSplit(absl::string_view(clock.data(), clock.size()), ':');
  if (texts.size() > 3) return NotALimit(text);
  std::array<int64_t, 3> parts = {0, 0, 0};
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSIGN_OR_RETURN(parts.at(i), Number(texts[i], text));
  }
  // With days the first number is hours; without, one or two numbers are minutes and seconds.
  if (dash == std::string_view::npos && texts.size() < 3) parts = {0, parts[0], parts[1]};
  const double minutes = static_cast<double>(days) * kMinutesOfDay + static_cast<double>(parts[0]) * 60 +
                         static_cast<double>(parts[1]) + std::ceil(static_cast<double>(parts[2]) / 60);
  if (minutes > static_cast<double>(kMostMinutes)) return NotALimit(text);
  return std::optional<int64_t>(static_cast<int64_t>(minutes));
}

std::string TimeLimitText(int64_t minutes) {
  const std::string clock = fmt::format("{:02}:{:02}:00", minutes % kMinutesOfDay / 60, minutes % 60);
  return minutes < kMinutesOfDay ? clock : fmt::format("{}-{}", minutes / kMinutesOfDay, clock);
}

std::string SpanText(absl::Duration span) {
  const auto with = [](double value, std::string_view unit) {
    const std::string text = fmt::format("{:.{}f}", value, value < 10 ? 1 : 0);
    return fmt::format("{} {}", text.ends_with(".0") ? text.substr(0, text.size() - 2) : text, unit);
  };
  const double minutes = absl::ToDoubleMinutes(span);
  if (minutes < 1) return "less than a minute";
  if (minutes < 100) return with(minutes, "min");
  if (minutes < 48 * 60) return with(minutes / 60, "hours");
  return with(minutes / kMinutesOfDay, "days");
}

}  // namespace planner::jobs
