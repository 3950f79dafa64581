#include "services/storage/postgresql_connections.h"

#include <algorithm>

#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "services/storage/postgresql_schema.h"

namespace planner::storage {
namespace {

/// Between two tries: short beside what a server needs to start.
constexpr absl::Duration kPause = absl::Milliseconds(50);

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresqlConnection>> PostgresqlConnections::Open() {
  ASSIGN_OR_RETURN(std::unique_ptr<PostgresqlConnection> connection, PostgresqlConnection::Open(server_));
  bool has_tables = false;
  {
    base::MutexLock lock(mutex_);
    has_tables = has_tables_;
  }
  if (!has_tables) RETURN_IF_ERROR(MigratePostgresql(*connection));
  {
    base::MutexLock lock(mutex_);
    has_tables_ = true;
  }
  Found();
  return connection;
}

void PostgresqlConnections::Found() {
  base::MutexLock lock(mutex_);
  if (lost_since_ == absl::InfiniteFuture()) return;
  lost_since_ = absl::InfiniteFuture();
  changed_.WakeAll();
}

bool PostgresqlConnections::ShouldTryAgain() {
  base::MutexLock lock(mutex_);
  // The store's own clock may be a test's, which stands still.
  const absl::Time now = base::Clock::Real().Now();
  lost_since_ = std::min(lost_since_, now);
  if (now - lost_since_ >= patience_) return false;
  changed_.WaitFor(mutex_, kPause);
  return true;
}

absl::StatusOr<std::unique_ptr<PostgresqlConnection>> PostgresqlConnections::Take(bool& was_used) {
  {
    base::MutexLock lock(mutex_);
    while (taken_ >= kMost) changed_.Wait(mutex_);
    ++taken_;
    if (!idle_.empty()) {
      std::unique_ptr<PostgresqlConnection> connection = std::move(idle_.back());
      idle_.pop_back();
      was_used = true;
      return connection;
    }
  }
  absl::StatusOr<std::unique_ptr<PostgresqlConnection>> connection = Open();
  if (connection.ok()) return connection;
  base::MutexLock lock(mutex_);
  --taken_;
  changed_.WakeAll();
  return connection;
}

void PostgresqlConnections::GiveBack(std::unique_ptr<PostgresqlConnection> connection) {
  std::vector<std::unique_ptr<PostgresqlConnection>> useless;  // Closed without the lock.
  base::MutexLock lock(mutex_);
  --taken_;
  changed_.WakeAll();
  if (!connection->is_lost()) {
    idle_.push_back(std::move(connection));
    return;
  }
  useless = std::move(idle_);
  idle_.clear();
  useless.push_back(std::move(connection));
}

}  // namespace planner::storage
