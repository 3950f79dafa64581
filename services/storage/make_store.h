#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/store/store.h"

namespace planner::storage {

/// Where records are kept.
struct Place {
  /// A connection string of libpq; empty: in a file of `state_dir`.
  std::string postgresql;
  /// Empty, too: in memory.
  std::string state_dir;
};

/// Opens nothing yet. INVALID_ARGUMENT at "postgresql" for what is no connection string. `clock` must outlive the store.
absl::StatusOr<std::unique_ptr<store::Store>> MakeStore(const Place& place, const base::Clock& clock);

/// "postgresql host=db1 dbname=planner", "sqlite /var/lib/planner/planner.db", "memory": without passwords.
std::string Describe(const Place& place);

}  // namespace planner::storage
