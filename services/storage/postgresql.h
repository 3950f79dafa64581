#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/storage/postgresql_server.h"

namespace planner::storage {

/// What a statement has answered. Rows and columns count from 0.
class PostgresqlResult {
 public:
  explicit PostgresqlResult(PGresult* handle) : handle_(handle) {}

  int rows() const { return PQntuples(handle_.get()); }
  /// Of a bigint column.
  int64_t Integer(int row, int column) const;
  /// Of a bytea column; empty for NULL.
  std::string Bytes(int row, int column) const;

  PGresult* handle() const { return handle_.get(); }

 private:
  struct Clear {
    void operator()(PGresult* handle) const { PQclear(handle); }
  };
  std::unique_ptr<PGresult, Clear> handle_;
};

/// One connection to a database. Not thread-safe.
///
/// Errors are translated here alone: UNAVAILABLE where the server is away, stops, is none that takes writes, or does not answer in time
/// (is_lost: the connection cannot be used any more) and where others hold locks for long; ABORTED (is_conflict) for transactions that
/// have to be tried again; RESOURCE_EXHAUSTED (reason DISK_FULL) for a full disk, and for memory; PERMISSION_DENIED;
/// FAILED_PRECONDITION for a database or table that is not there; DATA_LOSS for a damaged one; else INTERNAL. The text says where the
/// database is.
class PostgresqlConnection {
 public:
  /// UNAVAILABLE, with libpq's reasons for every host.
  static absl::StatusOr<std::unique_ptr<PostgresqlConnection>> Open(const PostgresqlServer& server);
  PostgresqlConnection(const PostgresqlConnection&) = delete;
  PostgresqlConnection& operator=(const PostgresqlConnection&) = delete;

  /// One statement, prepared when it is first run; `sql` is a constant. Parameters ($1, $2) are int64_t for bigint, text for bytea,
  /// std::optional of it for one that may be NULL, and vectors for bigint[]. The results must be bigint or bytea.
  template <typename... Values>
  absl::StatusOr<PostgresqlResult> Run(const char* sql, const Values&... values) {
    return RunPrepared(sql, {Parameter(values)...});
  }
  /// Several statements in one go, without parameters. The first error ends it.
  absl::Status Execute(const std::string& sql);
  /// The same; what the last of them answered, a single integer.
  absl::StatusOr<int64_t> ExecuteForInteger(const std::string& sql);

  /// The connection is of no more use.
  bool is_lost() const { return is_lost_; }
  /// The first error since the last ClearFailure: whoever runs statements may have kept it to itself.
  const absl::Status& failure() const { return failure_; }
  /// Whether it was one that a transaction is tried again for.
  bool is_conflict() const { return is_conflict_; }
  /// Its SQLSTATE; empty: it has none.
  const std::string& sqlstate() const { return sqlstate_; }
  void ClearFailure();

  /// Waits until the server has something to say (notifications), or for so long. UNAVAILABLE: the connection is lost.
  absl::StatusOr<bool> WaitForNotification(absl::Duration at_most);

 private:
  struct Parameter {
    explicit Parameter(int64_t value);
    explicit Parameter(std::string_view value);
    explicit Parameter(const std::optional<std::string_view>& value);
    explicit Parameter(const std::vector<int64_t>& values);
    Oid type;
    bool is_null = false;
    bool is_binary = true;
    std::string bytes;
  };
  struct Finish {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };

  PostgresqlConnection(std::string where, PGconn* handle) : where_(std::move(where)), handle_(handle) {}

  absl::StatusOr<PostgresqlResult> RunPrepared(const char* sql, const std::vector<Parameter>& parameters);
  /// The last of the results of what was sent, or the first error.
  absl::StatusOr<PostgresqlResult> Answer(int sent);
  /// Waits for input.
  absl::Status AwaitInput();
  absl::Status Lost(std::string_view why);
  absl::Status ErrorOf(const PGresult* result);
  absl::Status Keep(absl::Status status);

  const std::string where_;
  std::unique_ptr<PGconn, Finish> handle_;
  std::map<const char*, std::string> statements_;
  bool is_lost_ = false;
  bool is_conflict_ = false;
  std::string sqlstate_;
  absl::Status failure_;
};

}  // namespace planner::storage
