#include "clients/plannerctl/validation_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "clients/plannerctl/fake_validation.h"

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::ptrdiff_t Occurrences(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator());
}

TEST(ValidationPageTest, ShowsPointsTablesAndReasons) {
  const std::string page = ValidationPage("runs.csv", FakeValidation());
  EXPECT_THAT(page,
              AllOf(HasSubstr("<h1>runs.csv</h1>"), HasSubstr("<title>runs.csv: predicted against measured</title>"),
                    HasSubstr("r1 gpt on 64 × A100-SXM-80GB: measured 10 s, predicted 15 s (+50.0 %), 12 to 18 s; "
                              "a paper / table 2"),
                    HasSubstr("<li>1: the model is unknown</li>"), HasSubstr("<details>"), HasSubstr("Ampere")));
  // Two predicted times and one memory; of the times one is outside of its interval.
  EXPECT_EQ(Occurrences(page, "<title>r[0-9]"), 3);
  EXPECT_EQ(Occurrences(page, "class=\"c0 hollow\""), 1);
  EXPECT_EQ(Occurrences(page, "class=\"plot\""), 2);
}

TEST(ValidationPageTest, NoTextOfATableBecomesMarkup) {
  constexpr char kHostile[] = "\"'></title></svg><script>alert(1)</script><img src=x onerror=alert(1)>";
  v1::ValidateRunsResponse validation = FakeValidation();
  for (v1::RunPrediction& row : *validation.mutable_rows()) {
    row.set_id(kHostile);
    row.set_source(kHostile);
    row.set_publication(kHostile);
    row.set_model(kHostile);
    row.set_gpu_type(kHostile);
  }
  validation.mutable_rows(2)->set_skipped(kHostile);
  for (auto* groups : {validation.mutable_groups(), validation.mutable_publications()}) {
    for (v1::RunGroup& group : *groups) group.set_source(kHostile);
  }
  validation.mutable_gpu_families(0)->set_gpu_family(kHostile);
  validation.set_planner_version(kHostile);
  const std::string page = ValidationPage(kHostile, validation);
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("<img")), HasSubstr("&lt;script&gt;")));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("http:")), Not(HasSubstr("https:")), Not(HasSubstr("url("))));
}

TEST(ValidationPageTest, NothingPredictedIsAPageWithoutAPlot) {
  v1::ValidateRunsResponse validation;
  validation.add_rows()->set_skipped("the model is unknown");
  const std::string page = ValidationPage("runs.csv", validation);
  EXPECT_THAT(page, AllOf(Not(HasSubstr("class=\"plot\"")), HasSubstr("the model is unknown")));
}

}  // namespace
}  // namespace planner::plannerctl
