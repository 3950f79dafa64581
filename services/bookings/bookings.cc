#include "services/bookings/bookings.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/bookings/conflicts.h"

namespace planner::bookings {
namespace {

/// Operations that share a transaction. More would only make the first of them wait.
constexpr size_t kMostTogether = 256;

}  // namespace

absl::StatusOr<ClusterCalendar*> Ledgers::Find(std::string_view field, const std::string& cluster) {
  if (ClusterCalendar* calendar = calendars_.Find(cluster)) return calendar;
  return base::NotFound(field, fmt::format("there is no cluster \"{}\"", cluster), "UNKNOWN_CLUSTER");
}

absl::Status Ledgers::Known(store::Kind kind, const absl::StatusOr<store::Record>& record) {
  RETURN_IF_ERROR(record.status());
  has_written_ = true;
  return calendars_.Put(kind, *record);
}

absl::StatusOr<store::Record> Ledgers::Create(store::Kind kind, std::string_view name, std::string_view value,
                                              std::string_view request_id) {
  absl::StatusOr<store::Record> record = transaction_.Create(kind, name, value, request_id);
  RETURN_IF_ERROR(Known(kind, record));
  return record;
}

absl::StatusOr<store::Record> Ledgers::Update(store::Kind kind, std::string_view name, std::string_view etag,
                                              std::string_view value) {
  absl::StatusOr<store::Record> record = transaction_.Update(kind, name, etag, value);
  RETURN_IF_ERROR(Known(kind, record));
  return record;
}

absl::Status Ledgers::Delete(store::Kind kind, std::string_view name, std::string_view etag) {
  RETURN_IF_ERROR(transaction_.Delete(kind, name, etag));
  has_written_ = true;
  calendars_.Remove(kind, std::string(name));
  return absl::OkStatus();
}

absl::Status Bookings::Run(const Operation& operation) {
  Waiting mine{operation};
  base::MutexLock lock(queue_mutex_);
  queue_.push_back(&mine);
  while (!mine.is_done) {
    if (is_led_) {
      queue_changed_.Wait(queue_mutex_);
      continue;
    }
    // Whoever finds nobody at work works for all that wait, the first ones first.
    is_led_ = true;
    const size_t count = std::min(queue_.size(), kMostTogether);
    const std::vector<Waiting*> batch(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
    queue_mutex_.Unlock();
    RunTogether(batch);
    queue_mutex_.Lock();
    for (Waiting* one : batch) one->is_done = true;
    is_led_ = false;
    queue_changed_.WakeAll();
  }
  return mine.status;
}

void Bookings::RunTogether(const std::vector<Waiting*>& batch) {
  base::MutexLock lock(mutex_);
  if (!TransactOnce(batch)) {
    // One of them has spoiled it for all.
    for (Waiting* one : batch) TransactOnce({one});
  }
  // Whoever reads between two of many writes would else wait for the second one's disk.
  if (view_is_read_.exchange(false)) MakeView(clock_.Now()).IgnoreError();
}

bool Bookings::TransactOnce(const std::vector<Waiting*>& batch) {
  bool is_first = true;
  bool is_spoiled = false;
  bool has_written = false;
  const absl::Status status = store_.Transact([&](store::Transaction& transaction) -> absl::Status {
    if (!is_first) calendars_.Reset();  // What the run before has put there is not stored.
    is_first = is_spoiled = has_written = false;
    ASSIGN_OR_RETURN(const store::Changes changes, transaction.ChangesSince(Calendars::Kinds(), calendars_.version()));
    RETURN_IF_ERROR(calendars_.Apply(changes));
    const absl::Time now = clock_.Now();
    calendars_.Advance(cluster::ToMicros(now));
    // What has passed by our clock is gone for everyone before its GPUs are given to others.
    for (const std::string& name : calendars_.passed()) {
      const absl::Status gone = transaction.Delete(store::Kind::kReservation, name, "");
      if (!gone.ok() && !absl::IsNotFound(gone)) return gone;
      has_written = true;
    }
    Ledgers marks(transaction, calendars_, now);
    RETURN_IF_ERROR(RefreshConflicts(marks));
    for (Waiting* one : batch) {
      Ledgers ledgers(transaction, calendars_, now);
      one->status = one->operation(ledgers);
      has_written = has_written || ledgers.has_written();
      is_spoiled = !one->status.ok() && ledgers.has_written();
      if (is_spoiled) return one->status;
    }
    RETURN_IF_ERROR(RefreshConflicts(marks));
    has_written = has_written || marks.has_written();
    return absl::OkStatus();
  });
  if (status.ok()) {
    if (has_written && on_write_) on_write_();
    return true;
  }
  calendars_.Reset();
  if (is_spoiled && batch.size() > 1) return false;
  for (Waiting* one : batch) one->status = status;
  return true;
}

absl::Status Bookings::CatchUp(absl::Time now) {
  ASSIGN_OR_RETURN(const store::Changes changes, store_.ChangesSince(Calendars::Kinds(), calendars_.version()));
  const absl::Status applied = calendars_.Apply(changes);
  if (!applied.ok()) calendars_.Reset();
  calendars_.Advance(cluster::ToMicros(now));
  return applied;
}

absl::Status Bookings::MakeView(absl::Time now) {
  RETURN_IF_ERROR(CatchUp(now));
  auto views = std::make_shared<Views>();
  for (auto& [id, calendar] : calendars_.clusters()) {
    views->push_back({id, calendar.etag(), calendar.cluster().currency(), calendar.Pools()});
  }
  base::MutexLock lock(view_mutex_);
  view_ = std::move(views);
  view_version_ = calendars_.version();
  view_end_ = calendars_.NextEvent();
  return absl::OkStatus();
}

std::shared_ptr<const Bookings::Views> Bookings::ViewOf(int64_t version, absl::Time now) {
  base::MutexLock lock(view_mutex_);
  return view_ != nullptr && view_version_ >= version && cluster::ToMicros(now) < view_end_ ? view_ : nullptr;
}

absl::StatusOr<std::shared_ptr<const Bookings::Views>> Bookings::Current(absl::Time now) {
  view_is_read_ = true;
  // The version comes first: what is written while we read makes the next call read again.
  ASSIGN_OR_RETURN(const int64_t version, store_.Version());
  if (auto view = ViewOf(version, now)) return view;
  base::MutexLock lock(mutex_);
  if (auto view = ViewOf(version, now)) return view;  // Made while we waited.
  RETURN_IF_ERROR(MakeView(now));
  base::MutexLock view_lock(view_mutex_);
  return view_;
}

size_t Bookings::waiting() {
  base::MutexLock lock(queue_mutex_);
  return queue_.size();
}

void Bookings::Confirm(const std::string& cluster, absl::Time now) {
  base::MutexLock lock(confirmed_mutex_);
  confirmed_[cluster] = now;
}

absl::Time Bookings::ConfirmedAt(const std::string& cluster) {
  base::MutexLock lock(confirmed_mutex_);
  const auto found = confirmed_.find(cluster);
  return found == confirmed_.end() ? absl::InfinitePast() : found->second;
}

absl::Status Bookings::Look(absl::Time now, const std::function<absl::Status(Calendars&)>& look) {
  base::MutexLock lock(mutex_);
  RETURN_IF_ERROR(CatchUp(now));
  return look(calendars_);
}

}  // namespace planner::bookings
