#include "services/storage/postgresql_store.h"
#include "tests/storage/postgresql_fixture.h"
#include "tests/storage/store_contract.h"

namespace planner::store {

std::vector<Implementation> Implementations() {
  return {{"Postgresql", [](const ScratchFolder&, const base::Clock& clock) {
             return std::make_unique<storage::PostgresqlStore>(storage::NewDatabase(), clock);
           }}};
}

}  // namespace planner::store
