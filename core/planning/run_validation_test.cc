#include "core/planning/run_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace planner::planning {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RunValidationTest : public ::testing::Test {
 protected:
  RunValidation Validated(std::string_view csv) {
    auto runs = ParseMeasuredRuns(csv);
    EXPECT_TRUE(runs.ok()) << runs.status();
    auto validation = ValidateRuns(*std::move(runs), catalogs_, [] { return false; });
    EXPECT_TRUE(validation.ok()) << validation.status();
    return *std::move(validation);
  }

  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  const std::vector<KnownModel> models_;
  const RunCatalogs catalogs_ = {gpus_, models_, perf::BuiltInStepTimeConstants()};
};

/// A decoder of 22 billion parameters on one node of A100; the rest of the header and row is the test's.
std::string Table(const std::string& columns, const std::vector<std::string>& rows) {
  std::string csv =
      "n_layers,hidden,ffn_hidden,heads,kv_heads,vocab,seq_len,gpu_type,n_gpus,tp,global_batch," + columns + "\n";
  for (const std::string& row : rows) csv += "48,6144,24576,64,64,51200,2048,a100,8,8,4," + row + "\n";
  return csv;
}

TEST_F(RunValidationTest, EveryRowHasItsPredictionAndItsMeasurement) {
  const RunValidation validation =
      Validated(Table("id,source,iteration_time_s,peak_mem_gib,mem_unit", {"r1,a / 1,2,60,GiB", "r2,a / 2,1.5,60,GB"}));
  ASSERT_THAT(validation.rows, SizeIs(2));
  const ValidatedRun& row = validation.rows[0];
  EXPECT_EQ(row.run.id, "r1");
  EXPECT_EQ(row.gpu_type, "A100-SXM-80GB");
  EXPECT_EQ(row.comparison.gpu_family, "Ampere");
  EXPECT_TRUE(row.comparison.predicted);
  EXPECT_EQ(row.comparison.measured_step_seconds, 2);
  EXPECT_EQ(row.comparison.predicted_step_seconds, row.prediction.step_seconds);
  EXPECT_LT(row.comparison.low_step_seconds, row.comparison.predicted_step_seconds);
  EXPECT_GT(row.comparison.high_step_seconds, row.comparison.predicted_step_seconds);
  EXPECT_EQ(row.comparison.measured_peak_gib, 60);
  EXPECT_GT(row.comparison.predicted_peak_gib, 0);
  EXPECT_TRUE(row.comparison.fits.has_value());
  EXPECT_EQ(validation.rows[1].comparison.measured_peak_gib, 0);

  EXPECT_EQ(validation.overall.time_count, 2);
  EXPECT_EQ(validation.overall.memory_count, 1);
  EXPECT_THAT(validation.sources, ElementsAre(Field(&NamedErrors::name, "a / 1"), Field(&NamedErrors::name, "a / 2")));
  EXPECT_THAT(validation.publications, ElementsAre(Field(&NamedErrors::name, "a")));
  EXPECT_THAT(validation.gpu_families, ElementsAre(Field(&NamedErrors::name, "Ampere")));
}

TEST_F(RunValidationTest, ANumberOfCardsIsWholeOrBlank) {
  const std::string row = ",48,6144,24576,64,64,51200,2048,a100,4,2\n";
  const std::string header =
      "n_gpus,id,n_layers,hidden,ffn_hidden,heads,kv_heads,vocab,seq_len,gpu_type,global_batch,iteration_time_s\n";
  std::string csv = header;
  for (const char* cards : {"0", "8.5", "", "8"}) csv += std::string(cards) + ",r" + cards + row;
  const RunValidation validation = Validated(csv);
  ASSERT_THAT(validation.rows, SizeIs(4));
  EXPECT_THAT(validation.rows[0].prediction.skipped, HasSubstr("n_gpus: must be a whole number"));
  EXPECT_THAT(validation.rows[1].prediction.skipped, HasSubstr("value=8.5"));
  EXPECT_EQ(validation.rows[2].prediction.skipped, "");
  EXPECT_EQ(validation.rows[3].prediction.skipped, "");
  EXPECT_EQ(validation.overall.skipped_count, 2);
}

TEST_F(RunValidationTest, IdsThatAreThereTwiceAreOneWarning) {
  EXPECT_THAT(Validated(Table("id", {"r1", "r2", "", ""})).warnings, IsEmpty());
  EXPECT_THAT(Validated(Table("id", {"r1", "r2", "r1", "r3", "r2", "r1"})).warnings,
              ElementsAre("ids are there more than once, and each row is counted: \"r1\" (3 rows), \"r2\" (2 rows)"));
  std::vector<std::string> many;
  for (int i = 0; i < 7; ++i) many.insert(many.end(), 2, std::to_string(i));
  EXPECT_THAT(Validated(Table("id", many)).warnings, ElementsAre(EndsWith("\"4\" (2 rows) and 2 more")));
}

