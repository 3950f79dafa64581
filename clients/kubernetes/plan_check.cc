#include "clients/kubernetes/plan_check.h"

#include "clients/cpp/status.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

absl::Time TimeOf(const google::protobuf::Timestamp& time) { return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos()); }

std::string Text(absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M UTC", time, absl::UTCTimeZone()); }

CheckAnswer OfError(const std::string& name, const absl::Status& error) {
  const std::string text(error.message());
  const std::string reason = cpp::ReasonOf(error);
  if (reason == "NOT_FREE" || reason == "QUOTA_EXCEEDED") {
    // Not the text, which says what time it is: a message that changes is written each time.
    const std::string earliest = cpp::MetadataOf(error, "earliest_start_time");
    return {"Pending", fmt::format("{} waits for {}: {}", name, reason == "NOT_FREE" ? "its GPUs" : "its tenant's quota",
                                   earliest.empty() ? "nobody knows until when" : "they are free from " + earliest + " on")};
  }
  if (reason == "DEADLINE_MISSED") return {"Rejected", text};
  if (absl::IsNotFound(error)) return {"Ready", fmt::format("{} is gone: it starts without a plan", name)};
  return {"Ready", fmt::format("nothing is held for it: {}", text)};
}

CheckAnswer OfReservation(const v1::Plan& plan, absl::Time now) {
  const v1::Reservation& held = plan.reservation();
  const absl::Time start = TimeOf(held.start_time());
  const absl::Time end = TimeOf(held.end_time());
  if (!HoldsGpus(plan, now)) return {"Ready", fmt::format("{} no longer holds GPUs", plan.name())};
  const std::string gpus = fmt::format("{} {} GPUs", held.gpu_count(), held.gpu_type());
  const std::string conflict = held.conflict().empty() ? "" : "; " + held.conflict();
  if (start > now) return {"Pending", fmt::format("{} holds {} from {} on{}", plan.name(), gpus, Text(start), conflict)};
  return {"Ready", fmt::format("{} holds {} until {}{}", plan.name(), gpus, Text(end), conflict)};
}

}  // namespace

bool HoldsGpus(const v1::Plan& plan, absl::Time now) {
  const v1::Reservation& held = plan.reservation();
  return (held.state() == v1::Reservation::FIRM || held.state() == v1::Reservation::HELD) && TimeOf(held.end_time()) > now;
}

std::optional<CheckAnswer> AnswerOf(const std::string& name, const absl::StatusOr<v1::Plan>& plan, absl::Time now) {
  if (!plan.ok()) {
    const absl::StatusCode code = plan.status().code();
    const bool is_answer = code == absl::StatusCode::kFailedPrecondition || code == absl::StatusCode::kNotFound || code == absl::StatusCode::kInvalidArgument;
    if (!is_answer) return std::nullopt;
    return OfError(name, plan.status());
  }
  if (plan->state() == v1::Plan::INFEASIBLE) {
    std::string reasons;
    for (const std::string& reason : plan->estimate().infeasible_reasons()) {
      if (reasons.size() < 1000) reasons += (reasons.empty() ? "" : "; ") + reason;
    }
    return CheckAnswer{"Rejected", fmt::format("{} cannot be: {}", name, reasons)};
  }
  if (plan->state() == v1::Plan::CANCELLED) return CheckAnswer{"Ready", fmt::format("{} was cancelled: nothing is held for it", name)};
  if (plan->has_reservation()) return OfReservation(*plan, now);
  return CheckAnswer{"Ready", fmt::format("{} is of no cluster: nothing is held for it", name)};
}

}  // namespace planner::kubernetes
