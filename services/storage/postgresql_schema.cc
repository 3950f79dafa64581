#include "services/storage/postgresql_schema.h"

#include <iterator>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace planner::storage {
namespace {

constexpr char kMakeSchemaTable[] =
    "CREATE TABLE IF NOT EXISTS planner_schema (id bigint PRIMARY KEY, version bigint NOT NULL)";
constexpr char kMakeSchemaRow[] = "INSERT INTO planner_schema (id, version) VALUES (1, 0) ON CONFLICT (id) DO NOTHING";
constexpr char kVersion[] = "SELECT version FROM planner_schema WHERE id = 1";

// One entry a version: what leads from the one before to it. Entries are never changed once released. Plain SQL, no types or functions
// of PostgreSQL's own, so that databases that speak its protocol take it.
// Times are nanoseconds since 1970. planner_revision has one row, which every writer locks first: so writers run one after the other, and
// revisions are in the order of commits. `revision` is the number of a record's last change, from which its etag is made, `sequence` that
// of its creation. Names are bytea, which sorts bytewise in every database. planner_writers says for each process up to which of its
// revisions was kept, which tells whether a COMMIT that was not answered has happened.
constexpr const char* kMigrations[] = {
    R"sql(
      CREATE TABLE planner_records (
        kind bigint NOT NULL,
        name bytea NOT NULL,
        value bytea NOT NULL,
        request_id bytea,
        create_time bigint NOT NULL,
        update_time bigint NOT NULL,
        sequence bigint NOT NULL,
        revision bigint NOT NULL,
        PRIMARY KEY (kind, name)
      );
      CREATE UNIQUE INDEX planner_records_by_request_id ON planner_records (kind, request_id);
      CREATE UNIQUE INDEX planner_records_by_age ON planner_records (kind, sequence);
      CREATE UNIQUE INDEX planner_records_by_revision ON planner_records (revision);
      CREATE TABLE planner_deletions (revision bigint PRIMARY KEY, kind bigint NOT NULL, name bytea NOT NULL);
      CREATE TABLE planner_writers (id bytea PRIMARY KEY, revision bigint NOT NULL);
      CREATE TABLE planner_revision (id bigint PRIMARY KEY, number bigint NOT NULL);
      INSERT INTO planner_revision (id, number) VALUES (1, 0);
    )sql",
};
static_assert(std::size(kMigrations) == kPostgresqlSchemaVersion);

/// Others that make the same tables at the same time.
constexpr int kMostTries = 20;

/// 0: there is none.
absl::StatusOr<int64_t> VersionOf(PostgresqlConnection& connection) {
  const absl::StatusOr<PostgresqlResult> result = connection.Run(kVersion);
  int64_t version = 0;
  if (result.ok() && result->rows() == 1) version = result->Integer(0, 0);
  if (!result.ok() && connection.sqlstate() != "42P01") return result.status();
  connection.ClearFailure();
  if (version <= kPostgresqlSchemaVersion) return version;
  return absl::FailedPreconditionError(absl::StrCat("postgresql: the tables were made by a newer version: schema=",
                                                    version, " supported=", kPostgresqlSchemaVersion));
}

absl::Status TryToMigrate(PostgresqlConnection& connection) {
  RETURN_IF_ERROR(connection.Execute(kMakeSchemaTable));
  RETURN_IF_ERROR(connection.Execute(kMakeSchemaRow));
  // Whoever has the row's lock makes the others wait, and they then find nothing to do.
  ASSIGN_OR_RETURN(int64_t version, connection.ExecuteForInteger(absl::StrCat("BEGIN; ", kVersion, " FOR UPDATE")));
  for (; version < kPostgresqlSchemaVersion; ++version) RETURN_IF_ERROR(connection.Execute(kMigrations[version]));
  return connection.Execute(absl::StrCat("UPDATE planner_schema SET version = ", version, " WHERE id = 1; COMMIT"));
}

}  // namespace

absl::Status MigratePostgresql(PostgresqlConnection& connection) {
  absl::Status status;
  for (int i = 0; i < kMostTries; ++i) {
    ASSIGN_OR_RETURN(const int64_t version, VersionOf(connection));
    if (version == kPostgresqlSchemaVersion) return absl::OkStatus();
    status = TryToMigrate(connection);
    if (status.ok() || connection.is_lost()) return status;
    // IF NOT EXISTS does not keep two from making a table at the same moment: one of them gets an error of the catalogue's.
    const bool was_raced =
        connection.is_conflict() || connection.sqlstate() == "23505" || connection.sqlstate() == "42P07" || connection.sqlstate() == "42710";
    connection.ClearFailure();
    RETURN_IF_ERROR(connection.Execute("ROLLBACK"));
    if (!was_raced) return status;
  }
  return status;
}

}  // namespace planner::storage
