#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/condition.h"
#include "core/base/mutex.h"
#include "services/storage/postgresql.h"
#include "services/storage/postgresql_server.h"

namespace planner::storage {

/// Connections of one store: a few that its readers share, and those that are opened for one purpose. Where the server is away they
/// are tried again, for so long together as `patience` says; once that is over, every call tries once, so that nobody queues for what is
/// not there. Thread-safe.
class PostgresqlConnections {
 public:
  PostgresqlConnections(PostgresqlServer server, absl::Duration patience)
      : server_(std::move(server)), patience_(patience) {}
  PostgresqlConnections(const PostgresqlConnections&) = delete;
  PostgresqlConnections& operator=(const PostgresqlConnections&) = delete;

  /// A new one, to a database whose tables are there: the first one of all makes them or brings them up to date.
  absl::StatusOr<std::unique_ptr<PostgresqlConnection>> Open();

  /// After a connection was lost or could not be opened: waits a little, and says whether to try again.
  bool ShouldTryAgain();
  /// Something has worked.
  void Found();

  /// What reads, with one of the shared connections, as long as it is needed. It runs again where the connection is lost.
  template <typename Result>
  absl::StatusOr<Result> Read(const std::function<absl::StatusOr<Result>(PostgresqlConnection&)>& read) {
    while (true) {
      bool was_used = false;
      absl::StatusOr<std::unique_ptr<PostgresqlConnection>> connection = Take(was_used);
      if (!connection.ok()) {
        if (absl::IsUnavailable(connection.status()) && ShouldTryAgain()) continue;
        return connection.status();
      }
      (*connection)->ClearFailure();
      absl::StatusOr<Result> result = read(**connection);
      const bool is_transient = (*connection)->is_lost() || (*connection)->is_conflict();
      GiveBack(*std::move(connection));
      if (result.ok() || !is_transient) return result;
      // One that was used before may be of a server that has gone and is back.
      if (!was_used && !ShouldTryAgain()) return result;
    }
  }

 private:
  /// Readers at once; the others wait.
  static constexpr int kMost = 8;

  absl::StatusOr<std::unique_ptr<PostgresqlConnection>> Take(bool& was_used);
  /// One that is lost takes the idle ones with it.
  void GiveBack(std::unique_ptr<PostgresqlConnection> connection);

  const PostgresqlServer server_;
  const absl::Duration patience_;

  base::Mutex mutex_;
  base::Condition changed_;
  std::vector<std::unique_ptr<PostgresqlConnection>> idle_ ABSL_GUARDED_BY(mutex_);
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool has_tables_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time lost_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();  ///< InfiniteFuture: the server is there.
};

}  // namespace planner::storage
