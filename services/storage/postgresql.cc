#include "services/storage/postgresql.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::storage {
namespace {

// Of the server's own catalogue (pg_type): they never change.
constexpr Oid kBigint = 20;
constexpr Oid kBytea = 17;
constexpr Oid kBigintArray = 1016;

/// A server that has stopped answering, but whose machine is there, is given up after this. Longer than the timeouts in kSession.
constexpr int kAnswerMilliseconds = 15'000;

/// No statement, no wait for a lock and no transaction whose client says nothing lasts longer. So a client that is gone without a word
/// (a machine that lost its power) keeps the others waiting for no longer than this. What is acknowledged is on the disk, whatever the
/// server's configuration says.
constexpr char kSession[] =
    "SET statement_timeout = 10000; SET lock_timeout = 10000; SET idle_in_transaction_session_timeout = 10000; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// "a\n\tb\n" -> "a; b".
std::string OneLine(std::string text) {
  absl::StripAsciiWhitespace(&text);
  return absl::StrReplaceAll(text, {{"\n\t", ": "}, {"\n", "; "}});
}

std::string BigEndian(int64_t value) {
  std::string bytes(sizeof(value), '\0');
  auto rest = static_cast<uint64_t>(value);
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, rest >>= 8) *byte = static_cast<char>(rest & 0xff);
  return bytes;
}

bool IsClass(std::string_view sqlstate, std::string_view prefix) { return sqlstate.starts_with(prefix); }

/// The connection ends with it, or leads to a server that takes no writes (any more).
bool EndsConnection(std::string_view sqlstate) {
  return IsClass(sqlstate, "08") || IsClass(sqlstate, "57P") || sqlstate == "25006" || sqlstate == "25P03";
}

bool IsConflict(std::string_view sqlstate) { return sqlstate == "40001" || sqlstate == "40P01"; }

absl::StatusCode CodeOf(std::string_view sqlstate) {
  if (IsConflict(sqlstate)) return absl::StatusCode::kAborted;
  if (EndsConnection(sqlstate) || sqlstate == "57014" || sqlstate == "55P03" || sqlstate == "53300")
    return absl::StatusCode::kUnavailable;
  if (IsClass(sqlstate, "53")) return absl::StatusCode::kResourceExhausted;
  if (IsClass(sqlstate, "28") || sqlstate == "42501") return absl::StatusCode::kPermissionDenied;
  if (IsClass(sqlstate, "3D") || IsClass(sqlstate, "3F") || sqlstate == "42P01")
    return absl::StatusCode::kFailedPrecondition;
  if (IsClass(sqlstate, "XX001") || IsClass(sqlstate, "XX002")) return absl::StatusCode::kDataLoss;
  return absl::StatusCode::kInternal;
}

}  // namespace

