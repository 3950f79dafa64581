#include "clients/plannerctl/estimate_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(EstimatePageTest, StandsAlone) {
  v1::EstimateResponse estimate;
  estimate.set_model("<script>alert(1)</script>");
  v1::Recommendation& best = *estimate.add_recommendations();
  best.set_gpu_type("A100-SXM-80GB");
  best.set_gpu_count(64);
  best.mutable_memory_per_gpu()->set_capacity_bytes(int64_t{80} << 30);
  best.mutable_memory_per_gpu()->set_parameter_bytes(int64_t{20} << 30);
  best.add_explanation("Because.");
  estimate.add_warnings("careful");
  const std::string page = EstimatePage(estimate);
  EXPECT_THAT(page, StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(page, AllOf(HasSubstr("64 × A100-SXM-80GB"), HasSubstr("width:25.00%"), HasSubstr("<li>Because.</li>"),
                          HasSubstr("<li>careful</li>")));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("http:")), Not(HasSubstr("https:"))));
}

TEST(EstimatePageTest, InfeasibleHasReasonsAndNoTable) {
  v1::EstimateResponse estimate;
  estimate.add_infeasible_reasons("33 GiB too much");
  const std::string page = EstimatePage(estimate);
  EXPECT_THAT(page, HasSubstr("no plan meets the request"));
  EXPECT_THAT(page, HasSubstr("<li>33 GiB too much</li>"));
  EXPECT_THAT(page, Not(HasSubstr("<table>")));
}

}  // namespace
}  // namespace planner::plannerctl
