#include "services/errors/grpc_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/retry_after.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace planner::errors {
namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

TEST(GrpcStatusTest, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(GrpcStatusTest, EveryCodeKeepsItsNumber) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "text");
    EXPECT_EQ(static_cast<int>(ToGrpcStatus(status).error_code()), code);
    EXPECT_EQ(ToGrpcStatus(status).error_message(), "text");
    EXPECT_EQ(DetailsOf(ToGrpcStatus(status)).code(), code);
  }
  EXPECT_EQ(CodeName(absl::OkStatus()), "OK");
  EXPECT_EQ(CodeName(absl::InvalidArgumentError("")), "INVALID_ARGUMENT");
}

TEST(GrpcStatusTest, AFieldIsABadRequestAndAReasonAnErrorInfo) {
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(
      base::InvalidField("resources.max_gpus", "must be above 0: max_gpus=-1", "OUT_OF_RANGE", {{"max_gpus", "-1"}})));
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "OUT_OF_RANGE");
  EXPECT_EQ(info.domain(), "planner");
  EXPECT_EQ(info.metadata().at("max_gpus"), "-1");
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(details.details(1).UnpackTo(&bad_request));
  EXPECT_EQ(bad_request.field_violations(0).field(), "resources.max_gpus");
  EXPECT_EQ(bad_request.field_violations(0).description(), "resources.max_gpus: must be above 0: max_gpus=-1");
}

TEST(GrpcStatusTest, WhenToTryAgainIsARetryInfo) {
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(
      base::WithRetryAfter(base::WithReason(absl::ResourceExhaustedError("full"), "TOO_MANY"), absl::Milliseconds(2500))));
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.details(1).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 2);
  EXPECT_EQ(retry.retry_delay().nanos(), 500'000'000);
}

TEST(GrpcStatusTest, NotFoundHasAReasonButNoBadRequest) {
  const google::rpc::Status details =
      DetailsOf(ToGrpcStatus(base::NotFound("model.preset", "no such model", "UNKNOWN_MODEL")));
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_TRUE(details.details(0).Is<google::rpc::ErrorInfo>());
}

TEST(GrpcStatusTest, HostileTextsFitIntoTheTrailers) {
  std::map<std::string, std::string> metadata;
  for (int i = 0; i < 1000; ++i) metadata[std::to_string(i)] = std::string(1000, 'm');
  const grpc::Status status =
      ToGrpcStatus(base::InvalidField(std::string(100000, 'f'), std::string(100000, '\xff'), "R", metadata));
  EXPECT_LE(3 * status.error_message().size() + status.error_details().size() * 4 / 3, 8000u);
}

TEST(PrintableTest, KeepsTextAndReplacesWhatIsNone) {
  EXPECT_EQ(Printable("Größe 8 × 8", 100), "Größe 8 × 8");
  EXPECT_EQ(Printable("a\xff\xc3", 100), "a??");
  EXPECT_EQ(Printable("\xed\xa0\x80", 100), "???");       // A surrogate.
  EXPECT_EQ(Printable("\xf4\x90\x80\x80", 100), "????");  // Beyond U+10FFFF.
  EXPECT_EQ(Printable("\xe0\x80\x80", 100), "???");       // Overlong.
  EXPECT_EQ(Printable("\xf0\x9f\x98\x80", 100), "\xf0\x9f\x98\x80");
}

TEST(PrintableTest, CutsBetweenCharacters) {
  EXPECT_EQ(Printable("12345678", 8), "12345678");
  EXPECT_EQ(Printable("123456789", 8), "12345...");
  EXPECT_EQ(Printable("1234\xc3\xa4"
                      "789",
                      8),
            "1234...");
}

}  // namespace
}  // namespace planner::errors
