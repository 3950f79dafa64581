#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/store/store.h"
#include "services/storage/sqlite.h"

namespace planner::storage {

/// A store in one file, `planner.db`, that several processes may share. Write-ahead log, synchronous
/// to the disk; readers and the writer do not wait for one another.
///
/// Nothing is opened before it is needed. Reading where there is no file yet finds no records and
/// creates nothing; the first write creates the folder (mode 0700) and the file.
class SqliteStore : public store::Store {
 public:
  static constexpr char kFileName[] = "planner.db";

  /// `directory` is the state's folder. `clock` must outlive the store.
  SqliteStore(std::string directory, const base::Clock& clock);

  /// Creates or migrates the file now. FAILED_PRECONDITION: a newer version wrote it.
  absl::Status Open() override;

  absl::Status Transact(const store::Body& body) override;
  absl::StatusOr<store::Record> Get(store::Kind kind, std::string_view name) override;
  absl::StatusOr<store::Record> GetByRequestId(store::Kind kind, std::string_view request_id) override;
  absl::StatusOr<store::Page> List(store::Kind kind, const store::ListOptions& options) override;
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<store::Kind>& kinds, int64_t version) override;
  absl::StatusOr<int64_t> Version() override;
  /// Other reads wait for it, writes do not.
  absl::Status Export(const store::Take& take) override;

 private:
  /// A connection with the statements that it has prepared, by their text's address.
  class Connection {
   public:
    explicit Connection(std::unique_ptr<Database> database) : database_(std::move(database)) {}
    Database& database() { return *database_; }
    absl::StatusOr<Statement*> Prepared(const char* sql);

   private:
    std::unique_ptr<Database> database_;
    std::map<const char*, Statement> statements_;
  };

  /// What a body works with.
  class Writes;

  /// Null where there is nothing to read yet.
  absl::StatusOr<Connection*> Reader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(reader_mutex_);
  absl::StatusOr<Connection*> Writer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  absl::Status TransactWith(const store::Body& body) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_mutex_);
  static absl::StatusOr<store::Record> GetFrom(Connection& connection, store::Kind kind, std::string_view name);
  static absl::StatusOr<store::Record> GetByRequestIdFrom(Connection& connection, store::Kind kind,
                                                          std::string_view request_id);
  static absl::StatusOr<int64_t> RevisionOf(Connection& connection);
  static absl::StatusOr<store::Changes> ChangesFrom(Connection& connection, const std::vector<store::Kind>& kinds,
                                                    int64_t version);

  const std::string directory_;
  const std::string path_;
  const base::Clock& clock_;
  base::Mutex reader_mutex_;
  std::optional<Connection> reader_ ABSL_GUARDED_BY(reader_mutex_);
  base::Mutex writer_mutex_;
  std::optional<Connection> writer_ ABSL_GUARDED_BY(writer_mutex_);
};

}  // namespace planner::storage
