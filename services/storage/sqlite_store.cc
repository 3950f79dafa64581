#include "services/storage/sqlite_store.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/store/page_token.h"
#include "services/storage/schema.h"

namespace planner::storage {
namespace {

using store::Kind;
using store::Record;

// What every statement that reads records gives, in this order; see RecordOf.
#define PLANNER_RECORD_COLUMNS "name, value, etag, create_time, update_time, sequence"
constexpr int kSequenceColumn = 5;
// What kAll gives beside them.
constexpr int kKindColumn = 6;
constexpr int kRequestIdColumn = 7;

constexpr char kGet[] = "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND name = ?";
constexpr char kGetByRequestId[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND request_id = ? AND length(request_id) > 0";
constexpr char kListByName[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND name > ? ORDER BY name LIMIT ?";
constexpr char kListNewestFirst[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?";
constexpr char kInsert[] =
    "INSERT INTO records (kind, name, value, etag, request_id, create_time, update_time, revision) VALUES (?, ?, ?, ?, "
    "?, ?, ?, ?)";
constexpr char kUpdate[] =
    "UPDATE records SET value = ?, etag = ?, update_time = ?, revision = ? WHERE kind = ? AND name = ?";
constexpr char kDelete[] = "DELETE FROM records WHERE kind = ? AND name = ?";
constexpr char kInsertDeletion[] = "INSERT INTO deletions (revision, kind, name) VALUES (?, ?, ?)";
constexpr char kForgetDeletions[] = "DELETE FROM deletions WHERE revision <= ?";
constexpr char kWrittenSince[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND revision > ? ORDER BY revision, sequence";
constexpr char kDeletedSince[] = "SELECT name, kind FROM deletions WHERE revision > ? ORDER BY revision";
constexpr char kAll[] = "SELECT " PLANNER_RECORD_COLUMNS ", kind, request_id FROM records ORDER BY sequence";
constexpr char kRevision[] = "SELECT number FROM revision";
constexpr char kNextRevision[] = "UPDATE revision SET number = number + 1 RETURNING number";

/// Revisions for which deletions are kept: whoever asks for changes since an older one is told everything.
constexpr int64_t kKeptRevisions = 100'000;

int64_t Number(Kind kind) { return static_cast<int64_t>(kind); }

Record RecordOf(const Statement& row) {
  return {row.Bytes(0), row.Bytes(1), row.Bytes(2), absl::FromUnixNanos(row.Integer(3)),
          absl::FromUnixNanos(row.Integer(4))};
}

/// The one record that a started statement finds; NOT_FOUND if it finds none.
absl::StatusOr<Record> OnlyRecord(Statement& statement, Kind kind, std::string_view name) {
  ASSIGN_OR_RETURN(const bool found, statement.Step());
  if (!found) return NoSuchRecord(kind, name);
  Record record = RecordOf(statement);
  statement.Reset();
  return record;
}

absl::Status Run(Statement& statement) { return statement.Step().status(); }

/// mkdir -p; a folder that is made here is its owner's alone.
absl::Status CreateFolder(const std::string& directory) {
  std::error_code error;
  if (!std::filesystem::create_directories(directory, error) && !error) return absl::OkStatus();
  if (!error) std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  if (!error) return absl::OkStatus();
  const std::string message = absl::StrCat("state_dir: cannot be created: path=", directory, " error=", error.message());
  if (error == std::errc::no_space_on_device) return base::WithReason(absl::ResourceExhaustedError(message), "DISK_FULL");
  if (error == std::errc::read_only_file_system) return base::WithReason(absl::FailedPreconditionError(message), kReadOnlyReason);
  return absl::PermissionDeniedError(message);
}

}  // namespace

SqliteStore::SqliteStore(std::string directory, const base::Clock& clock)
    : directory_(std::move(directory)), path_(directory_ + "/" + kFileName), clock_(clock) {}

absl::StatusOr<Statement*> SqliteStore::Connection::Prepared(const char* sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    ASSIGN_OR_RETURN(Statement statement, Statement::Prepare(*database_, sql));
    found = statements_.emplace(sql, std::move(statement)).first;
  }
  return &found->second;
}

absl::StatusOr<SqliteStore::Connection*> SqliteStore::Reader() {
  if (reader_.has_value()) return &*reader_;
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) return nullptr;
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path_, SQLITE_OPEN_READWRITE));
  ASSIGN_OR_RETURN(const int64_t version, SchemaVersionOf(*database));
  if (version == 0) return nullptr;  // Another process is just creating it.
  if (version < kSchemaVersion) RETURN_IF_ERROR(Migrate(*database));
  return &reader_.emplace(std::move(database));
}

absl::StatusOr<SqliteStore::Connection*> SqliteStore::Writer() {
  if (writer_.has_value()) return &*writer_;
  RETURN_IF_ERROR(CreateFolder(directory_));
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                   Database::Open(path_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  RETURN_IF_ERROR(database->Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"));
  RETURN_IF_ERROR(Migrate(*database));
  return &writer_.emplace(std::move(database));
}

absl::Status SqliteStore::Open() {
  base::MutexLock lock(writer_mutex_);
  ASSIGN_OR_RETURN(Connection * writer, Writer());
  // A file that exists can be opened and read without leave to write: only a transaction tells.
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(writer->database()));
  return transaction.Commit();
}

absl::StatusOr<Record> SqliteStore::GetFrom(Connection& connection, Kind kind, std::string_view name) {
  ASSIGN_OR_RETURN(Statement * statement, connection.Prepared(kGet));
  statement->Start(Number(kind), name);
  return OnlyRecord(*statement, kind, name);
}

absl::StatusOr<Record> SqliteStore::GetByRequestIdFrom(Connection& connection, Kind kind, std::string_view request_id) {
  ASSIGN_OR_RETURN(Statement * statement, connection.Prepared(kGetByRequestId));
  statement->Start(Number(kind), request_id);
  return OnlyRecord(*statement, kind, request_id);
}

absl::StatusOr<int64_t> SqliteStore::RevisionOf(Connection& connection) {
  ASSIGN_OR_RETURN(Statement * statement, connection.Prepared(kRevision));
  statement->Start();
  RETURN_IF_ERROR(statement->Step().status());
  const int64_t number = statement->Integer(0);
  statement->Reset();
  return number;
}

absl::StatusOr<store::Changes> SqliteStore::ChangesFrom(Connection& connection, const std::vector<Kind>& kinds,
                                                        int64_t version) {
  store::Changes changes;
  ASSIGN_OR_RETURN(changes.version, RevisionOf(connection));
  changes.is_all = version <= 0 || version < changes.version - kKeptRevisions;
  ASSIGN_OR_RETURN(Statement * written, connection.Prepared(kWrittenSince));
  for (const Kind kind : kinds) {
    written->Start(Number(kind), changes.is_all ? int64_t{-1} : version);
    while (true) {
      ASSIGN_OR_RETURN(const bool found, written->Step());
      if (!found) break;
      changes.written.push_back({kind, RecordOf(*written)});
    }
  }
  if (changes.is_all) return changes;
  ASSIGN_OR_RETURN(Statement * deleted, connection.Prepared(kDeletedSince));
  deleted->Start(version);
  while (true) {
    ASSIGN_OR_RETURN(const bool found, deleted->Step());
    if (!found) return changes;
    const int64_t number = deleted->Integer(1);
    const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](Kind one) { return Number(one) == number; });
    if (kind == kinds.end()) continue;
    std::string name = deleted->Bytes(0);
    // What was made anew under its name is there.
    ASSIGN_OR_RETURN(Statement * get, connection.Prepared(kGet));
    get->Start(number, name);
    ASSIGN_OR_RETURN(const bool there, get->Step());
    get->Reset();
    if (!there) changes.deleted.emplace_back(*kind, std::move(name));
  }
}

