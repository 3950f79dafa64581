#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/storage/sqlite.h"

namespace planner::storage {

/// The layout of planner.db that this build reads and writes (PRAGMA user_version).
inline constexpr int64_t kSchemaVersion = 2;

/// The file's layout; 0: none yet. FAILED_PRECONDITION if it is newer than kSchemaVersion.
absl::StatusOr<int64_t> SchemaVersionOf(Database& database);

/// Brings the file to kSchemaVersion, step by step, in one transaction. Two processes may do so at
/// once.
absl::Status Migrate(Database& database);

/// BEGIN IMMEDIATE, and ROLLBACK unless committed.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace planner::storage
