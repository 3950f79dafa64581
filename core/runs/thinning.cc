#include "core/runs/thinning.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

namespace planner::runs {
namespace {

/// By time; at the same moment what says most comes first, whatever order they came in.
bool Before(const Sample& a, const Sample& b) {
  if (a.time != b.time) return a.time < b.time;
  return std::tie(b.step, b.tokens, b.tokens_per_second, b.loss, b.gpu_utilization) <
         std::tie(a.step, a.tokens, a.tokens_per_second, a.loss, a.gpu_utilization);
}

int64_t SlotOf(const Sample& sample, int64_t width) {
  const int64_t micros = absl::ToUnixMicros(sample.time);  // Rounds down.
  return (micros - (micros < 0 ? width - 1 : 0)) / width;
}

/// The smallest power of two microseconds of which no more than 499 are touched.
int64_t WidthFor(const Sample& first, const Sample& last) {
  constexpr int64_t kSlots = kMostSamples - 1;
  int64_t width = 1;
  while (SlotOf(last, width) - SlotOf(first, width) >= kSlots) width *= 2;
  return width;
}

}  // namespace

std::vector<Sample> Thinned(std::vector<Sample> samples) {
  std::sort(samples.begin(), samples.end(), Before);
  const auto same_moment = [](const Sample& a, const Sample& b) { return a.time == b.time; };
  samples.erase(std::unique(samples.begin(), samples.end(), same_moment), samples.end());
  if (samples.size() < 2) return samples;
  const int64_t width = WidthFor(samples.front(), samples.back());
  const Sample newest = samples.back();
  const auto same_slot = [&](const Sample& a, const Sample& b) { return SlotOf(a, width) == SlotOf(b, width); };
  samples.erase(std::unique(samples.begin(), samples.end(), same_slot), samples.end());
  if (samples.back().time != newest.time) samples.push_back(newest);
  return samples;
}

}  // namespace planner::runs
