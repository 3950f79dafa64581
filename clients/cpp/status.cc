#include "clients/cpp/status.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "core/base/retry_after.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace planner::cpp {
namespace {

constexpr char kReasonUrl[] = "planner/reason";
/// Nobody waits longer for anything.
constexpr absl::Duration kLongestDelay = absl::Hours(1);

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  // Both enumerations are google.rpc.Code.
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (status.ok() || !details.ParseFromString(status.error_details())) return result;
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

absl::Duration RetryDelayOf(const absl::Status& status) { return base::RetryAfterOf(status); }

}  // namespace planner::cpp
