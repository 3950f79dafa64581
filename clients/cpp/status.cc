#include "clients/cpp/status.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "core/base/error.h"
#include "core/base/retry_after.h"
#include "google/rpc/error_details.pb.h"

namespace planner::cpp {
namespace {

constexpr char kReasonUrl[] = "planner/reason";
constexpr char kDetailsUrl[] = "planner/details";  ///< The google.rpc.Status as it came.
/// Nobody waits longer for anything.
constexpr absl::Duration kLongestDelay = absl::Hours(1);

void AddOwnDetails(const absl::Status& status, google::rpc::Status& proto) {
  const base::ErrorDetail detail = base::DetailOf(status);
  if (!detail.reason.empty()) {
    google::rpc::ErrorInfo info;
    info.set_reason(detail.reason);
    info.set_domain("planner");
    info.mutable_metadata()->insert(detail.metadata.begin(), detail.metadata.end());
    proto.add_details()->PackFrom(info);
  }
  if (!detail.field.empty()) {
    google::rpc::BadRequest bad;
    google::rpc::BadRequest::FieldViolation& violation = *bad.add_field_violations();
    violation.set_field(detail.field);
    violation.set_description(std::string(status.message()));
    proto.add_details()->PackFrom(bad);
  }
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  // Both enumerations are google.rpc.Code.
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (status.ok() || status.error_details().empty() || !details.ParseFromString(status.error_details())) return result;
  result.SetPayload(kDetailsUrl, absl::Cord(status.error_details()));
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info)) result.SetPayload(kReasonUrl, absl::Cord(info.reason()));
    if (any.UnpackTo(&retry)) {
      const absl::Duration delay = absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
      result = base::WithRetryAfter(std::move(result), std::clamp(delay, absl::ZeroDuration(), kLongestDelay));
    }
  }
  return result;
}

std::string ReasonOf(const absl::Status& status) {
  const absl::optional<absl::Cord> reason = status.GetPayload(kReasonUrl);
  return reason.has_value() ? std::string(*reason) : "";
}

std::string MetadataOf(const absl::Status& status, const std::string& name) {
  const google::rpc::Status proto = ToProto(status);
  for (const google::protobuf::Any& any : proto.details()) {
    google::rpc::ErrorInfo info;
    if (!any.UnpackTo(&info)) continue;
    const auto found = info.metadata().find(name);
    if (found != info.metadata().end()) return found->second;
  }
  return "";
}

absl::Duration RetryDelayOf(const absl::Status& status) { return base::RetryAfterOf(status); }

google::rpc::Status ToProto(const absl::Status& status) {
  google::rpc::Status proto;
  const absl::optional<absl::Cord> details = status.GetPayload(kDetailsUrl);
  if (details.has_value()) {
    proto.ParseFromString(std::string(*details));
  } else {
    AddOwnDetails(status, proto);
  }
  proto.set_code(static_cast<int>(status.code()));
  proto.set_message(std::string(status.message()));
  return proto;
}

}  // namespace planner::cpp
