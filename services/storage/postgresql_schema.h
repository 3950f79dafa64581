#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "services/storage/postgresql.h"

namespace planner::storage {

/// The layout of the tables that this build reads and writes (planner_schema.version).
inline constexpr int64_t kPostgresqlSchemaVersion = 1;

/// Brings the tables to kPostgresqlSchemaVersion, step by step, in one transaction; one statement where there is nothing to do. Several
/// processes may do so at once. FAILED_PRECONDITION: a newer version has made them.
absl::Status MigratePostgresql(PostgresqlConnection& connection);

}  // namespace planner::storage
