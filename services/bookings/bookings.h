#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "core/cluster/snapshot.h"
#include "core/hardware/gpu_catalog.h"
#include "core/store/store.h"
#include "services/bookings/cluster_calendar.h"

namespace planner::bookings {

/// One cluster, ready for planning.
struct ClusterView {
  std::string id;        ///< "main"
  std::string etag;      ///< Of the version that was read.
  std::string currency;  ///< "USD"
  std::vector<cluster::Pool> pools;
};

/// Every cluster's calendar as of one version of the store, in memory: what has changed since is read, not all again. Not safe for
/// concurrent use.
class Calendars {
 public:
  explicit Calendars(const hardware::GpuCatalog& gpus) : gpus_(gpus) {}

  /// What is read: everything that calendars are made of.
  static const std::vector<store::Kind>& Kinds();
  int64_t version() const { return version_; }
  /// DATA_LOSS for values that cannot be read: nothing must be planned on a part of the bookings.
  absl::Status Apply(const store::Changes& changes);
  /// Forgets everything: the next Apply must be of all changes.
  void Reset();

  /// Takes out of the calendars what has ended or expired by `now`.
  void Advance(Micros now);
  /// Records that Advance has taken out and that are not known to be gone from the store.
  const std::set<std::string>& passed() const { return passed_; }
  /// When Advance will have something to do next; kForever: never.
  Micros NextEvent() const;

  /// Clusters that have got GPUs back since the last call while reservations of them are marked.
  std::set<std::string> TakeFreed() { return std::exchange(freed_, {}); }

  /// Null: there is none.
  ClusterCalendar* Find(const std::string& cluster);
  std::map<std::string, ClusterCalendar>& clusters() { return clusters_; }

  /// As Apply would, of one record.
  absl::Status Put(store::Kind kind, const store::Record& record);
  void Remove(store::Kind kind, const std::string& name);

 private:
  struct Times {
    Micros end;
    Micros expires;  ///< kForever: it is firm.
    Micros event() const { return std::min(end, expires); }
  };

  void Forget(const std::string& name);

  const hardware::GpuCatalog& gpus_;
  int64_t version_ = 0;
  std::map<std::string, ClusterCalendar> clusters_;
  /// Of clusters that are not there (any more).
  std::map<std::string, std::map<std::string, Booking>> orphans_;
  std::map<std::string, Times> times_;  ///< By record.
  std::set<std::pair<Micros, std::string>> events_;
  std::set<std::string> passed_;
  std::set<std::string> freed_;
};

/// What an operation has at hand: the calendars, and the transaction that its writes belong to. Everything that it writes goes
/// through it, so that the calendars know.
class Ledgers {
 public:
  Ledgers(store::Transaction& transaction, Calendars& calendars, absl::Time now)
      : transaction_(transaction), calendars_(calendars), now_(now) {}

  absl::Time now() const { return now_; }
  /// NOT_FOUND at `field`.
  absl::StatusOr<ClusterCalendar*> Find(std::string_view field, const std::string& cluster);
  Calendars& calendars() { return calendars_; }

  absl::StatusOr<store::Record> Get(store::Kind kind, std::string_view name) { return transaction_.Get(kind, name); }
  absl::StatusOr<store::Record> GetByRequestId(store::Kind kind, std::string_view id) {
    return transaction_.GetByRequestId(kind, id);
  }
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<store::Kind>& kinds, int64_t version) {
    return transaction_.ChangesSince(kinds, version);
  }
  absl::StatusOr<store::Record> Create(store::Kind kind, std::string_view name, std::string_view value,
                                       std::string_view request_id);
  absl::StatusOr<store::Record> Update(store::Kind kind, std::string_view name, std::string_view etag,
                                       std::string_view value);
  absl::Status Delete(store::Kind kind, std::string_view name, std::string_view etag);
  bool has_written() const { return has_written_; }

 private:
  absl::Status Known(store::Kind kind, const absl::StatusOr<store::Record>& record);

  store::Transaction& transaction_;
  Calendars& calendars_;
  const absl::Time now_;
  bool has_written_ = false;
};

/// The calendars of all clusters, and the one way to change them. A booking is decided on and written within one transaction of the
/// store, on calendars that have all that is stored: nothing is ever booked twice, on any replica. What several threads ask for at
/// once shares a transaction, and so one wait for the disk. Thread-safe.
class Bookings {
 public:
  using Views = std::vector<ClusterView>;
  /// Decides, and writes. It may run again from the start. After an error it must not have written anything; if it has, whoever
  /// shares the transaction is started anew without it.
  using Operation = std::function<absl::Status(Ledgers&)>;

  /// All must outlive it.
  Bookings(store::Store& store, const hardware::GpuCatalog& gpus, const base::Clock& clock)
      : store_(store), clock_(clock), calendars_(gpus) {}

  /// Before the first Run: called after each transaction that has written something, from its thread. It must not block.
  void OnWrite(std::function<void()> on_write) { on_write_ = std::move(on_write); }

  /// The operation's status, or the store's. When it is OK, what was written is kept.
  absl::Status Run(const Operation& operation);

  /// All clusters by name, as of `now`: what has ended or expired by then is free.
  absl::StatusOr<std::shared_ptr<const Views>> Current(absl::Time now);

  /// Operations that wait for the transaction of others to end.
  size_t waiting();

  /// Notes that somebody has said that a cluster is as it is kept: a write of what is there changes nothing in the store. It is known to
  /// this process alone, until its end; other replicas go by the time of the record.
  void Confirm(const std::string& cluster, absl::Time now);
  /// When that was last; the infinite past: never.
  absl::Time ConfirmedAt(const std::string& cluster);

  /// Looks at the calendars as they are, with everything that is acknowledged.
  absl::Status Look(absl::Time now, const std::function<absl::Status(Calendars&)>& look);

 private:
  struct Waiting {
    const Operation& operation;
    absl::Status status;
    bool is_done = false;
  };

  void RunTogether(const std::vector<Waiting*>& batch);
  /// False: nothing is done, because one of several has written and failed.
  bool TransactOnce(const std::vector<Waiting*>& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CatchUp(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MakeView(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// The view, if it has everything up to the version and holds at `now`; else null.
  std::shared_ptr<const Views> ViewOf(int64_t version, absl::Time now);

  store::Store& store_;
  const base::Clock& clock_;
  std::function<void()> on_write_;

  base::Mutex queue_mutex_;
  base::Condition queue_changed_;
  std::vector<Waiting*> queue_ ABSL_GUARDED_BY(queue_mutex_);
  bool is_led_ ABSL_GUARDED_BY(queue_mutex_) = false;

  /// Held while a transaction runs: outside of it the calendars have nothing that is not kept.
  base::Mutex mutex_;
  Calendars calendars_ ABSL_GUARDED_BY(mutex_);

  base::Mutex confirmed_mutex_;
  std::map<std::string, absl::Time> confirmed_ ABSL_GUARDED_BY(confirmed_mutex_);  ///< By cluster.

  std::atomic<bool> view_is_read_ = false;  ///< Since a write has made one.
  base::Mutex view_mutex_;
  std::shared_ptr<const Views> view_ ABSL_GUARDED_BY(view_mutex_);
  int64_t view_version_ ABSL_GUARDED_BY(view_mutex_) = -1;
  Micros view_end_ ABSL_GUARDED_BY(view_mutex_) = 0;  ///< From then on it is another one.
};

}  // namespace planner::bookings
