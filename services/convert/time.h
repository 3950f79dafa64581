#pragma once

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace planner::convert {

/// To protobuf's times, whose range is smaller: what lies beyond becomes their bound (10,000 years; the
/// years 1 and 9999). Parts of a nanosecond are dropped.
google::protobuf::Duration DurationToProto(absl::Duration duration);
google::protobuf::Timestamp TimeToProto(absl::Time time);

absl::Duration DurationFromProto(const google::protobuf::Duration& duration);
absl::Time TimeFromProto(const google::protobuf::Timestamp& timestamp);

}  // namespace planner::convert
