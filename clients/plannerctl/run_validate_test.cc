// `validate`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "clients/plannerctl/fake_planner.h"

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class RunValidateTest : public RunTest {};

TEST_F(RunValidateTest, ValidateSendsTheTableAsItIs) {
  input_ = "\xEF\xBB\xBFid,notes\r\n1,\"a, b\"\r\n\xff";
  EXPECT_EQ(Run({"validate", "--runs", "-"}), 0) << err();
  EXPECT_EQ(estimation_.runs_csv, input_);
  EXPECT_THAT(out(), AllOf(HasSubstr("3 rows: 2 predicted, 1 skipped"), Not(HasSubstr("r0"))));
  EXPECT_EQ(Run({"validate", "--runs", "-", "--rows"}), 0);
  EXPECT_THAT(out(), HasSubstr("r0"));

  const std::string path = ::testing::TempDir() + "run_test_runs.csv";
  std::ofstream(path) << "id\n7\n";
  estimation_.validation.add_warnings("careful");
  EXPECT_EQ(Run({"validate", "--runs", path, "-o", "json"}), 0) << err();
  EXPECT_EQ(estimation_.runs_csv, "id\n7\n");
  EXPECT_THAT(err(), HasSubstr("warning: careful"));
}

TEST_F(RunValidateTest, ValidateAnswersInTheWordsOfTheContract) {
  input_ = "id\n7\n";
  ASSERT_EQ(Run({"validate", "--runs", "-", "-o", "json"}), 0) << err();
  const auto answer = nlohmann::json::parse(out());
  const auto& fast = answer["rows"][0];
  EXPECT_EQ(fast["id"], "r0");
  EXPECT_EQ(fast["source"], "a paper / table 1");
  EXPECT_EQ(fast["measuredStepSeconds"], 10);
  EXPECT_EQ(fast["predictedStepSeconds"], 9);
  EXPECT_EQ(fast["lowStepSeconds"], 8);
  EXPECT_EQ(fast["highStepSeconds"], 11);
  EXPECT_EQ(fast["measuredPeakMemoryGib"], 40);
  EXPECT_EQ(fast["predictedPeakMemoryGib"], 44);
  EXPECT_EQ(fast["fits"], true);
  EXPECT_EQ(fast["skipped"], "");
  EXPECT_EQ(answer["rows"][1]["fits"], false);
  EXPECT_EQ(answer["rows"][2]["skipped"], "the model is unknown");
  EXPECT_EQ(answer["rows"][2]["predictedStepSeconds"], 0);
  EXPECT_FALSE(answer["rows"][2].contains("fits"));
  EXPECT_EQ(answer["groups"][0]["source"], "a paper / table 1");
  for (const auto& group : {answer["groups"][0], answer["overall"]}) {
    for (const char* field : {"rowCount", "timeMape", "timeMedianRatio", "timeCoverage90", "memoryMape"}) {
      EXPECT_TRUE(group[field].is_number()) << field;
    }
  }
  EXPECT_EQ(answer["overall"]["rowCount"], 3);
  EXPECT_EQ(answer["overall"]["timeMape"], 0.3);
  EXPECT_EQ(answer["overall"]["skippedCount"], 1);
}

TEST_F(RunValidateTest, ValidateWritesAPage) {
  input_ = "id\n7\n";
  const std::string path = ::testing::TempDir() + "run_test_errors.html";
  EXPECT_EQ(Run({"validate", "--runs", "-", "--html", path}), 0) << err();
  std::stringstream page;
  page << std::ifstream(path).rdbuf();
  EXPECT_THAT(page.str(),
              AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("<h1>runs</h1>"), HasSubstr("class=\"plot\"")));
  EXPECT_EQ(Run({"validate", "--runs", "-", "--html", "-"}), 0) << err();
  EXPECT_EQ(out(), page.str());
  EXPECT_EQ(Run({"validate", "--runs", "-", "--html", "/nowhere/page.html"}), 1);
  EXPECT_THAT(err(), HasSubstr("--html: /nowhere/page.html cannot be written"));
}

TEST_F(RunValidateTest, HelpSaysHowLongATableMayBe) {
  EXPECT_EQ(Run({"validate", "--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("at most 20,001 lines"));
}

TEST_F(RunValidateTest, ATableThatIsWrongIsAWrongFlag) {
  EXPECT_EQ(Run({"validate"}), 2);
  EXPECT_THAT(err(), HasSubstr("--runs"));
  EXPECT_EQ(Run({"validate", "--runs", "/nowhere/runs.csv"}), 2);
  EXPECT_THAT(err(), HasSubstr("--runs: /nowhere/runs.csv: no such file"));
  EXPECT_EQ(Run({"validate", "--runs", ::testing::TempDir()}), 2);
  EXPECT_THAT(err(), HasSubstr("is a folder"));
  input_ = std::string((8U << 20) + 1, 'x');
  estimation_.runs_csv = "untouched";
  EXPECT_EQ(Run({"validate", "--runs", "-"}), 2);
  EXPECT_THAT(err(), HasSubstr("larger than 8 MiB"));
  EXPECT_EQ(estimation_.runs_csv, "untouched");
  input_ = "x";
  estimation_.status = {grpc::StatusCode::INVALID_ARGUMENT, "runs_csv: line 1: no column is named \"id\""};
  EXPECT_EQ(Run({"validate", "--runs", "-"}), 2);
  EXPECT_THAT(err(), HasSubstr("error: --runs: line 1: no column is named \"id\""));
}

}  // namespace
}  // namespace planner::plannerctl
