#include "services/validate/limits.h"

#include <google/protobuf/util/time_util.h>

#include <cmath>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::validate {
namespace {

using google::protobuf::util::TimeUtil;

constexpr char kOutOfRange[] = "OUT_OF_RANGE";

std::string Name(std::string_view field) {
  return std::string(field.substr(field.rfind('.') + 1));  // npos + 1 is 0: a field without a parent.
}

absl::Status Wrong(std::string_view field, std::string_view bound, const std::string& value) {
  const std::string name = Name(field);
  return base::InvalidField(field, fmt::format("{}: {}={}", bound, name, value), kOutOfRange, {{name, value}});
}

}  // namespace

absl::Status Between(std::string_view field, int64_t value, int64_t low, int64_t high) {
  if (value < low) {
    return Wrong(field, low == 1 ? "must be above 0" : fmt::format("must be at least {}", low), fmt::to_string(value));
  }
  if (value > high) return Wrong(field, fmt::format("must be at most {}", high), fmt::to_string(value));
  return absl::OkStatus();
}

absl::Status Number(std::string_view field, double value) {
  return std::isfinite(value) ? absl::OkStatus() : Wrong(field, "must be a number", fmt::to_string(value));
}

absl::Status AboveZero(std::string_view field, double value, double high) {
  RETURN_IF_ERROR(Number(field, value));
  if (value <= 0) return Wrong(field, "must be above 0", fmt::to_string(value));
  if (value > high) return Wrong(field, fmt::format("must be at most {:g}", high), fmt::to_string(value));
  return absl::OkStatus();
}

absl::Status NotNegative(std::string_view field, double value, double high) {
  if (value == 0) return absl::OkStatus();
  if (std::isfinite(value) && value < 0) return Wrong(field, "must not be negative", fmt::to_string(value));
  return AboveZero(field, value, high);
}

absl::Status Text(std::string_view field, std::string_view value, size_t bytes) {
  if (value.size() > bytes) {
    return Wrong(field, fmt::format("must be at most {} bytes", bytes), fmt::format("{} bytes", value.size()));
  }
  for (const char c : value) {
    if ((static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t') || c == '\x7f') {
      return base::InvalidField(field, fmt::format("must not have control characters: {} has byte {}", Name(field),
                                                   static_cast<int>(static_cast<unsigned char>(c))));
    }
  }
  return absl::OkStatus();
}

absl::Status KnownEnum(std::string_view field, int number, bool known) {
  if (known) return absl::OkStatus();
  return base::InvalidField(field, fmt::format("is no value of this enumeration: {}={}", Name(field), number),
                            "UNKNOWN_ENUM");
}

absl::Status Time(std::string_view field, const google::protobuf::Timestamp& time) {
  constexpr int64_t kEndOf9999 = 253'402'300'799;
  constexpr int64_t kNanosPerSecond = 1'000'000'000;
  RETURN_IF_ERROR(Between(std::string(field) + ".seconds", time.seconds(), 0, kEndOf9999));
  return Between(std::string(field) + ".nanos", time.nanos(), 0, kNanosPerSecond - 1);
}

absl::Status Interval(const std::string& field, const google::protobuf::Timestamp& start_time,
                      const google::protobuf::Timestamp& end_time) {
  RETURN_IF_ERROR(Time(field + ".start_time", start_time));
  RETURN_IF_ERROR(Time(field + ".end_time", end_time));
  if (std::pair(start_time.seconds(), start_time.nanos()) < std::pair(end_time.seconds(), end_time.nanos())) {
    return absl::OkStatus();
  }
  return base::InvalidField(field + ".end_time",
                            fmt::format("must be after start_time: {} is not after {}", TimeUtil::ToString(end_time), TimeUtil::ToString(start_time)),
                            "NEGATIVE_DURATION");
}

}  // namespace planner::validate
