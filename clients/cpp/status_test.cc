#include "clients/cpp/status.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
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

TEST(ToProtoTest, OwnErrorsHaveTheirReasonAndField) {
  const google::rpc::Status proto = ToProto(base::InvalidField("page_size", "is no number", "OUT_OF_RANGE"));
  EXPECT_EQ(proto.message(), "page_size: is no number");
  ASSERT_EQ(proto.details_size(), 2);
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info) && proto.details(1).UnpackTo(&bad));
  EXPECT_EQ(info.reason(), "OUT_OF_RANGE");
  EXPECT_EQ(info.domain(), "planner");
  EXPECT_EQ(bad.field_violations(0).field(), "page_size");
  EXPECT_EQ(ToProto(absl::NotFoundError("gone")).details_size(), 0);
}

}  // namespace
}  // namespace planner::cpp
