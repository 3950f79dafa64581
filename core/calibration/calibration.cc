#include "core/calibration/calibration.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace planner::calibration {
namespace {

/// Odds never get so long that a change cannot be noticed: 1 : 3,000. What a group begins with is half as long, so that its own runs can
/// overrule it.
constexpr double kLongestOdds = 8;
constexpr double kLongestFirstOdds = kLongestOdds / 2;
/// Odds for a correction from which on it is made.
constexpr double kProof = 2;
constexpr double kLongestRatio = 6.907755;  // ln 1,000
constexpr double kLeastWeight = 1e-12;
constexpr size_t kFamily = static_cast<size_t>(Level::kFamily);
constexpr size_t kGpu = static_cast<size_t>(Level::kGpu);

/// Student's t with 4 degrees of freedom but for a constant: outliers say little.
double Likelihood(double error, double noise) {
  const double z = error / noise;
  return std::pow(1 + z * z / 4, -2.5);
}

/// A mean that is `variance` unsure, cut to what is sure of it.
double Cut(double mean, double variance, bool of_its_like) {
  if (mean == 0) return 0;
  const double share = variance / (mean * mean);
  return mean * (of_its_like ? 1 / (1 + share) : std::max(0.0, 1 - share));
}

/// Variance of a run around a group's mean, of which the levels from `level` on are not told apart.
double SpreadBelow(const CalibrationOptions& options, size_t level) {
  double variance = options.noise * options.noise;
  for (size_t below = level; below < kLevels; ++below) variance += options.spreads[below] * options.spreads[below];
  return variance;
}

}  // namespace

absl::Time StartOfDay(absl::Time time) {
  return absl::UnixEpoch() + absl::Floor(time - absl::UnixEpoch(), absl::Hours(24));
}

double Correction::HalfWidth(double predicted) const {
  constexpr double kNineOfTen = 1.645;
  return level ? std::min(predicted, kNineOfTen * deviation) : predicted;
}

Calibration::Calibration(CalibrationOptions options) : options_(options), groups_(1) {}

Calibration::Calibration(std::vector<Evidence> evidence, CalibrationOptions options) : Calibration(options) {
  std::stable_sort(evidence.begin(), evidence.end(),
                   [](const Evidence& a, const Evidence& b) { return a.time < b.time; });
  for (const Evidence& run : evidence) Learn(run).IgnoreError();
}

double Calibration::Aged(absl::Time then, absl::Time now) const {
  if (then >= now) return 1;
  return std::exp2(-absl::FDivDuration(now - then, options_.half_life));
}

double Calibration::Share(const Odds& odds, absl::Time now) const {
  return 1 / (1 + std::exp(-odds.log * Aged(odds.at, now)));
}

Calibration::Odds Calibration::FirstOdds(const Odds& family, absl::Time now) const {
  return {std::clamp(family.log * Aged(family.at, now), -kLongestFirstOdds, kLongestFirstOdds), now};
}

Calibration::Odds Calibration::OddsOfModel(const std::vector<size_t>& groups, absl::Time now) const {
  if (groups.size() > kGpu) return groups_[groups[kGpu]].model;
  if (groups.size() > kFamily) return FirstOdds(groups_[groups[kFamily]].model, now);
  return {};
}

bool Calibration::IsProven(const std::vector<size_t>& groups, absl::Time now) const {
  const Odds odds = OddsOfModel(groups, now);
  const double log = odds.log * Aged(odds.at, now);
  const bool is_first = groups.size() == kLevels && groups_[groups[kGpu]].size == 1;
  return log <= (is_first ? 0 : -kProof);
}

void Calibration::Update(Odds& odds, double change, absl::Time now) const {
  odds.log = std::clamp(odds.log * Aged(odds.at, now) + change, -kLongestOdds, kLongestOdds);
  odds.at = std::max(odds.at, now);
}

bool Calibration::IsFresh(absl::Time now) const {
  const absl::Duration apart = now - as_of_;
  return apart <= absl::Hours(24) && apart >= -absl::Hours(24);
}

Summary Calibration::SummaryOf(size_t group, size_t level, absl::Time now) const {
  return IsFresh(now) ? groups_[group].summary : Summarized(group, level, now);
}

void Calibration::Refresh(size_t group, size_t level) {
  for (const auto& [name, index] : groups_[group].groups) Refresh(index, level + 1);
  groups_[group].summary = Summarized(group, level, as_of_);
}

void Calibration::AgeTo(absl::Time now) {
  as_of_ = now;
  if (size_ > 0) Refresh(0, 0);
}

Summary Calibration::Summarized(size_t group, size_t level, absl::Time now) const {
  const Group& of = groups_[group];
  if (level + 1 == kLevels) {
    std::vector<Weighted> runs;
    runs.reserve(of.runs.size());
    for (const Run& run : of.runs) runs.push_back({run.log_ratio, std::max(kLeastWeight, Aged(run.time, now))});
    return SummaryOfRuns(runs, options_.noise);
  }
  std::vector<Summary> summaries;
  summaries.reserve(of.groups.size());
  for (const auto& [name, index] : of.groups) summaries.push_back(SummaryOf(index, level + 1, now));
  return SummaryOfGroups(summaries, options_.spreads[level + 1]);
}

