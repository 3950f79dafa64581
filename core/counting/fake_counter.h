#pragma once

#include <utility>

#include "core/counting/counter.h"

namespace planner::counting {

/// Answers with what it was given, and remembers that it was asked.
class FakeCounter final : public Counter {
 public:
  FakeCounter(CounterInfo info, absl::StatusOr<CostReport> answer) : info_(std::move(info)), answer_(std::move(answer)) {}

  CounterInfo Info() const override { return info_; }
  absl::StatusOr<CostReport> Count(const CountRequest&) const override {
    ++calls_;
    return answer_;
  }

  void set_up(bool up) { info_.up = up; }
  int calls() const { return calls_; }

 private:
  CounterInfo info_;
  absl::StatusOr<CostReport> answer_;
  mutable int calls_ = 0;
};

}  // namespace planner::counting
