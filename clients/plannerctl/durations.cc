#include "clients/plannerctl/durations.h"

#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <vector>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

constexpr double kSecondsPerDay = 86400;
constexpr double kSecondsPerYear = 365.25 * kSecondsPerDay;
constexpr double kMaxSeconds = 1000 * kSecondsPerYear;

absl::Status NotADuration(std::string_view text) {
  return absl::InvalidArgumentError(
      fmt::format("is not a length of time: value=\"{}\"; write 30d, 36h, 90m, 1d12h or 1-12:00:00", text));
}

/// Seconds of a unit's name; none for an unknown one.
std::optional<double> UnitSeconds(std::string_view unit) {
  struct Unit {
    double seconds = 0;
    std::array<std::string_view, 5> names = {};
  };
  static constexpr std::array<Unit, 6> kUnits = {{
      {1e-3, {"ms"}},
      {1, {"s", "sec", "secs", "second", "seconds"}},
      {60, {"m", "min", "mins", "minute", "minutes"}},
      {3600, {"h", "hr", "hrs", "hour", "hours"}},
      {kSecondsPerDay, {"d", "day", "days"}},
      {7 * kSecondsPerDay, {"w", "week", "weeks"}},
  }};
  for (const Unit& candidate : kUnits) {
    for (const std::string_view name : candidate.names) {
      if (!name.empty() && name == unit) return candidate.seconds;
    }
  }
  return std::nullopt;
}

/// The digits and dot that `text` begins with, taken off it; none if there are none.
std::optional<double> TakeNumber(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || text.starts_with('-') || !std::isdigit(*(end - 1))) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

void SkipSpaces(std::string_view& text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
}

/// "1d12h"; none if any part of it is malformed.
std::optional<double> UnitsToSeconds(std::string_view text) {
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  while (!text.empty()) {
    const std::optional<double> number = TakeNumber(text);
    if (!number) return std::nullopt;
    SkipSpaces(text);
    size_t length = 0;
    while (length < text.size() && std::isalpha(static_cast<unsigned char>(text[length]))) ++length;
    const std::optional<double> unit = UnitSeconds(text.substr(0, length));
    if (!unit) return std::nullopt;
    text.remove_prefix(length);
    SkipSpaces(text);
    seconds += *number * *unit;
  }
  return seconds;
}

/// "D-HH[:MM[:SS]]", "HH:MM:SS" or "MM:SS"; none for anything else.
std::optional<double> ClockToSeconds(std::string_view text) {
  std::vector<double> fields;
  bool has_days = false;
  while (true) {
    size_t length = 0;
    while (length < text.size() && std::isdigit(static_cast<unsigned char>(text[length]))) ++length;
    if (length == 0 || length > 9) return std::nullopt;
    int value = 0;
    std::from_chars(text.data(), text.data() + length, value);
    fields.push_back(value);
    text.remove_prefix(length);
    if (text.empty()) break;
    const bool days = fields.size() == 1 && text.front() == '-';
    if (!days && text.front() != ':') return std::nullopt;
    has_days = has_days || days;
    text.remove_prefix(1);
  }
  if (fields.size() < 2 || fields.size() > (has_days ? 4U : 3U)) return std::nullopt;
  double seconds = 0;
  // Fields after days are hours, minutes, seconds; without days the last one is seconds.
  double unit = has_days ? kSecondsPerDay : (fields.size() == 3 ? 3600 : 60);
  for (const double field : fields) {
    seconds += field * unit;
    unit = unit == kSecondsPerDay ? 3600 : unit / 60;
  }
  return seconds;
}

bool LooksLikeTime(std::string_view text) { return text.size() >= 10 && text[4] == '-' && text[7] == '-'; }

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  std::optional<double> seconds = UnitsToSeconds(text);
  if (!seconds) seconds = ClockToSeconds(text);
  if (!seconds) return NotADuration(text);
  if (*seconds > kMaxSeconds) {
    return absl::InvalidArgumentError(fmt::format("is longer than 1,000 years: value=\"{}\"", text));
  }
  return absl::Seconds(*seconds);
}

absl::StatusOr<absl::Time> ParseTime(std::string_view text) {
  static constexpr std::array<const char*, 4> kFormats = {"%Y-%m-%dT%H:%M:%E*S%Ez", "%Y-%m-%dT%H:%M:%E*S",
                                                          "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
  for (const char* format : kFormats) {
    absl::Time time;
    if (absl::ParseTime(format, std::string(text), absl::UTCTimeZone(), &time, nullptr) && time > absl::UnixEpoch() &&
        time < absl::FromUnixSeconds(253402300800)) {  // Year 10000.
      return time;
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("is not a time: value=\"{}\"; write 2026-12-01 or 2026-12-01T08:00:00Z", text));
}

absl::StatusOr<Deadline> ParseDeadline(std::string_view text) {
  if (LooksLikeTime(text)) {
    ASSIGN_OR_RETURN(const absl::Time time, ParseTime(text));
    return Deadline(time);
  }
  ASSIGN_OR_RETURN(const absl::Duration duration, ParseDuration(text));
  return Deadline(duration);
}

std::string DurationText(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  struct Unit {
    double from;
    double seconds;
    const char* name;
  };
  static constexpr std::array<Unit, 5> kUnits = {{{2 * kSecondsPerYear, kSecondsPerYear, "years"},
                                                  {2 * kSecondsPerDay, kSecondsPerDay, "days"},
                                                  {2 * 3600, 3600, "h"},
                                                  {2 * 60, 60, "min"},
                                                  {0.9995, 1, "s"}}};
  for (const Unit& unit : kUnits) {
    if (seconds < unit.from) continue;
    const double value = seconds / unit.seconds;
    return value >= 999.5 ? fmt::format("{:.0f} {}", value, unit.name) : fmt::format("{:.3g} {}", value, unit.name);
  }
  if (seconds == 0) return "0 s";
  return fmt::format("{:.3g} ms", seconds * 1e3);
}

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M UTC", time, absl::UTCTimeZone()); }

void SetDuration(absl::Duration duration, google::protobuf::Duration& proto) {
  absl::Duration rest;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<int32_t>(rest / absl::Nanoseconds(1)));
}

void SetTime(absl::Time time, google::protobuf::Timestamp& proto) {
  absl::Duration rest;
  proto.set_seconds(absl::IDivDuration(time - absl::UnixEpoch(), absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<int32_t>(rest / absl::Nanoseconds(1)));
}

}  // namespace planner::plannerctl
