#include "core/utilization/summary.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

namespace planner::utilization {
namespace {

constexpr int64_t kHour = 3600;
constexpr int64_t kDay = 86400;
constexpr absl::string_view kVersion = "1";

absl::Time Floor(absl::Time time, int64_t seconds) {
  const int64_t second = absl::ToUnixSeconds(time);
  const int64_t rest = second % seconds;
  return absl::FromUnixSeconds(second - (rest < 0 ? rest + seconds : rest));
}

bool DecodeTotal(absl::string_view text, Total& total) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  return absl::SimpleAtod(parts.first, &total.sum) && absl::SimpleAtoi(parts.second, &total.count) && total.count >= 0;
}

}  // namespace

void Summary::Add(const Sample& sample) {
  ++sample_count;
  last_sample_time = std::max(last_sample_time, sample.time);
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (sample.values[i].has_value()) totals[i].Add(*sample.values[i]);
  }
}

void Summary::Merge(const Summary& other) {
  sample_count += other.sample_count;
  last_sample_time = std::max(last_sample_time, other.last_sample_time);
  for (size_t i = 0; i < kMetricCount; ++i) totals[i].Merge(other.totals[i]);
}

absl::Time HourOf(absl::Time time) { return Floor(time, kHour); }
absl::Time DayOf(absl::Time time) { return Floor(time, kDay); }

std::string Encode(const Summary& summary) {
  std::string text =
      fmt::format("{} {} {} {} {}", std::string_view(kVersion.data(), kVersion.size()),
                  absl::ToUnixSeconds(summary.start), absl::ToInt64Seconds(summary.length), summary.sample_count,
                  summary.sample_count == 0 ? 0 : absl::ToUnixMicros(summary.last_sample_time));
  // The shortest text that gives the same double.
  for (const Total& total : summary.totals) text += fmt::format(" {}:{}", total.sum, total.count);
  return text;
}

absl::StatusOr<Summary> Decode(std::string_view text) {
  const absl::Status unreadable = absl::DataLossError("the stored utilization cannot be read");
  const std::vector<absl::string_view> words = absl::StrSplit(absl::string_view(text.data(), text.size()), ' ');
  constexpr size_t kHead = 5;
  if (words.size() != kHead + kMetricCount || words[0] != kVersion) return unreadable;
  Summary summary;
  int64_t start = 0, length = 0, last = 0;
  if (!absl::SimpleAtoi(words[1], &start) || !absl::SimpleAtoi(words[2], &length) ||
      !absl::SimpleAtoi(words[3], &summary.sample_count) || !absl::SimpleAtoi(words[4], &last)) {
    return unreadable;
  }
  summary.start = absl::FromUnixSeconds(start);
  summary.length = absl::Seconds(length);
  if (summary.sample_count > 0) summary.last_sample_time = absl::FromUnixMicros(last);
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (!DecodeTotal(words[kHead + i], summary.totals[i])) return unreadable;
  }
  return summary;
}

}  // namespace planner::utilization
