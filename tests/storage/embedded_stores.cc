#include "core/store/memory_store.h"
#include "services/storage/sqlite_store.h"
#include "tests/storage/store_contract.h"

namespace planner::store {

std::vector<Implementation> Implementations() {
  return {
      {"Memory", [](const ScratchFolder&, const base::Clock& clock) { return std::make_unique<MemoryStore>(clock); }},
      {"Sqlite", [](const ScratchFolder& folder, const base::Clock& clock) {
         return std::make_unique<storage::SqliteStore>(folder.path() + "/state", clock);
       }}};
}

}  // namespace planner::store
