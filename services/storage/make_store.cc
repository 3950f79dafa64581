#include "services/storage/make_store.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "services/storage/local_store.h"
#include "services/storage/postgresql_server.h"
#include "services/storage/postgresql_store.h"
#include "services/storage/sqlite_store.h"

namespace planner::storage {

absl::StatusOr<std::unique_ptr<store::Store>> MakeStore(const Place& place, const base::Clock& clock) {
  if (!place.postgresql.empty()) {
    ASSIGN_OR_RETURN(PostgresqlServer server, PostgresqlServer::Parse(place.postgresql));
    return std::make_unique<PostgresqlStore>(std::move(server), clock);
  }
  return MakeLocalStore(place.state_dir, clock);
}

std::string Describe(const Place& place) {
  if (!place.postgresql.empty()) {
    const absl::StatusOr<PostgresqlServer> server = PostgresqlServer::Parse(place.postgresql);
    return absl::StrCat("postgresql ", server.ok() ? server->where() : "");
  }
  return place.state_dir.empty() ? "memory" : absl::StrCat("sqlite ", place.state_dir, "/", SqliteStore::kFileName);
}

}  // namespace planner::storage
