#include "core/store/memory_store.h"

#include <limits>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/store/page_token.h"

namespace planner::store {

std::string MemoryStore::NextEtag() { return absl::StrFormat("%x", ++version_); }

absl::StatusOr<MemoryStore::Entry*> MemoryStore::Find(Kind kind, std::string_view name) {
  const auto found = entries_.find({kind, std::string(name)});
  if (found == entries_.end()) return NoSuchRecord(kind, name);
  return &found->second;
}

absl::StatusOr<Record> MemoryStore::Create(Kind kind, std::string_view name, std::string_view value,
                                           std::string_view request_id) {
  base::MutexLock lock(mutex_);
  const Key request{kind, std::string(request_id)};
  if (const auto earlier = names_by_request_id_.find(request); earlier != names_by_request_id_.end()) {
    ASSIGN_OR_RETURN(const Entry* entry, Find(kind, earlier->second));
    return entry->record;
  }
  const Key key{kind, std::string(name)};
  if (entries_.contains(key)) return RecordExists(kind, name);
  const absl::Time now = clock_.Now();
  const std::string etag = NextEtag();
  const Entry& entry =
      entries_.emplace(key, Entry{{key.second, std::string(value), etag, now, now}, request.second, version_})
          .first->second;
  names_by_sequence_.emplace(std::pair(kind, entry.sequence), key.second);
  if (!request_id.empty()) names_by_request_id_.emplace(request, key.second);
  return entry.record;
}

absl::StatusOr<Record> MemoryStore::Get(Kind kind, std::string_view name) {
  base::MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const Entry* entry, Find(kind, name));
  return entry->record;
}

absl::StatusOr<Record> MemoryStore::GetByRequestId(Kind kind, std::string_view request_id) {
  base::MutexLock lock(mutex_);
  const auto found = names_by_request_id_.find({kind, std::string(request_id)});
  if (found == names_by_request_id_.end()) return NoSuchRecord(kind, request_id);
  ASSIGN_OR_RETURN(const Entry* entry, Find(kind, found->second));
  return entry->record;
}

absl::StatusOr<Page> MemoryStore::List(Kind kind, const ListOptions& options) {
  base::MutexLock lock(mutex_);
  return options.order == Order::kByName ? ListByName(kind, options) : ListNewestFirst(kind, options);
}

absl::StatusOr<Page> MemoryStore::ListByName(Kind kind, const ListOptions& options) {
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

absl::StatusOr<Page> MemoryStore::ListNewestFirst(Kind kind, const ListOptions& options) {
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

absl::StatusOr<Record> MemoryStore::Update(Kind kind, std::string_view name, std::string_view etag,
                                           const Change& change) {
  base::MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(Entry * entry, Find(kind, name));
  Record& record = entry->record;
  if (!etag.empty() && etag != record.etag) return EtagChanged(kind, name, etag, record.etag);
  ASSIGN_OR_RETURN(std::string value, change(record));
  if (value == record.value) return record;
  record.value = std::move(value);
  record.etag = NextEtag();
  record.update_time = clock_.Now();
  return record;
}

absl::Status MemoryStore::Delete(Kind kind, std::string_view name, std::string_view etag) {
  base::MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(const Entry* entry, Find(kind, name));
  if (!etag.empty() && etag != entry->record.etag) return EtagChanged(kind, name, etag, entry->record.etag);
  ++version_;
  names_by_sequence_.erase({kind, entry->sequence});
  if (!entry->request_id.empty()) names_by_request_id_.erase({kind, entry->request_id});
  entries_.erase({kind, std::string(name)});
  return absl::OkStatus();
}

absl::StatusOr<int64_t> MemoryStore::Version() {
  base::MutexLock lock(mutex_);
  return version_;
}

}  // namespace planner::store
