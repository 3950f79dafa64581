#include "services/storage/postgresql_store.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/store/page_token.h"

namespace planner::storage {
namespace {

using store::Kind;
using store::Record;

// What every statement that reads records gives, in this order; see RecordOf.
#define PLANNER_RECORD_COLUMNS "name, value, revision, create_time, update_time, sequence, kind"
constexpr int kSequenceColumn = 5;
constexpr int kKindColumn = 6;
constexpr int kRequestIdColumn = 7;

constexpr char kGet[] = "SELECT " PLANNER_RECORD_COLUMNS " FROM planner_records WHERE kind = $1 AND name = $2";
constexpr char kGetByRequestId[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM planner_records WHERE kind = $1 AND request_id = $2";
constexpr char kListByName[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM planner_records WHERE kind = $1 AND name > $2 ORDER BY name LIMIT $3";
constexpr char kListNewestFirst[] =
    "SELECT " PLANNER_RECORD_COLUMNS
    " FROM planner_records WHERE kind = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3";
constexpr char kDeclareAll[] = "DECLARE planner_all NO SCROLL CURSOR FOR SELECT " PLANNER_RECORD_COLUMNS
                               ", request_id FROM planner_records ORDER BY sequence";
constexpr char kFetchAll[] = "FETCH 500 FROM planner_all";
constexpr char kInsert[] =
    "INSERT INTO planner_records (kind, name, value, request_id, create_time, update_time, sequence, revision) "
    "SELECT $1, $2, $3, $4, $5, $6, $7, $7 WHERE NOT EXISTS (SELECT 1 FROM planner_records WHERE kind = $1 AND "
    "request_id = $4) "
    "ON CONFLICT (kind, name) DO NOTHING RETURNING sequence";
constexpr char kUpdate[] =
    "UPDATE planner_records SET value = $3, update_time = $4, revision = $5 WHERE kind = $1 AND name = $2";
constexpr char kDelete[] =
    "WITH gone AS (DELETE FROM planner_records WHERE kind = $1 AND name = $2 RETURNING kind, name) "
    "INSERT INTO planner_deletions (revision, kind, name) SELECT $3, kind, name FROM gone";
constexpr char kWrittenSince[] =
    "SELECT " PLANNER_RECORD_COLUMNS " FROM planner_records WHERE kind = ANY ($1) AND revision > $2 ORDER BY revision";
// What was made anew under its name is there.
constexpr char kDeletedSince[] =
    "SELECT kind, name FROM planner_deletions WHERE revision > $2 AND kind = ANY ($1) AND NOT EXISTS (SELECT 1 FROM "
    "planner_records "
    "WHERE planner_records.kind = planner_deletions.kind AND planner_records.name = planner_deletions.name) "
    "GROUP BY kind, name ORDER BY max(revision)";
constexpr char kRevision[] = "SELECT number FROM planner_revision WHERE id = 1";
constexpr char kKeptRevision[] = "SELECT revision FROM planner_writers WHERE id = $1";
// The serial order of rule 11 comes from the lock alone: each statement after it sees everything that is committed, and with a higher
// level the wait for the lock would end in a serialization failure instead.
constexpr char kBegin[] =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT number FROM planner_revision WHERE id = 1 FOR UPDATE";
constexpr char kBeginSnapshot[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr char kNotify[] = "SELECT pg_notify('planner_changes', '')";
constexpr char kListen[] = "LISTEN planner_changes";

/// Revisions for which deletions are kept: whoever asks for changes since an older one is told everything.
constexpr int64_t kKeptRevisions = 100'000;
/// How often what is older is cleared away, in revisions.
constexpr int64_t kForgetEvery = 1000;

int64_t Number(Kind kind) { return static_cast<int64_t>(kind); }

std::vector<int64_t> Numbers(const std::vector<Kind>& kinds) {
  std::vector<int64_t> numbers;
  for (const Kind kind : kinds) numbers.push_back(Number(kind));
  return numbers;
}

std::string EtagOf(int64_t revision) { return absl::StrFormat("%x", revision); }

Record RecordOf(const PostgresqlResult& result, int row) {
  return {result.Bytes(row, 0), result.Bytes(row, 1), EtagOf(result.Integer(row, 2)),
          absl::FromUnixNanos(result.Integer(row, 3)), absl::FromUnixNanos(result.Integer(row, 4))};
}

absl::StatusOr<Record> OnlyRecord(const absl::StatusOr<PostgresqlResult>& result, Kind kind, std::string_view name) {
  RETURN_IF_ERROR(result.status());
  if (result->rows() == 0) return NoSuchRecord(kind, name);
  return RecordOf(*result, 0);
}

absl::StatusOr<Record> GetFrom(PostgresqlConnection& connection, Kind kind, std::string_view name) {
  return OnlyRecord(connection.Run(kGet, Number(kind), name), kind, name);
}

absl::StatusOr<Record> GetByRequestIdFrom(PostgresqlConnection& connection, Kind kind, std::string_view request_id) {
  if (request_id.empty()) return NoSuchRecord(kind, request_id);
  return OnlyRecord(connection.Run(kGetByRequestId, Number(kind), request_id), kind, request_id);
}

absl::StatusOr<int64_t> RevisionOf(PostgresqlConnection& connection) {
  ASSIGN_OR_RETURN(const PostgresqlResult result, connection.Run(kRevision));
  if (result.rows() != 1) return absl::DataLossError("postgresql: planner_revision must have one row");
  return result.Integer(0, 0);
}

/// `now` is the revision as it is.
absl::StatusOr<store::Changes> ChangesFrom(PostgresqlConnection& connection, const std::vector<Kind>& kinds,
                                           int64_t version, int64_t now) {
  store::Changes changes;
  changes.version = now;
  changes.is_all = version <= 0 || version < now - kKeptRevisions;
  const std::vector<int64_t> numbers = Numbers(kinds);
  ASSIGN_OR_RETURN(const PostgresqlResult written,
                   connection.Run(kWrittenSince, numbers, changes.is_all ? int64_t{0} : version));
  for (int row = 0; row < written.rows(); ++row) {
    changes.written.push_back({static_cast<Kind>(written.Integer(row, kKindColumn)), RecordOf(written, row)});
  }
  if (changes.is_all) return changes;
  ASSIGN_OR_RETURN(const PostgresqlResult deleted, connection.Run(kDeletedSince, numbers, version));
  for (int row = 0; row < deleted.rows(); ++row) {
    changes.deleted.emplace_back(static_cast<Kind>(deleted.Integer(row, 0)), deleted.Bytes(row, 1));
  }
  return changes;
}

/// What several statements read of one moment.
template <typename Result>
absl::StatusOr<Result> InSnapshot(PostgresqlConnection& connection,
                                  const std::function<absl::StatusOr<Result>()>& read) {
  RETURN_IF_ERROR(connection.Execute(kBeginSnapshot));
  absl::StatusOr<Result> result = read();
  if (!connection.is_lost()) {
    const absl::Status end = connection.Execute("ROLLBACK");
    if (result.ok()) RETURN_IF_ERROR(end);
  }
  return result;
}

/// 16 random bytes.
std::string RandomId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 16; ++i) id.push_back(static_cast<char>(random() & 0xff));
  return id;
}

}  // namespace

/// A transaction of the writing connection, with the lock.
class PostgresqlStore::Writes : public store::Transaction {
 public:
  Writes(PostgresqlConnection& connection, const base::Clock& clock, int64_t revision)
      : connection_(connection), clock_(clock), first_revision_(revision), revision_(revision) {}

