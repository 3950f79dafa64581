#include "services/storage/local_store.h"

#include "core/store/memory_store.h"
#include "services/storage/sqlite_store.h"

namespace planner::storage {

std::unique_ptr<store::Store> MakeLocalStore(const std::string& state_dir, const base::Clock& clock) {
  if (state_dir.empty()) return std::make_unique<store::MemoryStore>(clock);
  return std::make_unique<SqliteStore>(state_dir, clock);
}

}  // namespace planner::storage
