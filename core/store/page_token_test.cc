#include "core/store/page_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace planner::store {
namespace {

TEST(PageTokenTest, RoundTrips) {
  EXPECT_EQ(EncodePageToken("gpus", "9"), "677075730a39");
  EXPECT_EQ(*DecodePageToken("gpus", "677075730a39"), "9");
  EXPECT_EQ(*DecodeNumberToken("gpus", "677075730a39", 0), 9);
  EXPECT_EQ(*DecodePageToken("gpus", ""), "");
  EXPECT_EQ(*DecodeNumberToken("gpus", "", 42), 42);
}

TEST(PageTokenTest, ForgedTokensAreInvalid) {
  const std::string upper = "677075730A39";
  for (const std::string& token : {std::string("x"), std::string("67707"), upper, EncodePageToken("models", "9"),
                                   EncodePageToken("gpus", ""), std::string("zz")}) {
    const auto position = DecodePageToken("gpus", token);
    EXPECT_TRUE(absl::IsInvalidArgument(position.status())) << token;
    EXPECT_EQ(base::DetailOf(position.status()).field, "page_token");
  }
  for (const char* position : {"-1", "nine", "99999999999999999999"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(DecodeNumberToken("gpus", EncodePageToken("gpus", position), 0).status()));
  }
}

TEST(PageTokenTest, ListsOfDifferentKindAndOrderHaveDifferentScopes) {
  EXPECT_EQ(ListScope(Kind::kCluster, Order::kByName), "cluster/name");
  EXPECT_EQ(ListScope(Kind::kPlan, Order::kNewestFirst), "plan/newest");
}

}  // namespace
}  // namespace planner::store
