// plannerctl validate.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/plannerctl_fixture.h"

namespace planner::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kRuns[] =
    "id,source,model,n_layers,hidden,ffn_hidden,heads,vocab,seq_len,gpu_type,n_gpus,tp,global_batch,recompute,"
    "iteration_time_s,peak_mem_gib,mem_unit,status\n"
    "full,a paper / table 5,<img src=x onerror=alert(1)>,48,6144,24576,64,51200,2048,a100,8,8,4,full,1.42,50,GiB,ok\n"
    "selective,a paper / table 6,GPT 22B,48,6144,24576,64,51200,2048,a100,8,8,4,selective,1.10,,,\n"
    "one-card,</title><script>alert(1)</script>,GPT 22B,48,6144,24576,64,51200,2048,a100,1,1,4,full,,,,oom\n"
    "doubtful,our notes,GPT 22B,48,6144,24576,64,51200,2048,a100,8,8,4,full,14,,,suspect\n";

TEST_P(PlannerctlTest, ValidateHasEveryFieldOfTheContract) {
  const std::string file = folder_.Write("runs.csv", kRuns);
  const nlohmann::json answer = Json({"validate", "--runs", file});
  ASSERT_EQ(answer["rows"].size(), 4U);
  for (const auto& row : answer["rows"]) {
    EXPECT_THAT(Keys(row),
                IsSupersetOf({"id", "source", "measuredStepSeconds", "predictedStepSeconds", "lowStepSeconds",
                              "highStepSeconds", "measuredPeakMemoryGib", "predictedPeakMemoryGib", "skipped"}));
    EXPECT_EQ(row.contains("fits"), row["skipped"] == "");
  }
  EXPECT_THAT(Column(answer["rows"], "id"), ElementsAre("full", "selective", "one-card", "doubtful"));
  EXPECT_EQ(answer["rows"][0]["measuredStepSeconds"], 1.42);
  EXPECT_EQ(answer["rows"][0]["fits"], true);
  EXPECT_EQ(answer["rows"][2]["fits"], false);
  for (const nlohmann::json& group : {answer["groups"][0], answer["overall"]}) {
    EXPECT_THAT(Keys(group),
                IsSupersetOf({"source", "rowCount", "timeMape", "timeMedianRatio", "timeCoverage90", "memoryMape"}));
  }
  EXPECT_THAT(Column(answer["groups"], "source"),
              ElementsAre("a paper / table 5", "a paper / table 6", "</title><script>alert(1)</script>", "our notes"));
  EXPECT_EQ(answer["overall"]["rowCount"], 4);
  EXPECT_EQ(Json({"validate", "--runs", "-"}, kRuns), answer);
  const Outcome yaml = Run({"validate", "--runs", file, "-o", "yaml"});
  EXPECT_EQ(YAML::Load(yaml.out)["rows"].size(), 4U);
}

TEST_P(PlannerctlTest, ValidateIsATableAndAPageForPeople) {
  const std::string file = folder_.Write("runs.csv", kRuns);
  const std::string page = folder_.Path("page.html");
  const Outcome outcome = Run({"validate", "--runs", file, "--html", page, "--rows"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, AllOf(StartsWith("ID "), HasSubstr("4 rows: 3 predicted, 1 skipped\n"),
                                 HasSubstr("1 of 1 rows that ran out of memory are predicted not to fit"),
                                 HasSubstr("\nSOURCE "), HasSubstr("\nGPU FAMILY "), HasSubstr("\nAmpere ")));
  std::stringstream html;
  html << std::ifstream(page).rdbuf();
  EXPECT_THAT(html.str(), AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("<svg"), HasSubstr("prefers-color-scheme"),
                                HasSubstr("&lt;img src=x onerror"), HasSubstr("&lt;script&gt;")));
  for (const char* never : {"<script", "<img", "<link", "http:", "https:", "url("}) {
    EXPECT_THAT(html.str(), Not(HasSubstr(never)));
  }
}

TEST_P(PlannerctlTest, TablesThatAreWrongExitWith2) {
  const std::string huge = folder_.Write("huge.csv", "id\n");
  fs::resize_file(huge, uintmax_t{200} << 20);
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {huge, "larger than 8 MiB"},
      {folder_.Write("empty.csv", ""), "is empty"},
      {folder_.Write("other.csv", "name,price\nbread,2\n"), "\"id\""},
      {folder_.Write("open.csv", "id,tp\n1,\"2\n"), "line 2"},
      {folder_.Write("binary.csv", std::string("PK\x03\x04\0\0\xff", 7)), "line 1"},
      {folder_.Path("missing.csv"), "no such file"},
      {folder_.string(), "is a folder"},
  };
  for (const auto& [file, text] : wrong) {
    const Outcome outcome = Run({"validate", "--runs", file});
    EXPECT_EQ(outcome.exit_code, 2) << file << ": " << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, AllOf(StartsWith("plannerctl: error: --runs: "), HasSubstr(text)));
  }
}

}  // namespace
}  // namespace planner::cli
