#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/timestamp.pb.h"

namespace planner::validate {

// What the validators are made of. Each is OK, or INVALID_ARGUMENT (reason OUT_OF_RANGE) at `field` with
// the bound and the value: "data_set.token_count: must be above 0: token_count=-5". `field` is the path in
// the request; its last segment names the value.

/// low <= value <= high.
absl::Status Between(std::string_view field, int64_t value, int64_t low, int64_t high);

/// 0 < value <= high; no NaN, no infinity.
absl::Status AboveZero(std::string_view field, double value, double high);

/// 0 <= value <= high; no NaN, no infinity.
absl::Status NotNegative(std::string_view field, double value, double high);

/// No NaN, no infinity.
absl::Status Number(std::string_view field, double value);

/// At most `bytes` of valid UTF-8 (protobuf has checked that) without control characters but new lines
/// and tabs.
absl::Status Text(std::string_view field, std::string_view value, size_t bytes);

/// A number that a proto enum does not have: `known` is what Enum_IsValid says.
absl::Status KnownEnum(std::string_view field, int number, bool known);

/// From 1970 to the end of the year 9999: what calendars can hold.
absl::Status Time(std::string_view field, const google::protobuf::Timestamp& time);

/// Both, and end_time after start_time; `field` is that of what they belong to.
absl::Status Interval(const std::string& field, const google::protobuf::Timestamp& start_time,
                      const google::protobuf::Timestamp& end_time);

}  // namespace planner::validate
