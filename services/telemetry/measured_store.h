#pragma once

#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/store/store.h"
#include "services/telemetry/store_probe.h"

namespace planner::telemetry {

/// A store whose operations are measured and whose failures are counted (StoreProbe). Waiting for a change and moving all records are not
/// operations that anyone waits for, and pass through. As thread-safe as the store.
class MeasuredStore final : public store::Store {
 public:
  /// All must outlive it.
  MeasuredStore(store::Store& store, StoreProbe& probe, const base::Clock& clock) : store_(store), probe_(probe), clock_(clock) {}

  absl::Status Open() override { return store_.Open(); }
  absl::Status Transact(const store::Body& body) override;
  absl::StatusOr<store::Record> Get(store::Kind kind, std::string_view name) override;
  absl::StatusOr<store::Record> GetByRequestId(store::Kind kind, std::string_view request_id) override;
  absl::StatusOr<store::Page> List(store::Kind kind, const store::ListOptions& options) override;
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<store::Kind>& kinds, int64_t version) override;
  absl::StatusOr<int64_t> Version() override;
  absl::Status Export(const store::Take& take) override { return store_.Export(take); }
  absl::StatusOr<int64_t> WaitForChange(int64_t version, absl::Duration at_most) override {
    return store_.WaitForChange(version, at_most);
  }

 private:
  template <typename Ask>
  auto Measured(StoreProbe::Operation& operation, const Ask& ask);

  store::Store& store_;
  StoreProbe& probe_;
  const base::Clock& clock_;
};

}  // namespace planner::telemetry
