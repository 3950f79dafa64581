#include "services/storage/backup.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/new_file.h"
#include "core/base/sha256.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::storage {
namespace {

using nlohmann::json;
using store::KeptRecord;
using store::Kind;

constexpr char kFormat[] = "planner-backup";
constexpr int64_t kFormatVersion = 1;

absl::Status Unreadable(const std::string& path, int error) {
  const std::string text = absl::StrCat("restore: ", path, ": ", std::strerror(error));
  if (error == ENOENT) return absl::NotFoundError(text);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(text);
  return absl::InternalError(text);
}

/// What is wrong with the file that is written.
absl::Status Unwritable(const absl::Status& status) {
  return {status.code(), absl::StrCat("backup: ", status.message())};
}

absl::StatusOr<std::string> LineOf(const KeptRecord& kept) {
  const json line = {{"kind", KindName(kept.kind)},
                     {"name", kept.record.name},
                     {"request_id", kept.request_id},
                     {"create_time", absl::ToUnixNanos(kept.record.create_time)},
                     {"update_time", absl::ToUnixNanos(kept.record.update_time)},
                     {"value", absl::Base64Escape(kept.record.value)}};
  try {
    return line.dump() + "\n";
  } catch (const json::exception&) {
    return absl::DataLossError(fmt::format("backup: a name or a request id is no UTF-8: {} \"{}\"", KindName(kept.kind),
                                           absl::CHexEscape(kept.record.name)));
  }
}

/// Reads a backup line by line and checks it as it goes.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), file_(path, std::ios::binary) {}

  absl::Status Read(const store::Take& take) {
    struct stat info = {};
    if (!file_.is_open() || stat(path_.c_str(), &info) != 0) return Unreadable(path_, errno != 0 ? errno : ENOENT);
    if (S_ISDIR(info.st_mode)) return Unreadable(path_, EISDIR);
    RETURN_IF_ERROR(ReadHead());
    while (true) {
      ASSIGN_OR_RETURN(const json line, NextLine());
      if (line.contains("records")) return CheckEnd(line);
      ASSIGN_OR_RETURN(const KeptRecord record, RecordOf(line));
      RETURN_IF_ERROR(take(record));
      ++count_;
    }
  }
  int64_t count() const { return count_; }

 private:
  absl::Status Damaged(std::string_view why) const {
    return absl::DataLossError(fmt::format("restore: {}:{}: {}", path_, number_, why));
  }

  absl::StatusOr<json> NextLine() {
    std::string text;
    ++number_;
    if (!std::getline(file_, text)) return Damaged("the file ends too early");
    json line = json::parse(text, nullptr, false);
    if (!line.is_object()) return Damaged("is no line of a backup");
    if (!line.contains("records")) digest_.Update(text + "\n");
    return line;
  }

  absl::Status ReadHead() {
    ASSIGN_OR_RETURN(const json head, NextLine());
    if (head.value("format", json()) != kFormat || !head.value("version", json()).is_number_integer())
      return Damaged("is no backup of Planner");
    if (head["version"] <= kFormatVersion) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("restore: ", path_, ": was written by a newer version: format=",
                                                      head["version"].dump(), " supported=", kFormatVersion));
  }

  absl::Status CheckEnd(const json& end) {
    if (end.value("records", json()) != count_ || end.value("sha256", json()) != digest_.Finish())
      return Damaged("the file was changed");
    if (file_.peek() != std::ifstream::traits_type::eof()) return Damaged("something follows the end");
    return absl::OkStatus();
  }

  absl::StatusOr<KeptRecord> RecordOf(const json& line) const {
    for (const char* text : {"kind", "name", "request_id", "value"}) {
      if (!line.value(text, json()).is_string()) return Damaged(absl::StrCat(text, " is missing or no text"));
    }
    for (const char* time : {"create_time", "update_time"}) {
      if (!line.value(time, json()).is_number_integer())
        return Damaged(absl::StrCat(time, " is missing or no whole number"));
    }
    KeptRecord kept;
    bool is_known = false;
    for (const Kind kind : store::AllKinds()) {
      if (KindName(kind) != line["kind"].get<std::string>()) continue;
      kept.kind = kind;
      is_known = true;
    }
    if (!is_known) return Damaged("the kind of record is unknown");
    kept.request_id = line["request_id"];
    kept.record.name = line["name"];
    kept.record.create_time = absl::FromUnixNanos(line["create_time"].get<int64_t>());
    kept.record.update_time = absl::FromUnixNanos(line["update_time"].get<int64_t>());
    if (!absl::Base64Unescape(line["value"].get<std::string>(), &kept.record.value))
      return Damaged("value is no base64");
    return kept;
  }

  const std::string path_;
  std::ifstream file_;
  base::Sha256 digest_;
  int64_t number_ = 0;
  int64_t count_ = 0;
};

}  // namespace

absl::StatusOr<int64_t> WriteBackup(store::Store& store, const std::string& path) {
  absl::StatusOr<base::NewFile> file = base::NewFile::Create(path, S_IRUSR | S_IWUSR);
  if (!file.ok()) return Unwritable(file.status());
  base::Sha256 digest;
  int64_t count = 0;
  const auto write = [&](const std::string& line) -> absl::Status {
    digest.Update(line);
    const absl::Status status = file->Write(line);
    return status.ok() ? status : Unwritable(status);
  };
  RETURN_IF_ERROR(write(json{{"format", kFormat}, {"version", kFormatVersion}}.dump() + "\n"));
  RETURN_IF_ERROR(store.Export([&](const KeptRecord& kept) -> absl::Status {
    ++count;
    ASSIGN_OR_RETURN(const std::string line, LineOf(kept));
    return write(line);
  }));
  if (count == 0) return absl::FailedPreconditionError("backup: there is no record to write");
  absl::Status status = file->Write(json{{"records", count}, {"sha256", digest.Finish()}}.dump() + "\n");
  if (status.ok()) status = file->Finish();
  if (!status.ok()) return Unwritable(status);
  return count;
}

absl::StatusOr<int64_t> RestoreBackup(store::Store& store, const std::string& path) {
  int64_t count = 0;
  const absl::Status status = store.Import([&](const store::Take& take) -> absl::Status {
    Reader reader(path);
    RETURN_IF_ERROR(reader.Read(take));
    count = reader.count();
    return absl::OkStatus();
  });
  RETURN_IF_ERROR(status);
  return count;
}

}  // namespace planner::storage
