#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "core/counting/cost_report.h"
#include "core/model/description.h"

namespace planner::counting {

enum class Mode {
  kTraining,   ///< Forward and backward.
  kInference,  ///< Forward only.
};

struct CountRequest {
  const model::ModelDescription& model;  ///< Borrowed for the call.
  model::BatchShape batch;
  Mode mode = Mode::kTraining;
  int activation_element_bytes = 2;  ///< Bytes of one activation: 2 for bf16 and fp16, 4 for fp32.
  /// The counter that is asked for; empty: the first that takes the model (CounterSet).
  std::string counter;
  /// Whether `modules` of the report is wanted (planning needs only the totals).
  bool with_modules = true;
  absl::Time deadline = absl::InfiniteFuture();
  base::Cancellation cancelled = {};  ///< Asked during the call only.
};

/// What a counter says of itself before it is asked.
struct CounterInfo {
  std::string name;     ///< "analytic"
  std::string version;  ///< "1"
  std::string description;
  bool counts_backward = false;  ///< Counts the backward pass itself; else it is derived as twice the forward pass.
  std::vector<model::SourceFormat> formats;  ///< What it takes.
  bool up = true;                            ///< Whether it can be asked now.
  std::string detail;                        ///< Why not, or which protective measures it runs without.
  bool known = true;  ///< False: it has not been started yet, and version, description and formats are not known (Learn).
};

/// Finds what a model costs. Rules, which the contract suite runs every implementation against:
/// 1. Count is a pure function of its argument: equal requests, equal reports.
/// 2. It is thread-safe.
/// 3. It returns within the deadline: DEADLINE_EXCEEDED. What takes long returns soon after `cancelled`: CANCELLED.
/// 4. It counts one pass over one batch: forward and, in training mode, backward.
/// 5. A MAC is counted once; FLOPs of matrix products are 2 x MACs; other operators' FLOPs are
/// apart, by kind.
/// 6. What it cannot count it names in `uncounted_operators`: never a silent zero.
/// 7. A count that does not fit 64 bits is OUT_OF_RANGE; a shape that does not fit the model
/// INVALID_ARGUMENT with the field.
/// 8. A counter that cannot be asked is UNAVAILABLE; a model that it does not take UNIMPLEMENTED.
class Counter {
 public:
  virtual ~Counter() = default;
  /// Cheap; never waits for another process.
  virtual CounterInfo Info() const = 0;
  /// Makes `known` what Info says, by starting what has not been started: waits until the deadline at most, or until it fails.
  virtual void Learn(absl::Time) const {}
  virtual absl::StatusOr<CostReport> Count(const CountRequest& request) const = 0;
};

}  // namespace planner::counting
