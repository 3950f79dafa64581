#include "clients/plannerctl/measured_text.h"

#include <vector>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace planner::plannerctl {

std::string MeasuredText(const v1::MeasuredUtilization& measured) {
  std::vector<std::string> parts;
  if (measured.has_busy_ratio()) parts.push_back(FormatPercent(measured.busy_ratio()) + " busy");
  if (measured.has_tensor_active_ratio()) parts.push_back(FormatPercent(measured.tensor_active_ratio()) + " tensor");
  if (measured.measured_gpu_count() > 0) {
    parts.push_back(fmt::format("{} of {} GPUs occupied", FormatGrouped(measured.occupied_gpu_count()), FormatGrouped(measured.measured_gpu_count())));
  }
  const absl::Duration age = absl::Seconds(measured.age().seconds()) + absl::Nanoseconds(measured.age().nanos());
  parts.push_back(measured.has_age() ? DurationText(age) + " ago" : "never measured");
  const std::string text = fmt::format("{}", fmt::join(parts, ", "));
  return measured.trouble().empty() ? text : fmt::format("{}; {}", text, measured.trouble());
}

}  // namespace planner::plannerctl
