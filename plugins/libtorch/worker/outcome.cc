#include "plugins/libtorch/worker/outcome.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace planner::libtorch {
namespace {

using plugin::v1::CountResponse;

constexpr size_t kMaxMessageBytes = 64 << 10;

std::string SignalName(int number) {
  const char* name = sigabbrev_np(number);
  return name == nullptr ? absl::StrCat("signal ", number) : absl::StrCat("SIG", name);
}

const char* StageName(Stage stage) {
  switch (stage) {
    case Stage::kStarting:
      return "its worker was starting";
    case Stage::kChecking:
      return "its file was being checked";
    case Stage::kCounting:
      return "it was being loaded and run";
    case Stage::kReplying:
      return "its count was being answered";
  }
  return "";
}

CountResponse OutOfMemory(const JobHeader& job) {
  return Error(kResourceExhausted, "MODEL_NEEDS_TOO_MUCH_MEMORY",
               absl::StrCat("the model needs more memory than it may have: limit_bytes=", job.memory_bytes));
}

CountResponse Crashed(const JobReport& report, const std::string& how) {
  return Error(kInvalidArgument, "MODEL_CRASHED_COUNTER",
               absl::StrCat("the model crashed its counter while ", StageName(report.stage), ": ", how));
}

/// torch's and the library's words for memory that was refused.
bool SpeaksOfMemory(const std::string& message) {
  return absl::StrContains(message, "can't allocate memory") || absl::StrContains(message, "not enough memory") ||
         absl::StrContains(message, "bad_alloc");
}

}  // namespace

CountResponse Error(int code, std::string_view reason, std::string_view message, std::string_view field) {
  CountResponse response;
  plugin::v1::CountError& error = *response.mutable_error();
  error.set_code(code);
  error.set_reason(std::string(reason));
  error.set_message(std::string(message));
  error.set_field(std::string(field));
  return response;
}

CountResponse AnswerOf(const WorkerOutcome& outcome, const JobHeader& job, absl::Duration allowed) {
  const JobReport& report = outcome.report;
  switch (report.outcome) {
    case JobReport::Outcome::kBusy:
      return Error(kResourceExhausted, "COUNTER_BUSY", "the counter has as many models at work as it may have");
    case JobReport::Outcome::kForkFailed:
      return Error(kResourceExhausted, "COUNTER_BUSY", "no process could be started for the model");
    case JobReport::Outcome::kDeadline:
      return Error(
          kDeadlineExceeded, "DEADLINE_EXCEEDED",
          absl::StrCat("the deadline passed while ", StageName(report.stage), ", after ", absl::FormatDuration(allowed),
                       ": the model has a loop without an end, or needs more time"));
    case JobReport::Outcome::kEnded:
      break;
  }
  if (outcome.too_long) {
    return Error(kResourceExhausted, "COUNT_TOO_LARGE",
                 absl::StrCat("the count is too large to be answered: limit_bytes=", job.max_reply_bytes));
  }
  const double cpu_seconds = static_cast<double>(report.cpu_microseconds) * 1e-6;
  if (WIFSIGNALED(report.wait_status)) {
    const int number = WTERMSIG(report.wait_status);
    if (number == SIGXCPU ||
        (number == SIGKILL && job.cpu_seconds > 0 && cpu_seconds > static_cast<double>(job.cpu_seconds))) {
      return Error(kDeadlineExceeded, "DEADLINE_EXCEEDED",
                   absl::StrCat("the model used up its processor time while ", StageName(report.stage),
                                ": seconds=", cpu_seconds));
    }
    if (report.out_of_memory) return OutOfMemory(job);
    if (number == SIGSYS) return Crashed(report, "SIGSYS, as it made a forbidden system call");
    if (number == SIGKILL) return Crashed(report, "SIGKILL from outside, as the kernel does where memory runs out");
    return Crashed(report, absl::StrCat(SignalName(number), " (", strsignal(number), ")"));
  }
  if (report.out_of_memory && outcome.reply.empty()) return OutOfMemory(job);
  if (WEXITSTATUS(report.wait_status) != 0) {
    return Crashed(report, absl::StrCat("exit code ", WEXITSTATUS(report.wait_status)));
  }
  // From a process that ran a stranger's code: anything may be in it.
  CountResponse response;
  const std::string_view answer =
      std::string_view(outcome.reply).substr(std::min(sizeof(ReplyHeader), outcome.reply.size()));
  if (!response.ParseFromArray(answer.data(), static_cast<int>(answer.size())) ||
      response.result_case() == CountResponse::RESULT_NOT_SET) {
    return Crashed(report, "it ended without a readable answer");
  }
  if (response.has_error()) {
    plugin::v1::CountError& error = *response.mutable_error();
    if (report.out_of_memory || SpeaksOfMemory(error.message())) return OutOfMemory(job);
    if (error.message().size() > kMaxMessageBytes) {
      std::string cut = error.message().substr(0, kMaxMessageBytes);
      // Not in the middle of a character.
      while (!cut.empty() && (static_cast<unsigned char>(cut.back()) & 0xc0U) == 0x80U) cut.pop_back();
      if (!cut.empty() && static_cast<unsigned char>(cut.back()) >= 0xc0U) cut.pop_back();
      error.set_message(cut);
    }
    if (error.code() <= 0 || error.code() > 16) error.set_code(kInternal);
  }
  return response;
}

}  // namespace planner::libtorch