/// A transaction of the writing connection.
class SqliteStore::Writes : public store::Transaction {
 public:
  Writes(Connection& connection, const base::Clock& clock) : connection_(connection), clock_(clock) {}

  absl::StatusOr<Record> Create(Kind kind, std::string_view name, std::string_view value,
                                std::string_view request_id) override {
    absl::StatusOr<Record> earlier = GetByRequestId(kind, request_id);
    if (!absl::IsNotFound(earlier.status())) return earlier;
    const absl::Status taken = Get(kind, name).status();
    if (taken.ok()) return RecordExists(kind, name);
    if (!absl::IsNotFound(taken)) return taken;
    const absl::Time now = clock_.Now();
    return Insert({kind, {std::string(name), std::string(value), "", now, now}, std::string(request_id)});
  }
  absl::StatusOr<Record> Get(Kind kind, std::string_view name) override { return GetFrom(connection_, kind, name); }
  absl::StatusOr<Record> GetByRequestId(Kind kind, std::string_view request_id) override {
    return GetByRequestIdFrom(connection_, kind, request_id);
  }
  absl::StatusOr<Record> Update(Kind kind, std::string_view name, std::string_view etag,
                                std::string_view value) override {
    ASSIGN_OR_RETURN(Record record, Get(kind, name));
    if (!etag.empty() && etag != record.etag) return EtagChanged(kind, name, etag, record.etag);
    if (value == record.value) return record;
    record.value = std::string(value);
    record.update_time = clock_.Now();
    ASSIGN_OR_RETURN(const int64_t revision, NextRevision());
    record.etag = EtagOf(revision);
    ASSIGN_OR_RETURN(Statement * update, connection_.Prepared(kUpdate));
    update->Start(record.value, record.etag, absl::ToUnixNanos(record.update_time), revision, Number(kind), name);
    RETURN_IF_ERROR(Run(*update));
    return record;
  }
  absl::Status Delete(Kind kind, std::string_view name, std::string_view etag) override {
    ASSIGN_OR_RETURN(const Record record, Get(kind, name));
    if (!etag.empty() && etag != record.etag) return EtagChanged(kind, name, etag, record.etag);
    ASSIGN_OR_RETURN(const int64_t revision, NextRevision());
    ASSIGN_OR_RETURN(Statement * erase, connection_.Prepared(kDelete));
    erase->Start(Number(kind), name);
    RETURN_IF_ERROR(Run(*erase));
    ASSIGN_OR_RETURN(Statement * insert, connection_.Prepared(kInsertDeletion));
    insert->Start(revision, Number(kind), name);
    RETURN_IF_ERROR(Run(*insert));
    ASSIGN_OR_RETURN(Statement * forget, connection_.Prepared(kForgetDeletions));
    forget->Start(revision - kKeptRevisions);
    return Run(*forget);
  }
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<Kind>& kinds, int64_t version) override {
    return ChangesFrom(connection_, kinds, version);
  }
  absl::StatusOr<Record> Restore(const store::KeptRecord& kept) override {
    const absl::Status taken = Get(kept.kind, kept.record.name).status();
    if (taken.ok()) return RecordExists(kept.kind, kept.record.name);
    if (!absl::IsNotFound(taken)) return taken;
    return Insert(kept);
  }

 private:
  /// A record whose name is not used.
  absl::StatusOr<Record> Insert(const store::KeptRecord& kept) {
    Record record = kept.record;
    ASSIGN_OR_RETURN(const int64_t revision, NextRevision());
    record.etag = EtagOf(revision);
    ASSIGN_OR_RETURN(Statement * insert, connection_.Prepared(kInsert));
    insert->Start(Number(kept.kind), record.name, record.value, record.etag, kept.request_id,
                  absl::ToUnixNanos(record.create_time), absl::ToUnixNanos(record.update_time), revision);
    RETURN_IF_ERROR(Run(*insert));
    return record;
  }
  static std::string EtagOf(int64_t revision) { return absl::StrFormat("%x", revision); }
  absl::StatusOr<int64_t> NextRevision() {
    ASSIGN_OR_RETURN(Statement * statement, connection_.Prepared(kNextRevision));
    statement->Start();
    RETURN_IF_ERROR(Run(*statement));
    const int64_t revision = statement->Integer(0);
    statement->Reset();
    return revision;
  }

  Connection& connection_;
  const base::Clock& clock_;
};

