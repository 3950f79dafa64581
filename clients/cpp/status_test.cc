#include "clients/cpp/status.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace planner::cpp {
namespace {

TEST(FromGrpcTest, KeepsCodeAndText) {
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  EXPECT_EQ(FromGrpc({grpc::StatusCode::INVALID_ARGUMENT, "model: missing"}),
            absl::InvalidArgumentError("model: missing"));
  EXPECT_EQ(FromGrpc({grpc::StatusCode::UNAVAILABLE, "down"}), absl::UnavailableError("down"));
  EXPECT_EQ(FromGrpc({grpc::StatusCode::DEADLINE_EXCEEDED, "late"}), absl::DeadlineExceededError("late"));
}

TEST(FromGrpcTest, KeepsTheReason) {
  google::rpc::ErrorInfo info;
  info.set_reason("MODEL_NOT_UPLOADED");
  google::rpc::Status details;
  details.add_details()->PackFrom(google::rpc::BadRequest());
  details.add_details()->PackFrom(info);
  const absl::Status status = FromGrpc({grpc::StatusCode::NOT_FOUND, "gone", details.SerializeAsString()});
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(ReasonOf(status), "MODEL_NOT_UPLOADED");
  EXPECT_EQ(ReasonOf(FromGrpc({grpc::StatusCode::NOT_FOUND, "gone", "no details"})), "");
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
}

}  // namespace
}  // namespace planner::cpp
