#include "clients/kubernetes/plan_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clients/cpp/status.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace planner::kubernetes {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNowSeconds = 1'767'225'600;  // 2026-01-01T00:00:00Z.
const absl::Time kNow = absl::FromUnixSeconds(kNowSeconds);

v1::Plan Plan(int64_t start, int64_t end) {
  v1::Plan plan;
  plan.set_name("plans/p1");
  plan.set_state(v1::Plan::CONFIRMED);
  v1::Reservation& held = *plan.mutable_reservation();
  held.set_state(v1::Reservation::FIRM);
  held.set_gpu_count(32);
  held.set_gpu_type("H100-SXM-80GB");
  held.mutable_start_time()->set_seconds(kNowSeconds + start);
  held.mutable_end_time()->set_seconds(kNowSeconds + end);
  return plan;
}

/// As the planner's errors come over the wire.
absl::Status Error(grpc::StatusCode code, const std::string& reason, const std::string& text, const std::string& earliest = "") {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  if (!earliest.empty()) (*info.mutable_metadata())["earliest_start_time"] = earliest;
  google::rpc::Status details;
  details.set_code(code);
  details.add_details()->PackFrom(info);
  return cpp::FromGrpc({code, text, details.SerializeAsString()});
}

std::string StateOf(const absl::StatusOr<v1::Plan>& plan) {
  const auto answer = AnswerOf("plans/p1", plan, kNow);
  return answer.has_value() ? answer->state : "no answer";
}

TEST(PlanCheckTest, ItStartsWhenItsGpusAreItsOwn) {
  EXPECT_EQ(StateOf(Plan(0, 3600)), "Ready");
  EXPECT_EQ(AnswerOf("plans/p1", Plan(-60, 3600), kNow)->message, "plans/p1 holds 32 H100-SXM-80GB GPUs until 2026-01-01 01:00 UTC");
  EXPECT_EQ(StateOf(Plan(60, 3600)), "Pending");
  EXPECT_EQ(AnswerOf("plans/p1", Plan(7200, 9000), kNow)->message, "plans/p1 holds 32 H100-SXM-80GB GPUs from 2026-01-01 02:00 UTC on");
}

TEST(PlanCheckTest, AConflictIsSaid) {
  v1::Plan plan = Plan(0, 3600);
  plan.mutable_reservation()->set_conflict("2 of its nodes are DOWN");
  EXPECT_EQ(StateOf(plan), "Ready");
  EXPECT_THAT(AnswerOf("plans/p1", plan, kNow)->message, HasSubstr("; 2 of its nodes are DOWN"));
}

TEST(PlanCheckTest, WhatHoldsNothingIsNotWaitedFor) {
  EXPECT_EQ(StateOf(Plan(-7200, -3600)), "Ready");
  v1::Plan released = Plan(60, 3600);
  released.mutable_reservation()->set_state(v1::Reservation::RELEASED);
  EXPECT_EQ(StateOf(released), "Ready");
  v1::Plan without = Plan(60, 3600);
  without.clear_reservation();
  EXPECT_EQ(StateOf(without), "Ready");
  v1::Plan cancelled = Plan(60, 3600);
  cancelled.set_state(v1::Plan::CANCELLED);
  EXPECT_EQ(StateOf(cancelled), "Ready");
  EXPECT_EQ(StateOf(absl::NotFoundError("name: there is no such plan")), "Ready");
  EXPECT_EQ(StateOf(Error(grpc::StatusCode::FAILED_PRECONDITION, "NO_LONGER_HOLDS", "the pool is gone")), "Ready");
}

TEST(PlanCheckTest, WhatIsTakenMayBeGivenBack) {
  const absl::Status taken = Error(grpc::StatusCode::FAILED_PRECONDITION, "NOT_FREE", "at 11:59:59 they are not free", "2026-01-01T12:00:00Z");
  EXPECT_EQ(StateOf(taken), "Pending");
  EXPECT_EQ(AnswerOf("plans/p1", taken, kNow)->message, "plans/p1 waits for its GPUs: they are free from 2026-01-01T12:00:00Z on");
  EXPECT_EQ(StateOf(Error(grpc::StatusCode::FAILED_PRECONDITION, "QUOTA_EXCEEDED", "")), "Pending");
}

TEST(PlanCheckTest, WhatCannotBeIsRejected) {
  EXPECT_EQ(StateOf(Error(grpc::StatusCode::FAILED_PRECONDITION, "DEADLINE_MISSED", "")), "Rejected");
  v1::Plan infeasible;
  infeasible.set_state(v1::Plan::INFEASIBLE);
  infeasible.mutable_estimate()->add_infeasible_reasons("does not fit");
  EXPECT_EQ(StateOf(infeasible), "Rejected");
  EXPECT_EQ(AnswerOf("plans/p1", infeasible, kNow)->message, "plans/p1 cannot be: does not fit");
}

TEST(PlanCheckTest, NoAnswerIsNone) {
  for (const absl::Status& status : {absl::UnavailableError(""), absl::DeadlineExceededError(""), absl::ResourceExhaustedError(""), absl::InternalError(""),
                                     absl::UnauthenticatedError(""), absl::AbortedError("")}) {
    EXPECT_EQ(StateOf(status), "no answer") << status;
  }
}

}  // namespace
}  // namespace planner::kubernetes
