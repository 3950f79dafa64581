#include <cmath>

#include "absl/time/time.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/validate/limits.h"
#include "services/validate/requests.h"

namespace planner::validate {
namespace {

constexpr absl::Duration kMostAhead = absl::Minutes(1);
constexpr absl::Duration kOldest = absl::Hours(24);
constexpr double kMostWatts = 1e6;
constexpr int64_t kMostBytes = int64_t{1} << 50;

absl::Status Ratio(const std::string& field, double value) {
  if (value >= 0 && value <= 1) return absl::OkStatus();
  return base::InvalidField(field, "must be 0 to 1: " + (std::isnan(value) ? "NaN" : fmt::to_string(value)),
                            "OUT_OF_RANGE");
}

std::string Text(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

absl::Status SampleTime(const std::string& field, const google::protobuf::Timestamp& proto, absl::Time now) {
  RETURN_IF_ERROR(validate::Time(field, proto));
  const absl::Time time = absl::FromUnixSeconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
  if (time > now + kMostAhead) {
    return base::InvalidField(field, fmt::format("is in the future: {} at {}", Text(time), Text(now)), "IN_THE_FUTURE");
  }
  if (time < now - kOldest) {
    return base::InvalidField(field, fmt::format("is more than a day ago: {} at {}", Text(time), Text(now)), "TOO_OLD");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateSample(const std::string& field, const v1::UtilizationSample& sample, absl::Time now) {
  if (sample.node().empty()) return base::InvalidField(field + ".node", "is missing");
  RETURN_IF_ERROR(validate::Text(field + ".node", sample.node(), kMaxNameBytes));
  if (!sample.has_time()) return base::InvalidField(field + ".time", "is missing");
  RETURN_IF_ERROR(SampleTime(field + ".time", sample.time(), now));
  if (sample.has_busy_ratio()) RETURN_IF_ERROR(Ratio(field + ".busy_ratio", sample.busy_ratio()));
  if (sample.has_tensor_active_ratio())
    RETURN_IF_ERROR(Ratio(field + ".tensor_active_ratio", sample.tensor_active_ratio()));
  if (sample.has_memory_active_ratio())
    RETURN_IF_ERROR(Ratio(field + ".memory_active_ratio", sample.memory_active_ratio()));
  if (sample.has_memory_used_bytes()) {
    RETURN_IF_ERROR(Between(field + ".memory_used_bytes", sample.memory_used_bytes(), 0, kMostBytes));
  }
  if (sample.has_power_watts()) RETURN_IF_ERROR(NotNegative(field + ".power_watts", sample.power_watts(), kMostWatts));
  if (!sample.has_busy_ratio() && !sample.has_tensor_active_ratio() && !sample.has_memory_active_ratio() &&
      !sample.has_memory_used_bytes() && !sample.has_power_watts()) {
    return base::InvalidField(field, "has no measurement");
  }
  return absl::OkStatus();
}

absl::Status Validate(const v1::GetUtilizationRequest& request) {
  RETURN_IF_ERROR(ClusterId("cluster", request.cluster()).status());
  if (!request.node_pool().empty()) RETURN_IF_ERROR(ClusterId("node_pool", request.node_pool()).status());
  if (request.has_start_time()) RETURN_IF_ERROR(Time("start_time", request.start_time()));
  if (request.has_end_time()) RETURN_IF_ERROR(Time("end_time", request.end_time()));
  return absl::OkStatus();
}

}  // namespace planner::validate
