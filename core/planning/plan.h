#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/calibration/calibration.h"
#include "core/parallel/layout.h"
#include "core/perf/step_time.h"
#include "core/planning/goodput.h"
#include "core/planning/launch_flags.h"

namespace planner::planning {

enum class UtilizationSource { kPredicted, kMeasured, kGiven };

/// What measured runs say of a predicted step time.
struct Calibrated {
  calibration::Kind kind;  ///< What runs of this option are like.
  calibration::Correction correction;
  absl::Duration predicted_step_duration;  ///< Without the correction.
};

/// One way to run the job.
struct Recommendation {
  std::string gpu_type;
  std::string cluster;
  std::string node_pool;
  int64_t gpu_count = 0;
  int64_t node_count = 0;
  parallel::Layout layout;
  parallel::MemoryPerGpu memory;
  int64_t memory_low_bytes = 0;  ///< 90 % interval of `memory`.
  int64_t memory_high_bytes = 0;
  int64_t capacity_bytes = 0;
  int64_t global_batch = 0;
  int64_t micro_batch_count = 0;  ///< Per pipeline and step.
  double step_count = 0;          ///< Not rounded, at least 1; 0 where no data set is given.
  absl::Duration step_duration;
  absl::Duration total_duration;      ///< Zero where no data set is given.
  absl::Duration total_duration_low;  ///< 90 % interval.
  absl::Duration total_duration_high;
  absl::Time start_time;
  absl::Time finish_time;
  double model_flops = 0;     ///< Of the whole training, or of one step where no data set is given.
  double hardware_flops = 0;  ///< With recomputation.
  double gpu_hours = 0;
  double cost = 0;  ///< 0 where `currency` is empty.
  std::string currency;
  double energy_kwh = 0;
  double model_flops_utilization = 0;
  double hardware_flops_utilization = 0;
  double tokens_per_second = 0;  ///< Samples where the model has no sequences.
  UtilizationSource utilization_source = UtilizationSource::kPredicted;
  std::string limited_by;
  std::string next_better;  ///< Why the next better number of cards is not possible; empty where nothing rules it out.
  std::vector<std::string> explanation;
  Goodput goodput;
  std::optional<perf::StepTime> step;  ///< The step's terms; absent where no step-time model told the time.
  std::vector<LaunchFlags> launch;     ///< Of the first recommendation.
  std::optional<Calibrated> calibrated;  ///< Absent where the utilization is given.
};

/// An option that no other beats in time, cards and cost at once.
struct ParetoOption {
  std::string gpu_type;
  std::string cluster;
  std::string node_pool;
  int64_t gpu_count = 0;
  parallel::Layout layout;
  absl::Duration step_duration;
  absl::Duration total_duration;
  double gpu_hours = 0;
  double cost = 0;
  std::string currency;
};

/// The planner's answer. "Nothing fits" is an answer: no recommendations, and the reasons.
struct Plan {
  double model_flops = 0;
  double hardware_flops = 0;  ///< Of the first recommendation.
  int64_t parameters = 0;
  int64_t active_parameters = 0;
  double token_count = 0;  ///< 0: no data set given, or no sequences.
  double sample_count = 0;
  std::vector<Recommendation> recommendations;  ///< Best first.
  std::vector<ParetoOption> pareto_front;  ///< By rising time; empty unless asked for.
  std::vector<std::string> infeasible_reasons;
  std::vector<std::string> warnings;
  std::string counter;
  std::string counter_version;
  absl::Time snapshot_time;
  std::vector<std::string> snapshot_sources;
};

}  // namespace planner::planning
