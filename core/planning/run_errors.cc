#include "core/planning/run_errors.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

namespace planner::planning {
namespace {

/// Ratios of predicted to measured, and what is said of them.
class Ratios {
 public:
  void Add(double predicted, double measured) { ratios_.push_back(predicted / measured); }

  int count() const { return static_cast<int>(ratios_.size()); }

  double Mape() const {
    double sum = 0;
    for (const double ratio : ratios_) sum += std::abs(ratio - 1);
    return ratios_.empty() ? 0 : sum / static_cast<double>(ratios_.size());
  }

  double Median() {
    if (ratios_.empty()) return 0;
    std::sort(ratios_.begin(), ratios_.end());
    const size_t middle = ratios_.size() / 2;
    return ratios_.size() % 2 == 1 ? ratios_[middle] : (ratios_[middle - 1] + ratios_[middle]) / 2;
  }

 private:
  std::vector<double> ratios_;
};

/// Sums up rows one after the other.
class Summary {
 public:
  void Add(const RunComparison& row) {
    ++errors_.row_count;
    ++(row.predicted ? errors_.predicted_count : errors_.skipped_count);
    if (!row.predicted) return;
    AddFit(row);
    if (row.measured_step_seconds > 0 && row.predicted_step_seconds > 0) {
      times_.Add(row.predicted_step_seconds, row.measured_step_seconds);
      covered_ +=
          row.low_step_seconds <= row.measured_step_seconds && row.measured_step_seconds <= row.high_step_seconds;
    }
    if (row.measured_peak_gib > 0 && row.predicted_peak_gib > 0) {
      memories_.Add(row.predicted_peak_gib, row.measured_peak_gib);
      memories_covered_ += row.low_peak_gib <= row.measured_peak_gib && row.measured_peak_gib <= row.high_peak_gib;
    }
  }

  RunErrors Errors() {
    errors_.time_count = times_.count();
    errors_.time_mape = times_.Mape();
    errors_.time_median_ratio = times_.Median();
    errors_.time_coverage = times_.count() == 0 ? 0 : static_cast<double>(covered_) / times_.count();
    errors_.memory_count = memories_.count();
    errors_.memory_mape = memories_.Mape();
    errors_.memory_median_ratio = memories_.Median();
    errors_.memory_coverage = memories_.count() == 0 ? 0 : static_cast<double>(memories_covered_) / memories_.count();
    return errors_;
  }

 private:
  void AddFit(const RunComparison& row) {
    const bool does_not_fit = row.fits == std::optional<bool>(false);
    ++(row.ran_out_of_memory ? errors_.oom_count : errors_.ran_count);
    if (does_not_fit) ++(row.ran_out_of_memory ? errors_.oom_right_count : errors_.ran_wrong_count);
  }

  RunErrors errors_;
  Ratios times_;
  Ratios memories_;
  int covered_ = 0;
  int memories_covered_ = 0;
};

}  // namespace

RunErrors ErrorsOf(std::span<const RunComparison> rows) {
  Summary summary;
  for (const RunComparison& row : rows) summary.Add(row);
  return summary.Errors();
}

std::vector<NamedErrors> ErrorsBy(NameOfRun name, std::span<const RunComparison> rows) {
  std::map<std::string_view, size_t> index;
  std::vector<std::string_view> names;
  std::vector<Summary> summaries;
  for (const RunComparison& row : rows) {
    const auto [found, is_new] = index.try_emplace(name(row), summaries.size());
    if (is_new) {
      names.push_back(found->first);
      summaries.emplace_back();
    }
    summaries[found->second].Add(row);
  }
  std::vector<NamedErrors> groups;
  for (size_t i = 0; i < names.size(); ++i) groups.push_back({std::string(names[i]), summaries[i].Errors()});
  return groups;
}

std::string_view SourceOf(const RunComparison& row) { return row.source; }

std::string_view GpuFamilyOf(const RunComparison& row) { return row.gpu_family; }

std::string_view PublicationOf(const RunComparison& row) {
  const std::string_view source = row.source;
  return source.substr(0, source.find(" / "));
}

}  // namespace planner::planning
