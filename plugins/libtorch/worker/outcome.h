#pragma once

#include "absl/time/time.h"
#include "planner/plugin/v1/counter_plugin.pb.h"
#include "plugins/libtorch/worker/zygote_client.h"

namespace planner::libtorch {

/// A CountError.
plugin::v1::CountResponse Error(int code, std::string_view reason, std::string_view message, std::string_view field = "");

// Of google.rpc.Code.
inline constexpr int kInvalidArgument = 3;
inline constexpr int kCancelled = 1;
inline constexpr int kDeadlineExceeded = 4;
inline constexpr int kNotFound = 5;
inline constexpr int kResourceExhausted = 8;
inline constexpr int kUnimplemented = 12;
inline constexpr int kInternal = 13;

/// The answer of a worker, or what its end means for the caller: MODEL_CRASHED_COUNTER with the signal, DEADLINE_EXCEEDED,
/// MODEL_NEEDS_TOO_MUCH_MEMORY, … `allowed` is the time that it had, `job` its limits.
plugin::v1::CountResponse AnswerOf(const WorkerOutcome& outcome, const JobHeader& job, absl::Duration allowed);

}  // namespace planner::libtorch
