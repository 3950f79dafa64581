#include "core/store/store.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/condition.h"
#include "core/base/error.h"
#include "core/base/mutex.h"
#include "core/base/status_macros.h"

namespace planner::store {
namespace {

/// How often a store is asked that tells nobody of its changes: not noticed as a delay, and 20 cheap questions a second.
constexpr absl::Duration kPollInterval = absl::Milliseconds(50);

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

absl::StatusOr<int64_t> Store::WaitForChange(int64_t version, absl::Duration at_most) {
  base::Mutex mutex;
  base::Condition never;
  base::MutexLock lock(mutex);
  for (absl::Duration left = at_most;; left -= kPollInterval) {
    ASSIGN_OR_RETURN(const int64_t now, Version());
    if (now != version || left <= absl::ZeroDuration()) return now;
    never.WaitFor(mutex, std::min(left, kPollInterval));
  }
}

absl::Status Store::Import(const Source& source) {
  return Transact([&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const Changes present, transaction.ChangesSince(AllKinds(), 0));
    if (!present.written.empty()) {
      const KindRecord& one = present.written.front();
      return absl::FailedPreconditionError(absl::StrCat("the store is not empty: records=", present.written.size(), ", such as ",
                                                        Called(one.kind, one.record.name)));
    }
    return source([&](const KeptRecord& record) { return transaction.Restore(record).status(); });
  });
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

const std::vector<Kind>& AllKinds() {
  static const std::vector<Kind> kinds = {Kind::kCluster, Kind::kPlan, Kind::kReservation, Kind::kRun, Kind::kUtilization, Kind::kRunSamples};
  return kinds;
}

absl::Status NoSuchRecord(Kind kind, std::string_view name) {
  std::string reason = absl::AsciiStrToUpper(std::string(KindName(kind)));
  std::replace(reason.begin(), reason.end(), ' ', '_');
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
