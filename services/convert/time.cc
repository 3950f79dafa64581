#include "services/convert/time.h"

#include <algorithm>

namespace planner::convert {
namespace {

constexpr int64_t kMaxSeconds = 315'576'000'000;
constexpr int64_t kMinTimestamp = -62'135'596'800;  // 0001-01-01T00:00:00Z.
constexpr int64_t kMaxTimestamp = 253'402'300'799;  // 9999-12-31T23:59:59Z.

}  // namespace

google::protobuf::Duration DurationToProto(absl::Duration duration) {
  duration = std::clamp(duration, absl::Seconds(-kMaxSeconds), absl::Seconds(kMaxSeconds));
  google::protobuf::Duration proto;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));  // Of the same sign: what is left.
  return proto;
}

google::protobuf::Timestamp TimeToProto(absl::Time time) {
  time = std::clamp(time, absl::FromUnixSeconds(kMinTimestamp), absl::FromUnixSeconds(kMaxTimestamp));
  google::protobuf::Timestamp proto;
  proto.set_seconds(absl::ToUnixSeconds(time));  // Rounds down, so that nanos are never negative.
  proto.set_nanos(static_cast<int32_t>((time - absl::FromUnixSeconds(proto.seconds())) / absl::Nanoseconds(1)));
  return proto;
}

absl::Duration DurationFromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Time TimeFromProto(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

}  // namespace planner::convert