  int64_t revision() const { return revision_; }
  bool has_written() const { return revision_ != first_revision_; }
  /// Whether it is this transaction's turn to clear away what is old.
  bool forgets() const { return first_revision_ / kForgetEvery != revision_ / kForgetEvery; }

  absl::StatusOr<Record> Create(Kind kind, std::string_view name, std::string_view value,
                                std::string_view request_id) override {
    const absl::Time now = clock_.Now();
    // One statement where nothing stands against it, which is what costs a booking its time.
    absl::StatusOr<Record> record =
        Restore({kind, {std::string(name), std::string(value), "", now, now}, std::string(request_id)});
    if (!absl::IsAlreadyExists(record.status())) return record;
    absl::StatusOr<Record> earlier = GetByRequestId(kind, request_id);
    return absl::IsNotFound(earlier.status()) ? record : earlier;
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
    record.etag = EtagOf(++revision_);
    RETURN_IF_ERROR(
        connection_.Run(kUpdate, Number(kind), name, value, absl::ToUnixNanos(record.update_time), revision_).status());
    return record;
  }
  absl::Status Delete(Kind kind, std::string_view name, std::string_view etag) override {
    ASSIGN_OR_RETURN(const Record record, Get(kind, name));
    if (!etag.empty() && etag != record.etag) return EtagChanged(kind, name, etag, record.etag);
    return connection_.Run(kDelete, Number(kind), name, ++revision_).status();
  }
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<Kind>& kinds, int64_t version) override {
    return ChangesFrom(connection_, kinds, version, revision_);
  }
  absl::StatusOr<Record> Restore(const store::KeptRecord& kept) override {
    Record record = kept.record;
    const auto request_id = kept.request_id.empty() ? std::nullopt : std::optional<std::string_view>(kept.request_id);
    ASSIGN_OR_RETURN(const PostgresqlResult made,
                     connection_.Run(kInsert, Number(kept.kind), std::string_view(record.name),
                                     std::string_view(record.value), request_id, absl::ToUnixNanos(record.create_time),
                                     absl::ToUnixNanos(record.update_time), revision_ + 1));
    if (made.rows() == 0) return RecordExists(kept.kind, record.name);
    record.etag = EtagOf(++revision_);
    return record;
  }