absl::Status SqliteStore::Transact(const store::Body& body) {
  base::MutexLock lock(writer_mutex_);
  const absl::Status status = TransactWith(body);
  // What SQLite has once opened for reading alone it never writes: the next one may find the file system as it should be.
  if (base::DetailOf(status).reason == kReadOnlyReason) writer_.reset();
  return status;
}

absl::Status SqliteStore::TransactWith(const store::Body& body) {
  ASSIGN_OR_RETURN(Connection * writer, Writer());
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(writer->database()));
  Writes writes(*writer, clock_);
  RETURN_IF_ERROR(body(writes));
  return transaction.Commit();
}

absl::StatusOr<Record> SqliteStore::Get(Kind kind, std::string_view name) {
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  if (reader == nullptr) return NoSuchRecord(kind, name);
  return GetFrom(*reader, kind, name);
}

absl::StatusOr<Record> SqliteStore::GetByRequestId(Kind kind, std::string_view request_id) {
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  if (reader == nullptr) return NoSuchRecord(kind, request_id);
  return GetByRequestIdFrom(*reader, kind, request_id);
}

absl::StatusOr<store::Page> SqliteStore::List(Kind kind, const store::ListOptions& options) {
  const bool by_name = options.order == store::Order::kByName;
  const std::string scope = ListScope(kind, options.order);
  std::string after;
  int64_t before = 0;
  if (by_name) {
    ASSIGN_OR_RETURN(after, store::DecodePageToken(scope, options.page_token));
  } else {
    ASSIGN_OR_RETURN(before, store::DecodeNumberToken(scope, options.page_token, std::numeric_limits<int64_t>::max()));
  }
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  store::Page page;
  if (reader == nullptr) return page;
  ASSIGN_OR_RETURN(Statement * statement, reader->Prepared(by_name ? kListByName : kListNewestFirst));
  const int64_t limit = int64_t{options.page_size} + 1;  // One more tells whether there is a next page.
  by_name ? statement->Start(Number(kind), after, limit) : statement->Start(Number(kind), before, limit);
  int64_t last = 0;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, statement->Step());
    if (!found) return page;
    if (page.records.size() == static_cast<size_t>(options.page_size)) break;
    page.records.push_back(RecordOf(*statement));
    last = statement->Integer(kSequenceColumn);
  }
  statement->Reset();
  page.next_page_token =
      store::EncodePageToken(scope, by_name ? page.records.back().name : absl::StrFormat("%d", last));
  return page;
}

