#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/store/store.h"
#include "services/storage/postgresql.h"
#include "services/storage/postgresql_connections.h"
#include "services/storage/postgresql_server.h"

namespace planner::storage {

struct PostgresqlOptions {
  /// How long calls wait, together, for a server that is away, before they are answered with UNAVAILABLE.
  absl::Duration patience = absl::Seconds(5);
};

/// A store in a PostgreSQL database, which any number of processes may share.
///
/// Writers run one after the other, over all processes: a transaction begins with a lock on the one row of planner_revision. Readers
/// wait for nobody. Where the server is lost, reads are done again, and so are transactions once it is known that they have not been
/// kept: a COMMIT that was not answered is looked up (planner_writers). If the server stays away for too long, the error is UNAVAILABLE;
/// it says so if it is not known whether the write was kept, which whoever asks again with the same request id need not care about.
class PostgresqlStore : public store::Store {
 public:
  /// Connects to nothing yet. `clock` must outlive the store.
  PostgresqlStore(PostgresqlServer server, const base::Clock& clock, PostgresqlOptions options = {});

  /// Makes the tables, or brings them up to date. UNAVAILABLE: there is no server; FAILED_PRECONDITION: a newer version has made them.
  absl::Status Open() override;

  absl::Status Transact(const store::Body& body) override;
  absl::StatusOr<store::Record> Get(store::Kind kind, std::string_view name) override;
  absl::StatusOr<store::Record> GetByRequestId(store::Kind kind, std::string_view request_id) override;
  absl::StatusOr<store::Page> List(store::Kind kind, const store::ListOptions& options) override;
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<store::Kind>& kinds, int64_t version) override;
  absl::StatusOr<int64_t> Version() override;
  absl::Status Export(const store::Take& take) override;
  /// Woken by NOTIFY, on a connection of its own. Where the database knows no NOTIFY, it asks again and again.
  absl::StatusOr<int64_t> WaitForChange(int64_t version, absl::Duration at_most) override;

 private:
  /// What a body works with.
  class Writes;
  /// What is to be done after one try of a transaction.
  enum class Outcome { kDone, kTryAgain };

  /// A transaction that is begun and has the lock; the number is that of the last revision.
  absl::StatusOr<int64_t> Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  /// Ends it. What was written is kept if `writes` is not null; the connection's failure says otherwise.
  absl::Status End(const Writes* writes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  /// `in_doubt`: a revision whose COMMIT was not answered; 0: there is none.
  Outcome TryTransact(const store::Body& body, int64_t& in_doubt, absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  absl::StatusOr<bool> WasKept(int64_t revision) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  absl::StatusOr<int64_t> Listen(int64_t version, absl::Duration at_most)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(listener_mutex_);

  const base::Clock& clock_;
  /// Of this object among all that write to the database.
  const std::string id_;
  PostgresqlConnections connections_;

  base::Mutex writer_mutex_;
  std::unique_ptr<PostgresqlConnection> writer_ ABSL_GUARDED_BY(writer_mutex_);
  bool notifies_ ABSL_GUARDED_BY(writer_mutex_) = true;

  base::Mutex listener_mutex_;
  std::unique_ptr<PostgresqlConnection> listener_ ABSL_GUARDED_BY(listener_mutex_);
  bool listens_ ABSL_GUARDED_BY(listener_mutex_) = true;
};

}  // namespace planner::storage
