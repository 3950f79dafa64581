#pragma once

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/counting/counter.h"

namespace planner::counting {

/// Counts by formula: expands the description for the batch and adds up its operations
/// (operation_cost.h). Exact for everything that a description can say; the backward pass is
/// derived as twice the forward pass. Safe for concurrent use.
class AnalyticCounter : public Counter {
 public:
  static constexpr char kName[] = "analytic";
  static constexpr char kVersion[] = "1";

  explicit AnalyticCounter(const base::Clock& clock = base::Clock::Real()) : clock_(clock) {}

  CounterInfo Info() const override;
  absl::StatusOr<CostReport> Count(const CountRequest& request) const override;

 private:
  const base::Clock& clock_;
};

}  // namespace planner::counting
