#include "services/telemetry/measured_store.h"

namespace planner::telemetry {
namespace {

/// Whether a store has failed. All other errors are answers by its rules, or those of what was done in a transaction.
bool IsFailure(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kResourceExhausted:  // The disk is full.
    case absl::StatusCode::kPermissionDenied:
      return true;
    default:
      return false;
  }
}

absl::StatusCode CodeOf(const absl::Status& status) { return status.code(); }
template <typename Answer>
absl::StatusCode CodeOf(const absl::StatusOr<Answer>& answer) {
  return answer.status().code();
}

}  // namespace

template <typename Ask>
auto MeasuredStore::Measured(StoreProbe::Operation& operation, const Ask& ask) {
  const absl::Time start = clock_.Now();
  auto answer = ask();
  operation.duration_seconds.Observe(absl::ToDoubleSeconds(clock_.Now() - start));
  if (IsFailure(CodeOf(answer))) operation.errors_total.Increment();
  return answer;
}

absl::Status MeasuredStore::Transact(const store::Body& body) {
  return Measured(probe_.transact, [&] { return store_.Transact(body); });
}

absl::StatusOr<store::Record> MeasuredStore::Get(store::Kind kind, std::string_view name) {
  return Measured(probe_.get, [&] { return store_.Get(kind, name); });
}

absl::StatusOr<store::Record> MeasuredStore::GetByRequestId(store::Kind kind, std::string_view request_id) {
  return Measured(probe_.get_by_request_id, [&] { return store_.GetByRequestId(kind, request_id); });
}

absl::StatusOr<store::Page> MeasuredStore::List(store::Kind kind, const store::ListOptions& options) {
  return Measured(probe_.list, [&] { return store_.List(kind, options); });
}

absl::StatusOr<store::Changes> MeasuredStore::ChangesSince(const std::vector<store::Kind>& kinds, int64_t version) {
  return Measured(probe_.changes_since, [&] { return store_.ChangesSince(kinds, version); });
}

absl::StatusOr<int64_t> MeasuredStore::Version() {
  return Measured(probe_.version, [&] { return store_.Version(); });
}

}  // namespace planner::telemetry
