#include "core/store/memory_store.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/store/page_token.h"

namespace planner::store {

absl::StatusOr<const MemoryStore::Records::Entry*> MemoryStore::Records::Find(Kind kind, std::string_view name) const {
  const auto found = entries_.find({kind, std::string(name)});
  if (found == entries_.end()) return NoSuchRecord(kind, name);
  return &found->second;
}

void MemoryStore::Records::Set(const Key& key, std::optional<Entry> entry) {
  std::optional<Entry> before;
  if (const auto found = entries_.find(key); found != entries_.end()) {
    before = std::move(found->second);
    names_by_sequence_.erase({key.first, before->sequence});
    if (!before->request_id.empty()) names_by_request_id_.erase({key.first, before->request_id});
    changes_.erase(before->revision);
    entries_.erase(found);
  } else if (const auto deleted = deleted_.find(key); deleted != deleted_.end()) {
    changes_.erase(deleted->second);
    deleted_.erase(deleted);
  }
  if (entry) {
    names_by_sequence_.emplace(std::pair(key.first, entry->sequence), key.second);
    if (!entry->request_id.empty()) names_by_request_id_.emplace(Key(key.first, entry->request_id), key.second);
    changes_.emplace(entry->revision, key);
    entries_.emplace(key, *std::move(entry));
  } else {
    deleted_.emplace(key, ++version_);
    changes_.emplace(version_, key);
  }
  undo_.emplace_back(key, std::move(before));
}

void MemoryStore::Records::RollBack() {
  auto undo = std::move(undo_);
  for (auto at = undo.rbegin(); at != undo.rend(); ++at) {
    // What was seen in between, if anyone has, is a change again.
    if (at->second) at->second->revision = ++version_;
    Set(at->first, std::move(at->second));
  }
  undo_.clear();
}

absl::StatusOr<Record> MemoryStore::Records::Create(Kind kind, std::string_view name, std::string_view value,
                                                    std::string_view request_id) {
  if (const auto earlier = names_by_request_id_.find({kind, std::string(request_id)});
      earlier != names_by_request_id_.end()) {
    return Get(kind, earlier->second);
  }
  const absl::Time now = clock_.Now();
  return Restore({kind, {std::string(name), std::string(value), "", now, now}, std::string(request_id)});
}

absl::StatusOr<Record> MemoryStore::Records::Restore(const KeptRecord& kept) {
  const Key key{kept.kind, kept.record.name};
  if (entries_.contains(key)) return RecordExists(kept.kind, key.second);
  ++version_;
  Record record = kept.record;
  record.etag = absl::StrFormat("%x", version_);
  Set(key, Entry{record, kept.request_id, version_, version_});
  return record;
}

std::vector<KeptRecord> MemoryStore::Records::All() const {
  std::map<int64_t, KeptRecord> by_sequence;
  for (const auto& [key, entry] : entries_) by_sequence[entry.sequence] = {key.first, entry.record, entry.request_id};
  std::vector<KeptRecord> all;
  for (auto& [sequence, record] : by_sequence) all.push_back(std::move(record));
  return all;
}

absl::StatusOr<Record> MemoryStore::Records::Get(Kind kind, std::string_view name) {
  ASSIGN_OR_RETURN(const Entry* entry, Find(kind, name));
  return entry->record;
}

absl::StatusOr<Record> MemoryStore::Records::GetByRequestId(Kind kind, std::string_view request_id) {
  const auto found = names_by_request_id_.find({kind, std::string(request_id)});
  if (found == names_by_request_id_.end()) return NoSuchRecord(kind, request_id);
  return Get(kind, found->second);
}

absl::StatusOr<Record> MemoryStore::Records::Update(Kind kind, std::string_view name, std::string_view etag,
                                                    std::string_view value) {
  ASSIGN_OR_RETURN(const Entry* found, Find(kind, name));
  if (!etag.empty() && etag != found->record.etag) return EtagChanged(kind, name, etag, found->record.etag);
  if (value == found->record.value) return found->record;
  Entry entry = *found;
  entry.revision = ++version_;
  entry.record.value = std::string(value);
  entry.record.etag = absl::StrFormat("%x", version_);
  entry.record.update_time = clock_.Now();
  Record record = entry.record;
  Set({kind, record.name}, std::move(entry));
  return record;
}

absl::Status MemoryStore::Records::Delete(Kind kind, std::string_view name, std::string_view etag) {
  ASSIGN_OR_RETURN(const Entry* entry, Find(kind, name));
  if (!etag.empty() && etag != entry->record.etag) return EtagChanged(kind, name, etag, entry->record.etag);
  Set({kind, std::string(name)}, std::nullopt);
  return absl::OkStatus();
}

absl::StatusOr<Changes> MemoryStore::Records::ChangesSince(const std::vector<Kind>& kinds, int64_t version) {
  Changes changes;
  changes.version = version_;
  changes.is_all = version <= 0;
  for (auto at = changes_.upper_bound(std::max<int64_t>(0, version)); at != changes_.end(); ++at) {
    const Key& key = at->second;
    if (std::find(kinds.begin(), kinds.end(), key.first) == kinds.end()) continue;
    if (const auto found = entries_.find(key); found != entries_.end()) {
      changes.written.push_back({key.first, found->second.record});
    } else if (!changes.is_all) {
      changes.deleted.push_back(key);
    }
  }
  return changes;
}

absl::StatusOr<Page> MemoryStore::Records::ListByName(Kind kind, const ListOptions& options) const {
  const std::string scope = ListScope(kind, options.order);
  ASSIGN_OR_RETURN(const std::string after, DecodePageToken(scope, options.page_token));
  Page page;
  for (auto at = entries_.upper_bound({kind, after}); at != entries_.end() && at->first.first == kind; ++at) {
    if (page.records.size() == static_cast<size_t>(options.page_size)) {
      page.next_page_token = EncodePageToken(scope, page.records.back().name);
      break;
    }
    page.records.push_back(at->second.record);
  }
  return page;
}

absl::StatusOr<Page> MemoryStore::Records::ListNewestFirst(Kind kind, const ListOptions& options) const {
  const std::string scope = ListScope(kind, options.order);
  ASSIGN_OR_RETURN(const int64_t before,
                   DecodeNumberToken(scope, options.page_token, std::numeric_limits<int64_t>::max()));
  Page page;
  int64_t last = 0;
  auto at = names_by_sequence_.lower_bound({kind, before});
  while (at != names_by_sequence_.begin() && (--at)->first.first == kind) {
    if (page.records.size() == static_cast<size_t>(options.page_size)) {
      page.next_page_token = EncodePageToken(scope, absl::StrFormat("%d", last));
      break;
    }
    last = at->first.second;
    page.records.push_back(entries_.at({kind, at->second}).record);
  }
  return page;
}

absl::Status MemoryStore::Transact(const Body& body) {
  base::MutexLock lock(mutex_);
  records_.Begin();
  const absl::Status status = body(records_);
  if (!status.ok()) records_.RollBack();
  changed_.WakeAll();
  return status;
}

absl::StatusOr<Record> MemoryStore::Get(Kind kind, std::string_view name) {
  base::MutexLock lock(mutex_);
  return records_.Get(kind, name);
}

absl::StatusOr<Record> MemoryStore::GetByRequestId(Kind kind, std::string_view request_id) {
  base::MutexLock lock(mutex_);
  return records_.GetByRequestId(kind, request_id);
}

absl::StatusOr<Page> MemoryStore::List(Kind kind, const ListOptions& options) {
  base::MutexLock lock(mutex_);
  return options.order == Order::kByName ? records_.ListByName(kind, options) : records_.ListNewestFirst(kind, options);
}

absl::StatusOr<Changes> MemoryStore::ChangesSince(const std::vector<Kind>& kinds, int64_t version) {
  base::MutexLock lock(mutex_);
  return records_.ChangesSince(kinds, version);
}

absl::StatusOr<int64_t> MemoryStore::Version() {
  base::MutexLock lock(mutex_);
  return records_.version();
}

absl::Status MemoryStore::Export(const Take& take) {
  std::vector<KeptRecord> all;
  {
    base::MutexLock lock(mutex_);
    all = records_.All();
  }
  for (const KeptRecord& record : all) RETURN_IF_ERROR(take(record));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> MemoryStore::WaitForChange(int64_t version, absl::Duration at_most) {
  base::MutexLock lock(mutex_);
  // Woken for nothing, it returns early: whoever calls it asks again.
  if (records_.version() == version) changed_.WaitFor(mutex_, at_most);
  return records_.version();
}

}  // namespace planner::store
