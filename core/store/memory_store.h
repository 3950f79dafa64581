#pragma once

#include <map>
#include <string>
#include <utility>

#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/store/store.h"

namespace planner::store {

/// A store that ends with the process: for tests, and for planners that are to leave nothing behind.
class MemoryStore : public Store {
 public:
  /// `clock` must outlive the store.
  explicit MemoryStore(const base::Clock& clock) : clock_(clock) {}

  absl::StatusOr<Record> Create(Kind kind, std::string_view name, std::string_view value,
                                std::string_view request_id) override;
  absl::StatusOr<Record> Get(Kind kind, std::string_view name) override;
  absl::StatusOr<Record> GetByRequestId(Kind kind, std::string_view request_id) override;
  absl::StatusOr<Page> List(Kind kind, const ListOptions& options) override;
  absl::StatusOr<Record> Update(Kind kind, std::string_view name, std::string_view etag, const Change& change) override;
  absl::Status Delete(Kind kind, std::string_view name, std::string_view etag) override;
  absl::StatusOr<int64_t> Version() override;

 private:
  using Key = std::pair<Kind, std::string>;
  struct Entry {
    Record record;
    std::string request_id;
    int64_t sequence = 0;  ///< Number of its creation.
  };

  std::string NextEtag() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Entry*> Find(Kind kind, std::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Page> ListByName(Kind kind, const ListOptions& options) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Page> ListNewestFirst(Kind kind, const ListOptions& options) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const base::Clock& clock_;
  base::Mutex mutex_;
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Key, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<Key, std::string> names_by_request_id_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<Kind, int64_t>, std::string> names_by_sequence_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::store
