#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "core/store/store.h"

namespace planner::store {

/// A store that ends with the process: for tests, and for planners that are to leave nothing behind.
class MemoryStore : public Store {
 public:
  /// `clock` must outlive the store.
  explicit MemoryStore(const base::Clock& clock) : records_(clock) {}

  absl::Status Transact(const Body& body) override;
  absl::StatusOr<Record> Get(Kind kind, std::string_view name) override;
  absl::StatusOr<Record> GetByRequestId(Kind kind, std::string_view request_id) override;
  absl::StatusOr<Page> List(Kind kind, const ListOptions& options) override;
  absl::StatusOr<Changes> ChangesSince(const std::vector<Kind>& kinds, int64_t version) override;
  absl::StatusOr<int64_t> Version() override;
  /// A copy of everything is taken first.
  absl::Status Export(const Take& take) override;
  absl::StatusOr<int64_t> WaitForChange(int64_t version, absl::Duration at_most) override;

 private:
  /// All that is kept; its writes can be taken back.
  class Records : public Transaction {
   public:
    explicit Records(const base::Clock& clock) : clock_(clock) {}

    absl::StatusOr<Record> Create(Kind kind, std::string_view name, std::string_view value,
                                  std::string_view request_id) override;
    absl::StatusOr<Record> Get(Kind kind, std::string_view name) override;
    absl::StatusOr<Record> GetByRequestId(Kind kind, std::string_view request_id) override;
    absl::StatusOr<Record> Update(Kind kind, std::string_view name, std::string_view etag,
                                  std::string_view value) override;
    absl::Status Delete(Kind kind, std::string_view name, std::string_view etag) override;
    absl::StatusOr<Changes> ChangesSince(const std::vector<Kind>& kinds, int64_t version) override;
    absl::StatusOr<Record> Restore(const KeptRecord& record) override;

    absl::StatusOr<Page> ListByName(Kind kind, const ListOptions& options) const;
    absl::StatusOr<Page> ListNewestFirst(Kind kind, const ListOptions& options) const;
    /// In the order of their creation.
    std::vector<KeptRecord> All() const;
    int64_t version() const { return version_; }
    /// From here on writes can be taken back.
    void Begin() { undo_.clear(); }
    void RollBack();

   private:
    using Key = std::pair<Kind, std::string>;
    struct Entry {
      Record record;
      std::string request_id;
      int64_t sequence = 0;  ///< Number of its creation.
      int64_t revision = 0;  ///< Number of its last change.
    };

    absl::StatusOr<const Entry*> Find(Kind kind, std::string_view name) const;
    /// Puts an entry there, or takes it away, with all that leads to it.
    void Set(const Key& key, std::optional<Entry> entry);

    const base::Clock& clock_;
    int64_t version_ = 0;
    std::map<Key, Entry> entries_;
    std::map<Key, std::string> names_by_request_id_;
    std::map<std::pair<Kind, int64_t>, std::string> names_by_sequence_;
    std::map<int64_t, Key> changes_;  ///< By revision; of what is deleted, that of the deletion.
    std::map<Key, int64_t> deleted_;
    std::vector<std::pair<Key, std::optional<Entry>>> undo_;
  };

  base::Mutex mutex_;
  base::Condition changed_;
  Records records_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace planner::store
