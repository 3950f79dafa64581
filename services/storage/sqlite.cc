#include "services/storage/sqlite.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::storage {
namespace {

constexpr int kBusyMilliseconds = 5000;

/// What an error is to callers. `reason` is empty where nobody but a developer could do anything about it.
struct Meaning {
  absl::StatusCode code;
  const char* reason;
  const char* text;  ///< Where SQLite's own does not say it.
};

/// `error` is the system's, of the call that has failed.
Meaning MeaningOf(int code, int error) {
  constexpr Meaning kFull = {absl::StatusCode::kResourceExhausted, "DISK_FULL", "there is no room on the disk: "};
  constexpr Meaning kReadOnly = {absl::StatusCode::kFailedPrecondition, kReadOnlyReason, "cannot be written: "};
  constexpr Meaning kNotOurs = {absl::StatusCode::kPermissionDenied, "NO_PERMISSION", "cannot be opened: "};
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {absl::StatusCode::kUnavailable, "LOCKED", "another process holds its lock: "};
    case SQLITE_PERM:
      return kNotOurs;
    case SQLITE_READONLY:
      return kReadOnly;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return {absl::StatusCode::kDataLoss, "", ""};
    case SQLITE_FULL:
      return kFull;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      if (error == ENOSPC || error == EDQUOT || error == EFBIG) return kFull;
      if (error == EROFS) return kReadOnly;
      if ((code & 0xff) == SQLITE_CANTOPEN) return kNotOurs;
      return {absl::StatusCode::kUnavailable, "DISK_ERROR", "the disk does not work: "};
    default:
      return {absl::StatusCode::kInternal, "", ""};
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, int flags) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(path, handle));
  if (handle == nullptr) return absl::ResourceExhaustedError(absl::StrCat(path, ": out of memory"));
  if (code != SQLITE_OK) return database->ErrorOf(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  return database;
}

absl::Status Database::Execute(const char* sql) {
  errno = 0;
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : ErrorOf(code);
}

absl::Status Database::ErrorOf(int code) const {
  const int low = code & 0xff;
  // Of other errors it would be that of some call before. SQLite forgets that of a commit, but errno has it.
  int error = 0;
  if (low == SQLITE_IOERR || low == SQLITE_CANTOPEN) {
    const int now = errno;
    error = sqlite3_system_errno(handle_.get());
    if (error == 0) error = now;
  }
  const Meaning meaning = MeaningOf(code, error);
  const std::string cause = error == 0 ? "" : absl::StrCat(" error=", std::generic_category().message(error));
  const absl::Status status(meaning.code, absl::StrCat(path_, ": ", meaning.text, sqlite3_errmsg(handle_.get()), ": sqlite=", code, cause));
  return *meaning.reason == '\0' ? status : base::WithReason(status, meaning.reason);
}

absl::StatusOr<Statement> Statement::Prepare(Database& database, const char* sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(database.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return database.ErrorOf(code);
  return Statement(database, handle);
}

absl::StatusOr<bool> Statement::Step() {
  errno = 0;
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  // The message must be read before the reset that releases the locks.
  const absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : database_->ErrorOf(code);
  sqlite3_reset(handle_.get());
  RETURN_IF_ERROR(status);
  return false;
}

std::string Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(handle_.get(), column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

void Statement::Bind(int index, std::string_view value) {
  // Copied, because the caller's text may be gone when the statement runs; and never null, which "" would else be.
  const char* data = value.data() == nullptr ? "" : value.data();
  sqlite3_bind_blob64(handle_.get(), index, data, value.size(), SQLITE_TRANSIENT);
}

}  // namespace planner::storage
