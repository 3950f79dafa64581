#include <cstdint>
#include <limits>

#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::base {
namespace {

using ::testing::ElementsAre;

TEST(CheckedTest, ComputesExactly) { EXPECT_EQ((Checked(3) * 4 + 1).Value().value(), 13); }

TEST(CheckedTest, OverflowPropagates) {
  const Checked big = std::numeric_limits<int64_t>::max();
  EXPECT_TRUE((big + 1).overflowed());
  EXPECT_TRUE(((big * 2) - big).overflowed());
  EXPECT_TRUE((Checked(1) + (big + 1)).overflowed());
  EXPECT_EQ((big + 1).Value("MACs").status().code(), absl::StatusCode::kOutOfRange);
}

TEST(ErrorTest, NamesTheField) {
  const absl::Status status = InvalidField("kernel", "must be positive: kernel=-1", "NOT_POSITIVE", {{"kernel", "-1"}});
  EXPECT_EQ(status.message(), "kernel: must be positive: kernel=-1");
  EXPECT_EQ(DetailOf(status).reason, "NOT_POSITIVE");
  EXPECT_EQ(DetailOf(status).metadata.at("kernel"), "-1");
}

TEST(ErrorTest, AtFieldPrefixesThePath) {
  const absl::Status status = AtField("model", AtField("layers[3]", InvalidField("kernel", "must be positive")));
  EXPECT_EQ(status.message(), "model.layers[3].kernel: must be positive");
  EXPECT_EQ(DetailOf(status).field, "model.layers[3].kernel");
  EXPECT_EQ(AtField("layers", InvalidField("[3]", "is cyclic")).message(), "layers[3]: is cyclic");
  EXPECT_EQ(AtField("model", absl::OutOfRangeError("too large")).message(), "model: too large");
  EXPECT_TRUE(AtField("model", absl::OkStatus()).ok());
}

TEST(ErrorTest, WithFieldReplacesThePath) {
  const absl::Status status = WithField("resources.gpu_types[1]", NotFound("gpu_type", "no such type", "UNKNOWN"));
  EXPECT_EQ(status.message(), "resources.gpu_types[1]: no such type");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DetailOf(status).reason, "UNKNOWN");
  EXPECT_TRUE(WithField("model", absl::OkStatus()).ok());
}

TEST(ErrorTest, LikelyNamesAreSlipsOnly) {
  EXPECT_EQ(LikelyName("estimte", {"count", "estimate"}), "estimate");
  EXPECT_EQ(LikelyName("lst", {"get", "list"}), "list");
  EXPECT_EQ(LikelyName("drop", {"get", "list"}), "");
  EXPECT_EQ(LikelyName("x", {}), "");
  EXPECT_EQ(LikelyName("--modle", {"--mode", "--model"}), "--model");
  EXPECT_EQ(LikelyName("--mdoe", {"--mode", "--model"}), "--mode");
}

TEST(ErrorTest, NearestNamesAreSortedByDistance) {
  EXPECT_THAT(NearestNames("lama-7b", {"gpt2", "llama-70b", "llama-7b"}, 2), ElementsAre("llama-7b", "llama-70b"));
}

TEST(FakeClockTest, StandsStillUntilAdvanced) {
  FakeClock clock;
  const absl::Time start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(5));
}

}  // namespace
}  // namespace planner::base
