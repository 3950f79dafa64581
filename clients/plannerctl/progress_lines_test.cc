#include "clients/plannerctl/progress_lines.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <sstream>

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;

/// What a line says after an earlier one, as text; its error; "-": nothing.
std::string Read(ProgressLines& lines, const std::string& line) {
  const auto sample = lines.Read(line);
  if (!sample.ok()) return std::string(sample.status().message());
  if (!sample->has_value()) return "-";
  std::string text;
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.PrintToString(**sample, &text);
  return text.substr(0, text.find_last_not_of(' ') + 1);
}
std::string Json(const std::string& line) {
  ProgressLines lines;
  return Read(lines, line);
}
std::string Csv(const std::string& names, const std::string& line) {
  ProgressLines lines;
  const std::string first = Read(lines, names);
  return first == "-" ? Read(lines, line) : first;
}

TEST(ProgressLines, JsonObjectsOfAnyLog) {
  EXPECT_EQ(Json(R"({"step": 100, "loss": 2.5, "lr": 1e-4, "tags": ["a"], "note": null})"), "step: 100 loss: 2.5");
  EXPECT_EQ(Json(R"({"step": 1e2, "tokens": 4e6})"), "step: 100 token_count: 4000000");
  EXPECT_EQ(Json(R"({"step": "100", "time": "2026-01-01T00:00:01Z"})"), "time { seconds: 1767225601 } step: 100");
  EXPECT_EQ(Json(R"({"step": 1, "time": 1767225600.5})"), "time { seconds: 1767225600 nanos: 500000000 } step: 1");
  EXPECT_EQ(Json(R"({"tokenCount": 1, "tokensPerSecond": 2, "gpuUtilizationRatio": 0.5})"),
            "token_count: 1 tokens_per_second: 2 gpu_utilization_ratio: 0.5");
  EXPECT_EQ(Json(R"({"step": -5})"), "step: -5");  // Ranges are the server's.
  EXPECT_EQ(Json("  "), "-");
  EXPECT_EQ(Json(R"({"step": NaN})"), "is no JSON object");
  EXPECT_EQ(Json(R"({"step": 1.5})"), "step: is not a whole number: value=\"1.5\"");
  EXPECT_THAT(Json(R"({"step": [1]})"), HasSubstr("step: "));
  EXPECT_THAT(Json(R"({"loss": "nan"})"), HasSubstr("loss: "));
  EXPECT_THAT(Json(R"({"time": "yesterday"})"), HasSubstr("time: "));
  EXPECT_THAT(Json(R"({"time": 1e300})"), HasSubstr("time: is no time"));
}

TEST(ProgressLines, CsvNamesItsColumns) {
  EXPECT_EQ(Csv("step,time,loss", "100,2026-01-01T00:00:01Z,2.5"), "time { seconds: 1767225601 } step: 100 loss: 2.5");
  EXPECT_EQ(Csv(" time , step , lr\r", " 1767225601 , 4k , 0.1\r"), "time { seconds: 1767225601 } step: 4000");
  EXPECT_EQ(Csv("step,loss,gpu_utilization", "7,,45%"), "step: 7 gpu_utilization_ratio: 0.45");
  EXPECT_EQ(Csv("step,loss", "7"), "step: 7");
  EXPECT_EQ(Csv("step,loss", "7,nan,1"), "has 3 cells, and there are 2 columns");
  EXPECT_THAT(Csv("step,loss", "7,nan"), HasSubstr("loss: "));
  EXPECT_THAT(Csv("step,loss", "7,inf"), HasSubstr("loss: "));
  EXPECT_THAT(Csv("a,b", "1,2"), HasSubstr("is neither a JSON object nor the names of columns"));
  // One format a file.
  EXPECT_THAT(Csv("step", R"({"step": 1})"), HasSubstr("step: "));
}

TEST(NextLine, IsBounded) {
  std::istringstream in("one\n\nthree");
  EXPECT_EQ(**NextLine(in), "one");
  EXPECT_TRUE(HasMoreNow(in));
  EXPECT_EQ(**NextLine(in), "");
  EXPECT_EQ(**NextLine(in), "three");
  EXPECT_FALSE(HasMoreNow(in));
  EXPECT_FALSE(NextLine(in)->has_value());
  std::istringstream long_line(std::string(kMaxReportLine + 1, 'x'));
  EXPECT_TRUE(absl::IsInvalidArgument(NextLine(long_line).status()));
}

}  // namespace
}  // namespace planner::plannerctl