 private:
  PostgresqlConnection& connection_;
  const base::Clock& clock_;
  const int64_t first_revision_;
  int64_t revision_;
};

PostgresqlStore::PostgresqlStore(PostgresqlServer server, const base::Clock& clock, PostgresqlOptions options)
    : clock_(clock), id_(RandomId()), connections_(std::move(server), options.patience) {}

absl::Status PostgresqlStore::Open() {
  // A transaction tells whether it may be written, too.
  return Transact([](store::Transaction&) { return absl::OkStatus(); });
}

absl::StatusOr<int64_t> PostgresqlStore::Begin() {
  if (writer_ == nullptr) {
    ASSIGN_OR_RETURN(writer_, connections_.Open());
    notifies_ = writer_->Execute(kNotify).ok();
    if (writer_->is_lost()) return writer_->failure();
  }
  writer_->ClearFailure();
  return writer_->ExecuteForInteger(kBegin);
}

absl::Status PostgresqlStore::End(const Writes* writes) {
  if (writes == nullptr || !writes->has_written()) return writer_->Execute("ROLLBACK");
  const int64_t revision = writes->revision();
  const std::string id = absl::StrCat("'\\x", absl::BytesToHexString(id_), "'");
  std::string sql = absl::StrCat("UPDATE planner_revision SET number = ", revision, " WHERE id = 1; ",
                                 "INSERT INTO planner_writers (id, revision) VALUES (", id, ", ", revision,
                                 ") ON CONFLICT (id) DO UPDATE SET revision = excluded.revision; ");
  if (writes->forgets()) {
    for (const char* table : {"planner_deletions", "planner_writers"}) {
      absl::StrAppend(&sql, "DELETE FROM ", table, " WHERE revision <= ", revision - kKeptRevisions, "; ");
    }
  }
  if (notifies_) absl::StrAppend(&sql, kNotify, "; ");
  return writer_->Execute(sql + "COMMIT");
}

absl::StatusOr<bool> PostgresqlStore::WasKept(int64_t revision) {
  ASSIGN_OR_RETURN(const PostgresqlResult kept, writer_->Run(kKeptRevision, std::string_view(id_)));
  return kept.rows() == 1 && kept.Integer(0, 0) == revision;
}

PostgresqlStore::Outcome PostgresqlStore::TryTransact(const store::Body& body, int64_t& in_doubt,
                                                      absl::Status& status) {
  const absl::StatusOr<int64_t> revision = Begin();
  status = revision.status();
  if (status.ok() && in_doubt != 0) {
    // With the lock: the transaction in doubt has come to its end.
    const absl::StatusOr<bool> was_kept = WasKept(in_doubt);
    status = was_kept.status();
    if (status.ok()) {
      in_doubt = 0;
      if (*was_kept) {
        End(nullptr).IgnoreError();
        return Outcome::kDone;
      }
    }
  }
  if (status.ok()) {
    Writes writes(*writer_, clock_, *revision);
    status = body(writes);
    // What the database has refused, whatever the body makes of it, has ended the transaction.
    const bool is_kept = status.ok() && writer_->failure().ok();
    if (!writer_->failure().ok()) status = writer_->failure();
    if (is_kept) {
      status = End(&writes);
      if (!status.ok() && writer_->is_lost() && writes.has_written()) in_doubt = writes.revision();
    }
    if (status.ok()) return Outcome::kDone;
  }
  const bool is_lost = writer_ == nullptr || writer_->is_lost();
  const bool is_conflict = !is_lost && writer_->is_conflict();
  // After an error the connection goes on only if the transaction is known to be over.
  if (is_lost || !writer_->Execute("ROLLBACK").ok()) writer_ = nullptr;
  return (is_lost && absl::IsUnavailable(status)) || is_conflict ? Outcome::kTryAgain : Outcome::kDone;
}

absl::Status PostgresqlStore::Transact(const store::Body& body) {
  base::MutexLock lock(writer_mutex_);
  int64_t in_doubt = 0;
  absl::Status status;
  // A connection that nobody has used for a while may have been lost long ago.
  bool was_used = writer_ != nullptr;
  while (TryTransact(body, in_doubt, status) == Outcome::kTryAgain) {
    if (std::exchange(was_used, false) || connections_.ShouldTryAgain()) continue;
    status = absl::UnavailableError(status.message());
    break;
  }
  if (status.ok()) connections_.Found();
  if (status.ok() || in_doubt == 0) return status;
  return absl::UnavailableError(absl::StrCat(
      std::string(status.message()), "; whether the write was kept is not known: ask again with the same request_id"));
}

absl::StatusOr<Record> PostgresqlStore::Get(Kind kind, std::string_view name) {
  return connections_.Read<Record>([&](PostgresqlConnection& connection) { return GetFrom(connection, kind, name); });
}

absl::StatusOr<Record> PostgresqlStore::GetByRequestId(Kind kind, std::string_view request_id) {
  return connections_.Read<Record>(
      [&](PostgresqlConnection& connection) { return GetByRequestIdFrom(connection, kind, request_id); });
}

absl::StatusOr<store::Page> PostgresqlStore::List(Kind kind, const store::ListOptions& options) {
  const bool by_name = options.order == store::Order::kByName;
  const std::string scope = ListScope(kind, options.order);
  std::string after;
  int64_t before = 0;
  if (by_name) {
    ASSIGN_OR_RETURN(after, store::DecodePageToken(scope, options.page_token));
  } else {
    ASSIGN_OR_RETURN(before, store::DecodeNumberToken(scope, options.page_token, std::numeric_limits<int64_t>::max()));
  }
  return connections_.Read<store::Page>([&](PostgresqlConnection& connection) -> absl::StatusOr<store::Page> {
    const int64_t limit = int64_t{options.page_size} + 1;  // One more tells whether there is a next page.
    ASSIGN_OR_RETURN(const PostgresqlResult result,
                     by_name ? connection.Run(kListByName, Number(kind), std::string_view(after), limit)
                             : connection.Run(kListNewestFirst, Number(kind), before, limit));
    store::Page page;
    const int count = std::min(result.rows(), options.page_size);
    for (int row = 0; row < count; ++row) page.records.push_back(RecordOf(result, row));
    if (result.rows() <= options.page_size) return page;
    page.next_page_token = store::EncodePageToken(
        scope, by_name ? page.records.back().name : absl::StrFormat("%d", result.Integer(count - 1, kSequenceColumn)));
    return page;
  });
}

absl::StatusOr<store::Changes> PostgresqlStore::ChangesSince(const std::vector<Kind>& kinds, int64_t version) {
  return connections_.Read<store::Changes>([&](PostgresqlConnection& connection) {
    return InSnapshot<store::Changes>(connection, [&]() -> absl::StatusOr<store::Changes> {
      ASSIGN_OR_RETURN(const int64_t now, RevisionOf(connection));
      return ChangesFrom(connection, kinds, version, now);
    });
  });
}

absl::StatusOr<int64_t> PostgresqlStore::Version() {
  return connections_.Read<int64_t>([](PostgresqlConnection& connection) { return RevisionOf(connection); });
}

absl::Status PostgresqlStore::Export(const store::Take& take) {
  // Not done again where the connection is lost: some records have been handed out.
  ASSIGN_OR_RETURN(const std::unique_ptr<PostgresqlConnection> connection, connections_.Open());
  RETURN_IF_ERROR(connection->Execute(absl::StrCat(kBeginSnapshot, "; ", kDeclareAll)));
  while (true) {
    ASSIGN_OR_RETURN(const PostgresqlResult page, connection->Run(kFetchAll));
    if (page.rows() == 0) return absl::OkStatus();
    for (int row = 0; row < page.rows(); ++row) {
      const auto kind = static_cast<Kind>(page.Integer(row, kKindColumn));
      RETURN_IF_ERROR(take({kind, RecordOf(page, row), page.Bytes(row, kRequestIdColumn)}));
    }
  }
}

absl::StatusOr<int64_t> PostgresqlStore::WaitForChange(int64_t version, absl::Duration at_most) {
  {
    base::MutexLock lock(listener_mutex_);
    if (listens_) {
      absl::StatusOr<int64_t> now = Listen(version, at_most);
      if (listener_ != nullptr && listener_->is_lost()) listener_ = nullptr;
      if (listens_) return now;
    }
  }
  return Store::WaitForChange(version, at_most);
}

absl::StatusOr<int64_t> PostgresqlStore::Listen(int64_t version, absl::Duration at_most) {
  if (listener_ == nullptr) {
    ASSIGN_OR_RETURN(listener_, connections_.Open());
    listener_->Execute(kListen).IgnoreError();
    if (listener_->is_lost()) return listener_->failure();
    listens_ = listener_->failure().ok();
    if (!listens_) return version;
  }
  listener_->ClearFailure();
  ASSIGN_OR_RETURN(const int64_t before, RevisionOf(*listener_));
  if (before != version) return before;
  ASSIGN_OR_RETURN(const bool is_told, listener_->WaitForNotification(at_most));
  return is_told ? RevisionOf(*listener_) : version;
}

}  // namespace planner::storage
