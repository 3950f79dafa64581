#include "services/storage/sqlite_store.h"

#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
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

constexpr char kGet[] = "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND name = ?";
constexpr char kGetByRequestId[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND request_id = ? AND length(request_id) > 0";
constexpr char kListByName[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND name > ? ORDER BY name LIMIT ?";
constexpr char kListNewestFirst[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM records WHERE kind = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?";
constexpr char kInsert[] =
    "INSERT INTO records (kind, name, value, etag, request_id, create_time, update_time) VALUES (?, ?, ?, ?, ?, ?, ?)";
constexpr char kUpdate[] = "UPDATE records SET value = ?, etag = ?, update_time = ? WHERE kind = ? AND name = ?";
constexpr char kDelete[] = "DELETE FROM records WHERE kind = ? AND name = ?";
constexpr char kRevision[] = "SELECT number FROM revision";
constexpr char kNextRevision[] = "UPDATE revision SET number = number + 1 RETURNING number";

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
  return absl::PermissionDeniedError(
      absl::StrCat("state_dir: cannot be created: path=", directory, " error=", error.message()));
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

absl::StatusOr<std::string> SqliteStore::NextEtag() {
  ASSIGN_OR_RETURN(Statement * statement, writer_->Prepared(kNextRevision));
  statement->Start();
  RETURN_IF_ERROR(Run(*statement));
  std::string etag = absl::StrFormat("%x", statement->Integer(0));
  statement->Reset();
  return etag;
}

absl::StatusOr<Record> SqliteStore::Create(Kind kind, std::string_view name, std::string_view value,
                                           std::string_view request_id) {
  base::MutexLock lock(writer_mutex_);
  ASSIGN_OR_RETURN(Connection * writer, Writer());
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(writer->database()));
  ASSIGN_OR_RETURN(Statement * by_request_id, writer->Prepared(kGetByRequestId));
  by_request_id->Start(Number(kind), request_id);
  absl::StatusOr<Record> earlier = OnlyRecord(*by_request_id, kind, request_id);
  if (!absl::IsNotFound(earlier.status())) return earlier;
  ASSIGN_OR_RETURN(Statement * by_name, writer->Prepared(kGet));
  by_name->Start(Number(kind), name);
  const absl::Status taken = OnlyRecord(*by_name, kind, name).status();
  if (taken.ok()) return RecordExists(kind, name);
  if (!absl::IsNotFound(taken)) return taken;

  Record record{std::string(name), std::string(value), "", clock_.Now(), {}};
  record.update_time = record.create_time;
  ASSIGN_OR_RETURN(record.etag, NextEtag());
  const int64_t now = absl::ToUnixNanos(record.create_time);
  ASSIGN_OR_RETURN(Statement * insert, writer->Prepared(kInsert));
  insert->Start(Number(kind), name, value, record.etag, request_id, now, now);
  RETURN_IF_ERROR(Run(*insert));
  RETURN_IF_ERROR(transaction.Commit());
  return record;
}

absl::StatusOr<Record> SqliteStore::Get(Kind kind, std::string_view name) {
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  if (reader == nullptr) return NoSuchRecord(kind, name);
  ASSIGN_OR_RETURN(Statement * statement, reader->Prepared(kGet));
  statement->Start(Number(kind), name);
  return OnlyRecord(*statement, kind, name);
}

absl::StatusOr<Record> SqliteStore::GetByRequestId(Kind kind, std::string_view request_id) {
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  if (reader == nullptr) return NoSuchRecord(kind, request_id);
  ASSIGN_OR_RETURN(Statement * statement, reader->Prepared(kGetByRequestId));
  statement->Start(Number(kind), request_id);
  return OnlyRecord(*statement, kind, request_id);
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

absl::StatusOr<Record> SqliteStore::Update(Kind kind, std::string_view name, std::string_view etag,
                                           const store::Change& change) {
  base::MutexLock lock(writer_mutex_);
  ASSIGN_OR_RETURN(Connection * writer, Writer());
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(writer->database()));
  ASSIGN_OR_RETURN(Statement * get, writer->Prepared(kGet));
  get->Start(Number(kind), name);
  ASSIGN_OR_RETURN(Record record, OnlyRecord(*get, kind, name));
  if (!etag.empty() && etag != record.etag) return EtagChanged(kind, name, etag, record.etag);
  ASSIGN_OR_RETURN(std::string value, change(record));
  if (value == record.value) return record;
  record.value = std::move(value);
  record.update_time = clock_.Now();
  ASSIGN_OR_RETURN(record.etag, NextEtag());
  ASSIGN_OR_RETURN(Statement * update, writer->Prepared(kUpdate));
  update->Start(record.value, record.etag, absl::ToUnixNanos(record.update_time), Number(kind), name);
  RETURN_IF_ERROR(Run(*update));
  RETURN_IF_ERROR(transaction.Commit());
  return record;
}

absl::Status SqliteStore::Delete(Kind kind, std::string_view name, std::string_view etag) {
  // Where there is no file, a deletion must not create one.
  RETURN_IF_ERROR(Get(kind, name).status());
  base::MutexLock lock(writer_mutex_);
  ASSIGN_OR_RETURN(Connection * writer, Writer());
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(writer->database()));
  ASSIGN_OR_RETURN(Statement * get, writer->Prepared(kGet));
  get->Start(Number(kind), name);
  ASSIGN_OR_RETURN(const Record record, OnlyRecord(*get, kind, name));
  if (!etag.empty() && etag != record.etag) return EtagChanged(kind, name, etag, record.etag);
  RETURN_IF_ERROR(NextEtag().status());
  ASSIGN_OR_RETURN(Statement * erase, writer->Prepared(kDelete));
  erase->Start(Number(kind), name);
  RETURN_IF_ERROR(Run(*erase));
  return transaction.Commit();
}

absl::StatusOr<int64_t> SqliteStore::Version() {
  base::MutexLock lock(reader_mutex_);
  ASSIGN_OR_RETURN(Connection * reader, Reader());
  if (reader == nullptr) return 0;
  ASSIGN_OR_RETURN(Statement * statement, reader->Prepared(kRevision));
  statement->Start();
  RETURN_IF_ERROR(statement->Step().status());
  const int64_t number = statement->Integer(0);
  statement->Reset();
  return number;
}

}  // namespace planner::storage
