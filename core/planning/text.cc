#include "core/planning/text.h"

#include "fmt/format.h"

namespace planner::planning {

std::string Gib(double bytes) { return fmt::format("{:.1f} GiB", bytes / (1024.0 * 1024.0 * 1024.0)); }

std::string Duration(double seconds) {
  constexpr double kDay = 86400;
  constexpr double kYear = 365.25 * kDay;
  if (seconds < 120) return fmt::format("{:.3g} s", seconds);
  if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
  if (seconds < 2 * kDay) return fmt::format("{:.1f} h", seconds / 3600);
  if (seconds < 2 * kYear) return fmt::format("{:.1f} days", seconds / kDay);
  if (seconds < 10000 * kYear) return fmt::format("{:.1f} years", seconds / kYear);
  return fmt::format("{:.2g} years", seconds / kYear);
}

std::string Grouped(int64_t number) {
  std::string digits = fmt::format("{}", number);
  const size_t sign = number < 0 ? 1 : 0;
  for (size_t place = digits.size(); place > sign + 3;) digits.insert(place -= 3, ",");
  return digits;
}

std::string Cards(int64_t number) { return fmt::format("{} {}", number, number == 1 ? "card" : "cards"); }

}  // namespace planner::planning
