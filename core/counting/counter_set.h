#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/counting/counter.h"

namespace planner::counting {

/// Several counters as one: each request goes to the counter that it names, or else to the first that is up and takes the
/// model's format; those that nothing is known of yet are only started where none of the others takes it. Thread-safe if its counters are.
class CounterSet final : public Counter {
 public:
  /// The first that fits is asked. Borrowed; they must outlive the set.
  explicit CounterSet(std::vector<const Counter*> counters) : counters_(std::move(counters)) {}

  /// Of the set itself; see Infos for its members.
  CounterInfo Info() const override;
  std::vector<CounterInfo> Infos() const;
  /// Of all its members.
  void Learn(absl::Time deadline) const override;

  /// NOT_FOUND at "counter" (UNKNOWN_COUNTER) for a name that no counter has; UNAVAILABLE (COUNTER_DOWN) where the only
  /// counters that take the model are down; UNIMPLEMENTED where none takes it, or the named one does not.
  absl::StatusOr<CostReport> Count(const CountRequest& request) const override;

 private:
  absl::StatusOr<const Counter*> Choose(const CountRequest& request) const;

  const std::vector<const Counter*> counters_;
};

}  // namespace planner::counting
