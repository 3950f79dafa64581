#include "clients/plannerctl/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(HtmlTest, EscapesLeaveNothingToInject) {
  EXPECT_EQ(EscapeHtml("<a href='x' b=\"y\">&\n"), "&lt;a href=&#39;x&#39; b=&quot;y&quot;&gt;&amp;?");
  EXPECT_EQ(EscapeHtml("8 × A100"), "8 × A100");
}

TEST(HtmlTest, APageStandsAlone) {
  const std::string page = HtmlPage("</title><script>alert(1)</script>", "estimate", "<p>Body</p>");
  EXPECT_THAT(page, AllOf(StartsWith("<!DOCTYPE html>"), EndsWith("<p>Body</p></body></html>\n"),
                          HasSubstr("prefers-color-scheme:dark"), HasSubstr("default-src 'none'")));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("http:")), Not(HasSubstr("https:"))));
}

TEST(HtmlTest, WhereNothingCanBeWrittenThatIsSaid) {
  const absl::Status status = WritePage("/nowhere/at/all.html", "");
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("--html"), HasSubstr("/nowhere/at/all.html")));
}

}  // namespace
}  // namespace planner::plannerctl
