#include "clients/cpp/status.h"

#include <gtest/gtest.h>

namespace planner::cpp {
namespace {

TEST(FromGrpcTest, KeepsCodeAndText) {
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  EXPECT_EQ(FromGrpc({grpc::StatusCode::INVALID_ARGUMENT, "model: missing"}),
            absl::InvalidArgumentError("model: missing"));
  EXPECT_EQ(FromGrpc({grpc::StatusCode::UNAVAILABLE, "down"}), absl::UnavailableError("down"));
  EXPECT_EQ(FromGrpc({grpc::StatusCode::DEADLINE_EXCEEDED, "late"}), absl::DeadlineExceededError("late"));
}

}  // namespace
}  // namespace planner::cpp
