#include "core/calibration/shrinkage.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace planner::calibration {
namespace {

constexpr double kHuber = 2;  ///< Deviations up to which a measurement counts in full.
constexpr int kIterations = 5;

double Mean(std::span<const Weighted> values) {
  double sum = 0, weight = 0;
  for (const Weighted& v : values) {
    sum += v.weight * v.value;
    weight += v.weight;
  }
  return sum / weight;
}

/// The least value that half of the weight does not exceed.
double Median(std::span<const Weighted> values) {
  std::vector<Weighted> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end(), [](const Weighted& a, const Weighted& b) { return a.value < b.value; });
  double half = 0;
  for (const Weighted& v : sorted) half += v.weight / 2;
  size_t i = 0;
  for (double below = sorted[0].weight; i + 1 < sorted.size() && below < half; below += sorted[i].weight) ++i;
  return sorted[i].value;
}

/// `values` with the weights of the Huber mean. `deviation` of each is the one that its weight goes with.
template <typename Deviation>
std::vector<Weighted> Reweighted(std::span<const Weighted> values, Deviation deviation) {
  std::vector<Weighted> result(values.begin(), values.end());
  if (values.size() < 3) return result;
  double mean = Median(values);
  for (int i = 0; i < kIterations; ++i) {
    for (size_t v = 0; v < values.size(); ++v) {
      const double distance = std::abs(values[v].value - mean);
      const double limit = kHuber * deviation(values[v]);
      result[v].weight = values[v].weight * (distance > limit ? limit / distance : 1);
    }
    mean = Mean(result);
  }
  return result;
}

double WeightOf(std::span<const Weighted> values) {
  double weight = 0;
  for (const Weighted& v : values) weight += v.weight;
  return weight;
}

/// How much further from their mean values lie than their weights say: chi^2 per degree of freedom, at least 1.
double Excess(std::span<const Weighted> values, double mean, double variance) {
  if (values.size() < 3) return 1;
  double sum = 0;
  for (const Weighted& v : values) sum += v.weight * (v.value - mean) * (v.value - mean) / variance;
  return std::max(1.0, sum / (static_cast<double>(values.size()) - 1));
}

}  // namespace

Summary SummaryOfRuns(std::span<const Weighted> runs, double noise) {
  const std::vector<Weighted> robust = Reweighted(runs, [noise](const Weighted&) { return noise; });
  const double weight = WeightOf(robust);
  const double mean = Mean(robust);
  const double excess = Excess(robust, mean, noise * noise);
  return {mean, noise * noise / weight * excess, weight, excess};
}

Summary SummaryOfGroups(std::span<const Summary> groups, double spread) {
  std::vector<Weighted> values;
  double runs = 0;
  for (const Summary& group : groups) {
    values.push_back({group.mean, 1 / (spread * spread + group.variance)});
    runs += group.runs;
  }
  const std::vector<Weighted> robust = Reweighted(values, [](const Weighted& v) { return 1 / std::sqrt(v.weight); });
  const double mean = Mean(robust);
  const double excess = Excess(robust, mean, 1);
  return {mean, excess / WeightOf(robust), runs, excess};
}

Belief Shrink(const Belief& wider, const Summary& narrower, double spread) {
  const double weight = spread * spread / (spread * spread + narrower.variance);
  return {wider.mean + weight * (narrower.mean - wider.mean),
          (1 - weight) * (1 - weight) * wider.variance + weight * narrower.variance};
}

}  // namespace planner::calibration