std::vector<size_t> Calibration::GroupsOf(const Path& path) const {
  std::vector<size_t> groups;
  if (size_ == 0) return groups;
  groups.push_back(0);
  while (groups.size() < kLevels) {
    const auto& in = groups_[groups.back()].groups;
    const auto found = in.find(path[groups.size()]);
    if (found == in.end()) break;
    groups.push_back(found->second);
  }
  return groups;
}

std::vector<Calibration::Estimate> Calibration::EstimatesOf(const std::vector<size_t>& groups, absl::Time now) const {
  std::vector<Estimate> estimates(1);
  for (size_t level = 0; level < groups.size(); ++level) {
    const Summary summary = SummaryOf(groups[level], level, now);
    estimates.push_back({Shrink(estimates.back().belief, summary, options_.spreads[level]), summary.runs,
                         summary.excess, Share(groups_[groups[level]].own, now)});
  }
  estimates[0].stop = Share(OddsOfModel(groups, now), now);
  estimates.back().stop = 1;
  return estimates;
}

void Calibration::Judge(const std::vector<size_t>& groups, const Evidence& evidence) {
  const std::vector<Estimate> estimates = EstimatesOf(groups, std::max(as_of_, evidence.time));
  double deeper = 0;
  for (size_t i = estimates.size(); i-- > 0;) {
    const double own = Likelihood(evidence.log_ratio - estimates[i].belief.mean, options_.noise);
    if (i + 1 < estimates.size()) {
      const double change = std::log(own / deeper);
      if (i > 0) {
        Update(groups_[groups[i - 1]].own, change, evidence.time);
      } else {
        for (const size_t level : {kFamily, kGpu}) {
          if (groups.size() > level) Update(groups_[groups[level]].model, change, evidence.time);
        }
      }
    }
    deeper = estimates[i].stop * own + (1 - estimates[i].stop) * deeper;
  }
}

absl::Status Calibration::Learn(const Evidence& evidence) {
  if (!(std::abs(evidence.log_ratio) <= kLongestRatio))
    return absl::InvalidArgumentError(
        "log_ratio: no number, or measured and predicted are a factor of over 1,000 apart");
  if (const absl::Time day = StartOfDay(evidence.time); day > as_of_) AgeTo(day);
  const Path path = PathOf(evidence.kind);
  if (size_ > 0) Judge(GroupsOf(path), evidence);
  ++groups_[0].size;
  for (size_t group = 0, level = 1; level < kLevels; ++level) {
    const auto [found, is_new] = groups_[group].groups.emplace(path[level], groups_.size());
    const size_t wider = std::exchange(group, found->second);
    if (is_new) groups_.emplace_back();
    ++groups_[group].size;
    if (is_new && level == kGpu) groups_[group].model = FirstOdds(groups_[wider].model, evidence.time);
    if (level + 1 == kLevels) groups_[group].runs.push_back({evidence.log_ratio, evidence.time});
  }
  ++size_;
  const std::vector<size_t> groups = GroupsOf(path);
  for (size_t level = groups.size(); level-- > 0;)
    groups_[groups[level]].summary = Summarized(groups[level], level, as_of_);
  return absl::OkStatus();
}

Correction Calibration::CorrectionFor(const Kind& kind, absl::Time now) const {
  return CorrectionBy(GroupsOf(PathOf(kind)), now);
}

bool Calibration::Knows(const Kind& kind, Level level) const {
  return GroupsOf(PathOf(kind)).size() > static_cast<size_t>(level);
}

double Calibration::LeastFactor(const Kind& kind, Level level, absl::Time now) const {
  std::vector<size_t> groups = GroupsOf(PathOf(kind));
  // Of what is not known down to there, all kinds are corrected alike.
  if (groups.size() <= static_cast<size_t>(level)) return CorrectionBy(groups, now).factor;
  groups.resize(static_cast<size_t>(level) + 1);
  const std::function<double()> least = [&]() {
    double factor = CorrectionBy(groups, now).factor;
    for (const auto& [name, group] : groups_[groups.back()].groups) {
      groups.push_back(group);
      factor = std::min(factor, least());
      groups.pop_back();
    }
    return factor;
  };
  return least();
}

Correction Calibration::CorrectionBy(const std::vector<size_t>& groups, absl::Time now) const {
  Correction correction;
  if (!IsProven(groups, now)) return correction;
  const std::vector<Estimate> estimates = EstimatesOf(groups, now);
  std::vector<double> shares;
  double left = 1, mean = 0;
  for (const Estimate& estimate : estimates) {
    shares.push_back(left * estimate.stop);
    left *= 1 - estimate.stop;
    mean += shares.back() * estimate.belief.mean;
    correction.runs += shares.back() * estimate.runs;
  }
  double unsure = 0, scatter = 0;
  for (size_t i = 0; i < estimates.size(); ++i) {
    const double distance = estimates[i].belief.mean - mean;
    unsure += shares[i] * (estimates[i].belief.variance + distance * distance);
    scatter += shares[i] * estimates[i].excess * SpreadBelow(options_, i);
  }
  correction.factor = std::exp(Cut(mean, unsure, estimates.size() == kLevels + 1));
  correction.deviation = std::sqrt(unsure + scatter);
  const auto most = std::max_element(shares.begin(), shares.end()) - shares.begin();
  if (most > 0) correction.level = static_cast<Level>(most - 1);
  return correction;
}

}  // namespace planner::calibration
