#include "core/planning/measured_run.h"

#include "core/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::planning {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;

MeasuredRun Only(std::string_view csv) {
  const auto runs = ParseMeasuredRuns(csv);
  EXPECT_TRUE(runs.ok()) << runs.status();
  EXPECT_THAT(*runs, SizeIs(1));
  return runs->empty() ? MeasuredRun{} : runs->front();
}

TEST(MeasuredRunTest, ColumnsGoByNameAndUnknownOnesAreIgnored) {
  const MeasuredRun run = Only("tp,remark,id,gated_mlp,seq_len,gpu_type\n8,fast,r1,1,4096,H100\n");
  EXPECT_EQ(run.id, "r1");
  EXPECT_EQ(run.gpu_type, "H100");
  EXPECT_THAT(run.tensor_parallel, Optional(8.0));
  EXPECT_THAT(run.gated_mlp, Optional(true));
  EXPECT_THAT(run.seq_len, Optional(4096.0));
  EXPECT_EQ(run.line, 2);
}

TEST(MeasuredRunTest, EmptyCellsAndMissingColumnsAreUnknown) {
  const MeasuredRun run = Only("id,tp,pp,sequence_parallel\nr1,,4,");
  EXPECT_FALSE(run.tensor_parallel.has_value());
  EXPECT_FALSE(run.data_parallel.has_value());
  EXPECT_FALSE(run.sequence_parallel.has_value());
  EXPECT_THAT(run.pipeline_parallel, Optional(4.0));
}

TEST(MeasuredRunTest, QuotedCellsHoldCommasQuotesAndLineBreaks) {
  const auto runs = ParseMeasuredRuns("id,source,tp\r\nr1,\"Table 1, \"\"v2\"\"\nof 2\",2\r\nr2,x,4\r\n");
  ASSERT_TRUE(runs.ok()) << runs.status();
  ASSERT_THAT(*runs, SizeIs(2));
  EXPECT_EQ((*runs)[0].source, "Table 1, \"v2\"\nof 2");
  EXPECT_EQ((*runs)[1].line, 4);
  EXPECT_THAT((*runs)[1].tensor_parallel, Optional(4.0));
}

TEST(MeasuredRunTest, ANumberThatIsNoneIsTheProblemOfItsRow) {
  const auto runs = ParseMeasuredRuns("id,tp,pp\nr1,two,1\nr2,2,-1\nr3,2,1e999\nr4,2,1\n");
  ASSERT_TRUE(runs.ok()) << runs.status();
  EXPECT_EQ((*runs)[0].problem, "line 2, column \"tp\": not a number: two");
  EXPECT_EQ((*runs)[1].problem, "line 3, column \"pp\": must not be negative: -1");
  EXPECT_THAT((*runs)[2].problem, HasSubstr("column \"pp\""));
  EXPECT_THAT((*runs)[3].problem, IsEmpty());
}

TEST(MeasuredRunTest, TooFewOrTooManyCellsAreTheRowsOwnProblem) {
  const auto runs = ParseMeasuredRuns("id,tp\nr1\nr2,1,1\nr3,1\n");
  ASSERT_TRUE(runs.ok()) << runs.status();
  EXPECT_EQ((*runs)[0].id, "r1");
  EXPECT_EQ((*runs)[0].problem, "line 2: 1 cells, the header has 2");
  EXPECT_EQ((*runs)[1].problem, "line 3: 3 cells, the header has 2");
  EXPECT_THAT((*runs)[2].problem, IsEmpty());
}

TEST(MeasuredRunTest, BrokenTablesNameTheLine) {
  const auto message = [](std::string_view csv) { return std::string(ParseMeasuredRuns(csv).status().message()); };
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message("tp,pp\n1,1\n"), HasSubstr("\"id\""));
  EXPECT_THAT(message("id,tp,tp\n"), HasSubstr("\"tp\" is there twice"));
  EXPECT_THAT(message("id,tp\nr1,\"1\nr2,1\n"), HasSubstr("line 2: a quote is not closed"));
}

TEST(MeasuredRunTest, StepSecondsComeFromTheFirstSourceThatIsKnown) {
  MeasuredRun run;
  EXPECT_FALSE(MeasuredStepSeconds(run).has_value());
  run.gpu_hours = 1022362;
  run.tokens_total = 1.4e12;
  // 1,022,362 h x 3600 / 1024 cards / (1.4e12 / 4e6 steps).
  EXPECT_THAT(MeasuredStepSeconds(run), Optional(DoubleNear(10.2692, 1e-3)));
  run.gpus = 2048;
  run.global_batch = 2048;
  run.seq_len = 2048;
  EXPECT_THAT(MeasuredStepSeconds(run), Optional(DoubleNear(5.3839, 1e-3)));
  run.tokens_per_second_per_gpu = 380;
  EXPECT_THAT(MeasuredStepSeconds(run), Optional(DoubleNear(5.3895, 1e-3)));
  run.iteration_seconds = 5.5;
  EXPECT_THAT(MeasuredStepSeconds(run), Optional(5.5));
}

TEST(MeasuredRunTest, MemoryCountsOnlyInGib) {
  MeasuredRun run;
  run.peak_memory = 47;
  run.memory_unit = "unclear";
  EXPECT_FALSE(MeasuredPeakMemoryGib(run).has_value());
  run.memory_unit = "GiB";
  EXPECT_THAT(MeasuredPeakMemoryGib(run), Optional(47.0));
}

}  // namespace
}  // namespace planner::planning
