#include "clients/kubernetes/path_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;

TEST(PathTemplateTest, TakesVariablesFromAPath) {
  EXPECT_THAT(PathTemplate("/v1/plans").Match("/v1/plans"), Optional(IsEmpty()));
  EXPECT_THAT(PathTemplate("/v1/{name=plans/*}:confirm").Match("/v1/plans/p1:confirm"), Optional(ElementsAre(Pair("name", "plans/p1"))));
  EXPECT_THAT(PathTemplate("/v1/{cluster.name=clusters/*}/x/{y=*}").Match("/v1/clusters/a/x/b"),
              Optional(ElementsAre(Pair("cluster.name", "clusters/a"), Pair("y", "b"))));
  EXPECT_THAT(PathTemplate("/v1/models/{name=**}").Match("/v1/models/meta-llama/Llama-2-7b"),
              Optional(ElementsAre(Pair("name", "meta-llama/Llama-2-7b"))));
}

TEST(PathTemplateTest, AnythingElseIsAnotherPath) {
  const PathTemplate plan("/v1/{name=plans/*}");
  for (const char* path : {"", "/", "/v1/plans", "/v1/plans/", "/v1/plans/a/b", "/v1/plans/a:confirm", "/v2/plans/a", "x/v1/plans/a", "/v1/plans/a/"}) {
    EXPECT_EQ(plan.Match(path), std::nullopt) << path;
  }
  EXPECT_EQ(PathTemplate("/v1/a.b").Match("/v1/aXb"), std::nullopt);
}

}  // namespace
}  // namespace planner::kubernetes