int64_t PostgresqlResult::Integer(int row, int column) const {
  const char* bytes = PQgetvalue(handle_.get(), row, column);
  uint64_t value = 0;
  for (int i = 0; i < PQgetlength(handle_.get(), row, column); ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return static_cast<int64_t>(value);
}

std::string PostgresqlResult::Bytes(int row, int column) const {
  return {PQgetvalue(handle_.get(), row, column), static_cast<size_t>(PQgetlength(handle_.get(), row, column))};
}

PostgresqlConnection::Parameter::Parameter(int64_t value) : type(kBigint), bytes(BigEndian(value)) {}
PostgresqlConnection::Parameter::Parameter(std::string_view value) : type(kBytea), bytes(value) {}
PostgresqlConnection::Parameter::Parameter(const std::optional<std::string_view>& value)
    : type(kBytea), is_null(!value.has_value()), bytes(value.value_or("")) {}
PostgresqlConnection::Parameter::Parameter(const std::vector<int64_t>& values)
    : type(kBigintArray), is_binary(false), bytes(absl::StrCat("{", absl::StrJoin(values, ","), "}")) {}

absl::StatusOr<std::unique_ptr<PostgresqlConnection>> PostgresqlConnection::Open(const PostgresqlServer& server) {
  std::vector<const char*> names, values;
  for (const auto& [name, value] : server.options()) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  std::unique_ptr<PostgresqlConnection> connection(
      new PostgresqlConnection(server.where(), PQconnectdbParams(names.data(), values.data(), 0)));
  if (PQstatus(connection->handle_.get()) != CONNECTION_OK) {
    return connection->Lost(OneLine(PQerrorMessage(connection->handle_.get())));
  }
  // Notices are nobody's to read; libpq would print them.
  PQsetNoticeProcessor(
      connection->handle_.get(), [](void*, const char*) {}, nullptr);
  RETURN_IF_ERROR(connection->Execute(kSession));
  return connection;
}

absl::Status PostgresqlConnection::Lost(std::string_view why) {
  is_lost_ = true;
  return Keep(absl::UnavailableError(fmt::format("postgresql: cannot be reached: {}: {}", where_, why)));
}

absl::Status PostgresqlConnection::Keep(absl::Status status) {
  if (failure_.ok()) failure_ = status;
  return status;
}

void PostgresqlConnection::ClearFailure() {
  failure_ = absl::OkStatus();
  is_conflict_ = false;
  sqlstate_.clear();
}

absl::Status PostgresqlConnection::ErrorOf(const PGresult* result) {
  if (PQstatus(handle_.get()) != CONNECTION_OK) return Lost(OneLine(PQerrorMessage(handle_.get())));
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const std::string text = message != nullptr ? message : OneLine(PQerrorMessage(handle_.get()));
  if (failure_.ok()) {
    sqlstate_ = state != nullptr ? state : "";
    is_conflict_ = IsConflict(sqlstate_);
  }
  const std::string_view sqlstate = state != nullptr ? state : "";
  if (EndsConnection(sqlstate)) return Lost(text);
  const absl::Status status(CodeOf(sqlstate), fmt::format("postgresql: {}: {} sqlstate={}", text, where_, sqlstate));
  return Keep(sqlstate == "53100" ? base::WithReason(status, "DISK_FULL") : status);
}

absl::Status PostgresqlConnection::AwaitInput() {
  pollfd socket = {PQsocket(handle_.get()), POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&socket, 1, kAnswerMilliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return Lost("it does not answer");
  if (PQconsumeInput(handle_.get()) == 0) return Lost(OneLine(PQerrorMessage(handle_.get())));
  return absl::OkStatus();
}

absl::StatusOr<PostgresqlResult> PostgresqlConnection::Answer(int sent) {
  if (sent == 0) return Lost(OneLine(PQerrorMessage(handle_.get())));
  PostgresqlResult last(nullptr);
  absl::Status error;
  while (true) {
    while (PQisBusy(handle_.get()) != 0) RETURN_IF_ERROR(AwaitInput());
    PostgresqlResult result(PQgetResult(handle_.get()));
    if (result.handle() == nullptr) break;
    const ExecStatusType status = PQresultStatus(result.handle());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && error.ok()) error = ErrorOf(result.handle());
    last = std::move(result);
  }
  if (!error.ok()) return error;
  if (last.handle() == nullptr || PQstatus(handle_.get()) != CONNECTION_OK)
    return Lost(OneLine(PQerrorMessage(handle_.get())));
  return last;
}

absl::StatusOr<PostgresqlResult> PostgresqlConnection::RunPrepared(const char* sql,
                                                                   const std::vector<Parameter>& parameters) {
  if (is_lost_) return failure_.ok() ? Lost("the connection was lost") : failure_;
  std::vector<const char*> values;
  std::vector<Oid> types;
  std::vector<int> lengths, formats;
  for (const Parameter& one : parameters) {
    types.push_back(one.type);
    values.push_back(one.is_null ? nullptr : one.bytes.data());
    lengths.push_back(static_cast<int>(one.bytes.size()));
    formats.push_back(one.is_binary ? 1 : 0);
  }
  const int count = static_cast<int>(parameters.size());
  auto statement = statements_.find(sql);
  if (statement == statements_.end()) {
    const std::string name = absl::StrCat("s", statements_.size());
    RETURN_IF_ERROR(Answer(PQsendPrepare(handle_.get(), name.c_str(), sql, count, types.data())).status());
    statement = statements_.emplace(sql, name).first;
  }
  return Answer(PQsendQueryPrepared(handle_.get(), statement->second.c_str(), count, values.data(), lengths.data(),
                                    formats.data(), 1));
}

absl::Status PostgresqlConnection::Execute(const std::string& sql) {
  if (is_lost_) return failure_.ok() ? Lost("the connection was lost") : failure_;
  return Answer(PQsendQuery(handle_.get(), sql.c_str())).status();
}

absl::StatusOr<int64_t> PostgresqlConnection::ExecuteForInteger(const std::string& sql) {
  if (is_lost_) return failure_.ok() ? Lost("the connection was lost") : failure_;
  ASSIGN_OR_RETURN(const PostgresqlResult result, Answer(PQsendQuery(handle_.get(), sql.c_str())));
  int64_t number = 0;
  if (result.rows() == 1 && absl::SimpleAtoi(PQgetvalue(result.handle(), 0, 0), &number)) return number;
  return Keep(absl::DataLossError(
      absl::StrCat("postgresql: the database is not as it was made: ", where_, " rows=", result.rows())));
}

absl::StatusOr<bool> PostgresqlConnection::WaitForNotification(absl::Duration at_most) {
  const auto take_all = [&] {
    bool any = false;
    while (PGnotify* one = PQnotifies(handle_.get())) {
      any = true;
      PQfreemem(one);
    }
    return any;
  };
  if (take_all()) return true;
  pollfd socket = {PQsocket(handle_.get()), POLLIN, 0};
  const int64_t milliseconds = std::clamp<int64_t>(absl::ToInt64Milliseconds(at_most), 0, 3'600'000);
  if (poll(&socket, 1, static_cast<int>(milliseconds)) <= 0) return false;
  if (PQconsumeInput(handle_.get()) == 0) return Lost(OneLine(PQerrorMessage(handle_.get())));
  return take_all();
}

}  // namespace planner::storage
