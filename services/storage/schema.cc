#include "services/storage/schema.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace planner::storage {
namespace {

// One entry a version: what leads from the one before to it. Entries are never changed once released.
// Times are nanoseconds since 1970. `sequence` is the order of creation; AUTOINCREMENT never gives a number twice.
constexpr const char* kMigrations[] = {
    R"sql(
      CREATE TABLE records (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,
        name BLOB NOT NULL,
        value BLOB NOT NULL,
        etag BLOB NOT NULL,
        request_id BLOB NOT NULL,
        create_time INTEGER NOT NULL,
        update_time INTEGER NOT NULL,
        UNIQUE (kind, name)
      ) STRICT;
      CREATE UNIQUE INDEX records_by_request_id ON records (kind, request_id) WHERE length(request_id) > 0;
      CREATE INDEX records_by_age ON records (kind, sequence);
      CREATE TABLE revision (number INTEGER NOT NULL) STRICT;
      INSERT INTO revision VALUES (0);
      PRAGMA user_version = 1;
    )sql",
    // `revision` is the number of the record's last change; 0 for what was written before there was one. Deletions are kept for as
    // long as someone may ask what has changed since (kKeptRevisions).
    R"sql(
      ALTER TABLE records ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
      CREATE INDEX records_by_revision ON records (kind, revision);
      CREATE TABLE deletions (
        revision INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        name BLOB NOT NULL
      ) STRICT;
      PRAGMA user_version = 2;
    )sql",
};
static_assert(std::size(kMigrations) == kSchemaVersion);

}  // namespace

absl::StatusOr<int64_t> SchemaVersionOf(Database& database) {
  ASSIGN_OR_RETURN(Statement statement, Statement::Prepare(database, "PRAGMA user_version"));
  ASSIGN_OR_RETURN(const bool found, statement.Step());
  const int64_t version = found ? statement.Integer(0) : 0;
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "state_dir: planner.db was written by a newer version: schema=", version, " supported=", kSchemaVersion));
  }
  return version;
}

absl::Status Migrate(Database& database) {
  ASSIGN_OR_RETURN(const int64_t current, SchemaVersionOf(database));
  if (current == kSchemaVersion) return absl::OkStatus();
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  // Asked again: another process may have been faster.
  ASSIGN_OR_RETURN(int64_t version, SchemaVersionOf(database));
  for (; version < kSchemaVersion; ++version) RETURN_IF_ERROR(database.Execute(kMigrations[version]));
  return transaction.Commit();
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) database_->Execute("ROLLBACK").IgnoreError();
}

absl::Status Transaction::Commit() {
  RETURN_IF_ERROR(database_->Execute("COMMIT"));
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace planner::storage
