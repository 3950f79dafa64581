#include "services/utilization/record_names.h"

#include <vector>

#include "absl/strings/str_split.h"
#include "fmt/format.h"

namespace planner::utilization {
namespace {

constexpr char kHourForm[] = "%Y%m%d%H";
constexpr char kDayForm[] = "%Y%m%d";

}  // namespace

std::string NameOf(const Period& period) {
  return fmt::format("{}/{}/{}/{}", period.cluster, period.pool, period.is_day ? "d" : "h",
                     absl::FormatTime(period.is_day ? kDayForm : kHourForm, period.start, absl::UTCTimeZone()));
}

std::optional<Period> PeriodOf(const std::string& name) {
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  if (parts.size() != 4 || (parts[2] != "h" && parts[2] != "d")) return std::nullopt;
  Period period{parts[0], parts[1], parts[2] == "d", {}};
  std::string error;
  // %Y alone would take the digits of the month, too.
  const bool is_time = absl::ParseTime(period.is_day ? "%E4Y%m%d" : "%E4Y%m%d%H", parts[3], &period.start, &error);
  if (!is_time || NameOf(period) != name) return std::nullopt;
  return period;
}

}  // namespace planner::utilization
