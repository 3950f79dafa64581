#include "clients/plannerctl/numbers.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

absl::Status NotANumber(std::string_view text) {
  return absl::InvalidArgumentError(
      fmt::format("is not a number: value=\"{}\"; write 300B, 1.4T, 4M, 2k or 2e9", text));
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// The power of ten of a suffix; 0 if it is none.
int SuffixExponent(char c) {
  switch (Lower(c)) {
    case 'k':
      return 3;
    case 'm':
      return 6;
    case 'b':
      return 9;
    case 't':
      return 12;
    default:
      return 0;
  }
}

/// "1.4T" as "1.4e12", the spelling that from_chars rounds once; empty if `text` is no number.
std::string Decimal(std::string_view text) {
  if (text.empty()) return "";
  const int exponent = SuffixExponent(text.back());
  if (exponent != 0) text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return "";
  if (exponent == 0) return std::string(text);
  if (text.find_first_of("eE") != std::string_view::npos) return "";
  return fmt::format("{}e{}", text, exponent);
}

}  // namespace

absl::StatusOr<double> ParseNumber(std::string_view text) {
  const std::string decimal = Decimal(text);
  double value = 0;
  const char* end = decimal.data() + decimal.size();
  const auto [parsed, error] = std::from_chars(decimal.data(), end, value);
  if (error != std::errc() || parsed != end || !std::isfinite(value)) return NotANumber(text);
  return value;
}

absl::StatusOr<int64_t> ParseInteger(std::string_view text) {
  // Plain digits are read exactly; doubles only reach 2^53.
  int64_t exact = 0;
  const char* end = text.data() + text.size();
  if (const auto [parsed, error] = std::from_chars(text.data(), end, exact); error == std::errc() && parsed == end) {
    return exact;
  }
  ASSIGN_OR_RETURN(const double value, ParseNumber(text));
  if (value != std::floor(value)) {
    return absl::InvalidArgumentError(fmt::format("is not a whole number: value=\"{}\"", text));
  }
  if (std::abs(value) >= 0x1p63) {
    return absl::InvalidArgumentError(fmt::format("does not fit 64 bits: value=\"{}\"", text));
  }
  return static_cast<int64_t>(value);
}

absl::StatusOr<int32_t> ParseInt32(std::string_view text) {
  ASSIGN_OR_RETURN(const int64_t value, ParseInteger(text));
  if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(fmt::format("does not fit 32 bits: value=\"{}\"", text));
  }
  return static_cast<int32_t>(value);
}

absl::StatusOr<double> ParseRatio(std::string_view text) {
  if (!text.ends_with('%')) return ParseNumber(text);
  ASSIGN_OR_RETURN(const double percent, ParseNumber(text.substr(0, text.size() - 1)));
  return percent / 100;
}

absl::StatusOr<bool> ParseBool(std::string_view text) {
  std::string lower;
  for (const char c : text) lower += Lower(c);
  if (lower == "true" || lower == "yes" || lower == "on" || lower == "1") return true;
  if (lower == "false" || lower == "no" || lower == "off" || lower == "0") return false;
  return absl::InvalidArgumentError(fmt::format("is neither true nor false: value=\"{}\"", text));
}

absl::StatusOr<IntegerRange> ParseRange(std::string_view text) {
  const size_t dash = text.find('-', 1);  // A leading one is a sign.
  ASSIGN_OR_RETURN(const int64_t min, ParseInteger(text.substr(0, dash)));
  if (dash == std::string_view::npos) return IntegerRange{min, min};
  ASSIGN_OR_RETURN(const int64_t max, ParseInteger(text.substr(dash + 1)));
  return IntegerRange{min, max};
}

std::string FormatCount(double value) {
  static constexpr std::array<std::pair<double, char>, 4> kSuffixes = {
      {{1e12, 'T'}, {1e9, 'B'}, {1e6, 'M'}, {1e3, 'k'}}};
  const double magnitude = std::abs(value);
  if (magnitude >= 999.5e12) return FormatScientific(value);
  for (const auto& [unit, suffix] : kSuffixes) {
    // What would round up to 1000 of the next smaller unit already belongs to this one.
    if (magnitude >= unit * 0.9995) return fmt::format("{:.3g}{}", value / unit, suffix);
  }
  return fmt::format("{:.3g}", value);
}

std::string FormatGrouped(int64_t value) {
  std::string digits = fmt::format("{}", value);
  const ptrdiff_t first = value < 0 ? 1 : 0;
  for (ptrdiff_t i = std::ssize(digits) - 3; i > first; i -= 3) {
    digits.insert(static_cast<size_t>(i), ",");
  }
  return digits;
}

std::string FormatGib(int64_t bytes) {
  const double gib = static_cast<double>(bytes) / 0x1p30;
  if (bytes == 0) return "0 GiB";
  if (gib < 0.005) return "<0.01 GiB";
  return gib < 9.995 ? fmt::format("{:.2f} GiB", gib) : fmt::format("{:.1f} GiB", gib);
}

std::string FormatScientific(double value) {
  if (value == 0) return "0";
  std::string text = fmt::format("{:.2e}", value);
  const size_t plus = text.find("e+");
  if (plus != std::string::npos) text.erase(plus + 1, 1);
  return text;
}

std::string FormatPercent(double ratio) { return fmt::format("{:.1f} %", ratio * 100); }

std::string FormatMoney(double amount, std::string_view currency) {
  if (std::abs(amount) < 100) return fmt::format("{} {:.2f}", currency, amount);
  if (std::abs(amount) > 1e15) return fmt::format("{} {}", currency, FormatScientific(amount));
  return fmt::format("{} {}", currency, FormatGrouped(std::llround(amount)));
}

std::string FormatRate(double value, double unit) {
  if (value == 0) return "-";
  const double scaled = value / unit;
  return scaled < 99.95 && scaled != std::floor(scaled) ? fmt::format("{:.1f}", scaled) : fmt::format("{:.0f}", scaled);
}

}  // namespace planner::plannerctl