absl::StatusOr<store::Changes> SqliteStore::ChangesSince(const std::vector<Kind>& kinds, int64_t version) {
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  if (reader == nullptr) {
    store::Changes nothing;
    nothing.is_all = true;
    return nothing;
  }
  // All statements of one transaction read the same state.
  RETURN_IF_ERROR(reader->database().Execute("BEGIN"));
  absl::StatusOr<store::Changes> changes = ChangesFrom(*reader, kinds, version);
  const absl::Status end = reader->database().Execute("COMMIT");
  RETURN_IF_ERROR(end);
  return changes;
}

absl::Status SqliteStore::Export(const store::Take& take) {
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  if (reader == nullptr) return absl::OkStatus();
  // One statement reads one state.
  ASSIGN_OR_RETURN(Statement * all, reader->Prepared(kAll));
  all->Start();
  while (true) {
    ASSIGN_OR_RETURN(const bool found, all->Step());
    if (!found) return absl::OkStatus();
    const absl::Status taken =
        take({static_cast<Kind>(all->Integer(kKindColumn)), RecordOf(*all), all->Bytes(kRequestIdColumn)});
    if (taken.ok()) continue;
    all->Reset();
    return taken;
  }
}

absl::StatusOr<int64_t> SqliteStore::Version() {
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  if (reader == nullptr) return 0;
  return RevisionOf(*reader);
}

}  // namespace planner::storage
