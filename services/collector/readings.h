#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/collector/gpu_names.h"
#include "services/collector/outcome.h"
#include "services/collector/prometheus_answer.h"
#include "services/collector/source.h"

namespace planner::collector {

/// A value that can be: a ratio, bytes or watts.
struct Reading {
  Gpu gpu;
  absl::Time time;
  double value = 0;
};

/// What is left of an answer.
struct Readings {
  std::vector<Reading> values;  ///< One of each GPU.
  Outcome outcome = Outcome::kOk;
  std::string trouble;  ///< Also of an answer that is taken in part: "2 of 8 series are left out: 2 NaN".
};

/// Takes of an answer what can be: finite, within the metric's range (a thousandth above 1 is rounding, and is 1), of a known GPU, not older than
/// the source allows, nor over a minute in the future. `gpus` are those of the series.
///
/// Of a GPU's series the newest counts, of equally new ones (the instances of a divided GPU) the largest. Where a ratio was said, a value between 1
/// and 100 makes the whole answer implausible: it is in percent, and its small values would be taken for something else.
Readings Judge(const Query& query, const std::vector<Series>& series, const std::vector<std::optional<Gpu>>& gpus, absl::Duration max_age,
               absl::Time now);

}  // namespace planner::collector
