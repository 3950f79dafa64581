#include "core/store/store.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::store {
namespace {

std::string Called(Kind kind, std::string_view name) {
  return std::string(KindName(kind)) + " \"" + std::string(name) + "\"";
}

}  // namespace

absl::StatusOr<Record> Store::Create(Kind kind, std::string_view name, std::string_view value,
                                     std::string_view request_id) {
  Record record;
  RETURN_IF_ERROR(Transact([&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(record, transaction.Create(kind, name, value, request_id));
    return absl::OkStatus();
  }));
  return record;
}

absl::StatusOr<Record> Store::Update(Kind kind, std::string_view name, std::string_view etag, const Change& change) {
  Record record;
  RETURN_IF_ERROR(Transact([&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(record, transaction.Get(kind, name));
    if (!etag.empty() && etag != record.etag) return EtagChanged(kind, name, etag, record.etag);
    ASSIGN_OR_RETURN(const std::string value, change(record));
    ASSIGN_OR_RETURN(record, transaction.Update(kind, name, etag, value));
    return absl::OkStatus();
  }));
  return record;
}

absl::Status Store::Delete(Kind kind, std::string_view name, std::string_view etag) {
  // Where nothing is kept yet, a deletion must not begin to keep something.
  RETURN_IF_ERROR(Get(kind, name).status());
  return Transact([&](Transaction& transaction) { return transaction.Delete(kind, name, etag); });
}

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kCluster:
      return "cluster";
    case Kind::kPlan:
      return "plan";
    case Kind::kReservation:
      return "reservation";
    case Kind::kRun:
      return "run";
    case Kind::kRunSamples:
      return "run samples";
    case Kind::kUtilization:
      break;
  }
  return "utilization";
}

absl::Status NoSuchRecord(Kind kind, std::string_view name) {
  const std::string reason = absl::AsciiStrToUpper(std::string(KindName(kind)));
  return base::NotFound("name", "there is no " + Called(kind, name), "UNKNOWN_" + reason);
}

absl::Status RecordExists(Kind kind, std::string_view name) {
  return absl::AlreadyExistsError("name: there is already a " + Called(kind, name));
}

absl::Status EtagChanged(Kind kind, std::string_view name, std::string_view given, std::string_view current) {
  return absl::AbortedError("etag: " + Called(kind, name) + " has changed since it was read: etag=" +
                            std::string(given) + " current=" + std::string(current));
}

}  // namespace planner::store
