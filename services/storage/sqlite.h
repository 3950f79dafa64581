#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace planner::storage {

/// Reason of the error where nothing can be written.
inline constexpr char kReadOnlyReason[] = "READ_ONLY";

/// One connection to a database. Not thread-safe: its owner locks.
class Database {
 public:
  /// `flags` of sqlite3_open_v2. NOT_FOUND: no such file (and no SQLITE_OPEN_CREATE); otherwise as
  /// ErrorOf. Waits up to 5 s for another process's lock.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, int flags);

  /// Statements without results.
  absl::Status Execute(const char* sql);

  /// What SQLite last said, with the file's path and a reason: UNAVAILABLE where another process holds the lock (LOCKED) or the disk
  /// does not work (DISK_ERROR), RESOURCE_EXHAUSTED for a full one (DISK_FULL), FAILED_PRECONDITION where nothing can be written
  /// (READ_ONLY), PERMISSION_DENIED for files that are not ours (NO_PERMISSION), DATA_LOSS for what is no database, else INTERNAL.
  absl::Status ErrorOf(int code) const;

  sqlite3* handle() { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement; bound again for every run. Parameters and columns count from 0.
class Statement {
 public:
  static absl::StatusOr<Statement> Prepare(Database& database, const char* sql);

  /// Binds the parameters in their order and stands before the first row.
  template <typename... Values>
  void Start(const Values&... values) {
    sqlite3_reset(handle_.get());
    int index = 0;
    (Bind(++index, values), ...);
  }
  /// Whether there is a row, which is then the current one. After the last row the statement holds no
  /// lock any more.
  absl::StatusOr<bool> Step();
  /// Gives up the rows that were not read.
  void Reset() { sqlite3_reset(handle_.get()); }

  int64_t Integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  /// Text or blob.
  std::string Bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  Statement(Database& database, sqlite3_stmt* handle) : database_(&database), handle_(handle) {}

  void Bind(int index, int64_t value) { sqlite3_bind_int64(handle_.get(), index, value); }
  void Bind(int index, std::string_view value);

  Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

}  // namespace planner::storage