TEST_F(RunValidationTest, WhatCannotBePredictedIsSkippedWithItsReason) {
  const RunValidation validation = Validated(
      "id,n_layers,hidden,heads,vocab,gpu_type,tp,status,iteration_time_s\n"
      "no-number,2,64,1,100,a100,two,ok,1\n"
      "no-gpu,2,64,1,100,abacus,1,ok,1\n"
      "no-model,,,,,a100,1,ok,1\n"
      "odd,2,64,1,100,a100,1,suspect,1\n");
  ASSERT_THAT(validation.rows, SizeIs(4));
  EXPECT_EQ(validation.rows[0].prediction.skipped, "line 2, column \"tp\": not a number: two");
  EXPECT_THAT(validation.rows[1].prediction.skipped, HasSubstr("abacus"));
  EXPECT_EQ(validation.rows[1].gpu_type, "abacus");
  EXPECT_THAT(validation.rows[2].prediction.skipped, HasSubstr("model"));
  EXPECT_THAT(validation.rows[3].prediction.skipped, HasSubstr("suspect"));
  for (const ValidatedRun& row : validation.rows) {
    EXPECT_FALSE(row.comparison.predicted);
    EXPECT_EQ(row.comparison.measured_step_seconds, 1);  // It was measured all the same.
    EXPECT_EQ(row.comparison.predicted_step_seconds, 0);
    EXPECT_FALSE(row.comparison.fits.has_value());
  }
  EXPECT_EQ(validation.overall.skipped_count, 4);
  EXPECT_EQ(validation.overall.time_count, 0);
}

TEST_F(RunValidationTest, ARunThatRanOutOfMemoryHasNoTime) {
  const RunValidation validation = Validated(Table("id,status,iteration_time_s", {"r1,oom,2"}));
  EXPECT_EQ(validation.rows[0].comparison.measured_step_seconds, 0);
  EXPECT_EQ(validation.overall.oom_count, 1);
  EXPECT_EQ(validation.overall.ran_count, 0);
}

TEST_F(RunValidationTest, ResultsAndOriginsDoNotChangeAPrediction) {
  const RunValidation validation =
      Validated(Table("id,source,verified,notes,iteration_time_s,tokens_per_s_per_gpu,peak_mem_gib,mem_unit,mfu,hfu",
                      {"r1,a,yes,x,2,1000,60,GiB,40,50", "r2,b,no,y,9,1,1,GB,1,1", "r3,,,,,,,,,"}));
  for (const ValidatedRun& row : validation.rows) {
    EXPECT_EQ(row.prediction.step_seconds, validation.rows[0].prediction.step_seconds);
    EXPECT_EQ(row.prediction.low_step_seconds, validation.rows[0].prediction.low_step_seconds);
    EXPECT_EQ(row.prediction.peak_memory_gib, validation.rows[0].prediction.peak_memory_gib);
    EXPECT_EQ(row.prediction.fits, validation.rows[0].prediction.fits);
  }
}

TEST_F(RunValidationTest, WhatIsOutOfAllProportionIsNoFigure) {
  const RunValidation validation = Validated(
      "id,n_layers,hidden,heads,vocab,seq_len,gpu_type,n_gpus,global_batch,iteration_time_s\n"
      "huge,1e300,1e200,1,100,1e12,a100,1,1e300,1\n"
      "instant,2,64,1,100,128,a100,1,1,1e-300\n");
  EXPECT_NE(validation.rows[0].prediction.skipped, "");
  EXPECT_EQ(validation.rows[0].comparison.predicted_step_seconds, 0);
  EXPECT_EQ(validation.rows[1].prediction.skipped, "");
  EXPECT_EQ(validation.rows[1].comparison.measured_step_seconds, 0);
  EXPECT_EQ(validation.overall.time_count, 0);
}

TEST_F(RunValidationTest, StopsWhenItIsLate) {
  auto runs = ParseMeasuredRuns("id\n1\n2\n3\n");
  int asked = 0;
  const auto validation = ValidateRuns(*std::move(runs), catalogs_, [&] { return ++asked == 2; });
  EXPECT_TRUE(absl::IsDeadlineExceeded(validation.status()));
  EXPECT_THAT(std::string(validation.status().message()), HasSubstr("1 of 3 rows"));
}

}  // namespace
}  // namespace planner::planning
