#include "core/calibration/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace planner::calibration {
namespace {

using ::testing::AllOf;
using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Gt;
using ::testing::Lt;
using ::testing::Optional;

constexpr double kSlower = 0.1823;  // ln 1.2
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

Kind Llama(double gpus = 64) {
  return {.framework = "megatron-core",
          .family = "Hopper",
          .gpu_type = "H100-SXM-80GB",
          .model_class = "dense",
          .precision = "bf16",
          .recompute = "none",
          .parameters = 7e9,
          .hidden = 4096,
          .seq_len = 4096,
          .tensor_parallel = 2,
          .gpus = gpus};
}

Kind Other(std::string framework, std::string family) {
  Kind kind = Llama();
  kind.framework = std::move(framework);
  kind.family = std::move(family);
  return kind;
}

Calibration Learned(int runs, double log_ratio, const Kind& kind = Llama(), absl::Time time = kNow) {
  return Calibration(std::vector<Evidence>(static_cast<size_t>(runs), Evidence{kind, log_ratio, time}));
}

/// Mean absolute error of the model alone and of corrected predictions, each before its run is learned.
struct Errors {
  double before = 0, after = 0;
};
Errors Replay(const std::vector<Evidence>& evidence) {
  Calibration calibration;
  Errors errors;
  for (const Evidence& run : evidence) {
    errors.before += std::abs(run.log_ratio);
    errors.after += std::abs(run.log_ratio - std::log(calibration.CorrectionFor(run.kind, run.time).factor));
    EXPECT_TRUE(calibration.Learn(run).ok());
  }
  return {errors.before / static_cast<double>(evidence.size()), errors.after / static_cast<double>(evidence.size())};
}

/// Runs of frameworks and sizes in turn; `error` is asked for each one's log ratio.
template <typename Error>
std::vector<Evidence> ManyRuns(Error error) {
  std::vector<Evidence> runs;
  for (int i = 0; i < 600; ++i) {
    Kind kind = Other(i % 2 == 0 ? "fsdp" : "megatron-core", i % 3 == 0 ? "Ampere" : "Hopper");
    kind.parameters = 1e9 * (1 << (i % 5));
    kind.tensor_parallel = 1 << (i % 4);
    runs.push_back({kind, error(kind), kNow});
  }
  return runs;
}

TEST(CalibrationTest, NothingLearnedIsThePredictionItself) {
  const Correction correction = Calibration().CorrectionFor(Llama(), kNow);
  EXPECT_EQ(correction.factor, 1);
  EXPECT_EQ(correction.runs, 0);
  EXPECT_FALSE(correction.is_measured());
  EXPECT_EQ(correction.HalfWidth(0.3), 0.3);
}

TEST(CalibrationTest, OneRunMovesItALittleTwentyALot) {
  EXPECT_THAT(Learned(1, kSlower).CorrectionFor(Llama(), kNow).factor, DoubleNear(1.002, 0.0005));
  EXPECT_THAT(Learned(2, kSlower).CorrectionFor(Llama(), kNow).factor, DoubleNear(1.11, 0.005));
  EXPECT_THAT(Learned(3, kSlower).CorrectionFor(Llama(), kNow).factor, DoubleNear(1.15, 0.005));
  EXPECT_THAT(Learned(20, kSlower).CorrectionFor(Llama(), kNow).factor, DoubleNear(1.198, 0.0005));
}

TEST(CalibrationTest, SaysMeasuredFromHowManyRunsWithANarrowerInterval) {
  EXPECT_FALSE(Learned(1, kSlower).CorrectionFor(Llama(), kNow).is_measured());
  const Correction many = Learned(20, kSlower).CorrectionFor(Llama(), kNow);
  EXPECT_TRUE(many.is_measured());
  EXPECT_THAT(many.runs, DoubleNear(20, 0.5));
  EXPECT_THAT(many.HalfWidth(0.3), Lt(0.15));
  EXPECT_EQ(many.HalfWidth(0.01), 0.01);  // Never wider.
}

TEST(CalibrationTest, OtherKindsLearnTheLessTheLessAlikeTheyAre) {
  const Calibration calibration = Learned(20, kSlower);
  const double same = calibration.CorrectionFor(Llama(), kNow).factor;
  Kind another = Llama();
  another.hidden = 5120;
  another.parameters = 13e9;
  const double size = calibration.CorrectionFor(another, kNow).factor;
  const double family = calibration.CorrectionFor(Other("megatron-core", "Ampere"), kNow).factor;
  const double stranger = calibration.CorrectionFor(Other("jax", "TPU"), kNow).factor;
  EXPECT_GT(same, size);
  EXPECT_GT(size, 1);
  EXPECT_GT(size, family);
  EXPECT_GE(family, stranger);
  EXPECT_THAT(stranger, DoubleNear(1, 0.01));
  EXPECT_FALSE(calibration.CorrectionFor(Other("jax", "TPU"), kNow).is_measured());
}

TEST(CalibrationTest, AnOutlierMovesTwentyRunsByLittle) {
  Calibration calibration = Learned(20, 0.1);
  const double before = calibration.CorrectionFor(Llama(), kNow).factor;
  ASSERT_TRUE(calibration.Learn({Llama(), 3, kNow}).ok());
  EXPECT_THAT(calibration.CorrectionFor(Llama(), kNow).factor, DoubleNear(before, 0.01));
}

TEST(CalibrationTest, OldRunsCountForLess) {
  const absl::Time old = kNow - absl::Hours(24 * 180);
  const Correction fresh = Learned(20, kSlower).CorrectionFor(Llama(), kNow);
  const Correction aged = Learned(20, kSlower, Llama(), old).CorrectionFor(Llama(), kNow);
  EXPECT_THAT(aged.runs, AllOf(Gt(0.4 * fresh.runs), Lt(0.55 * fresh.runs)));
  EXPECT_LT(aged.factor, fresh.factor);
  const Correction ancient =
      Learned(20, kSlower, Llama(), old - absl::Hours(24 * 365 * 50)).CorrectionFor(Llama(), kNow);
  EXPECT_THAT(ancient.factor, DoubleNear(1, 1e-6));
}

TEST(CalibrationTest, NewRunsOverruleOldOnes) {
  Calibration calibration = Learned(20, kSlower, Llama(), kNow - absl::Hours(24 * 720));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(calibration.Learn({Llama(), -0.1, kNow}).ok());
  EXPECT_THAT(calibration.CorrectionFor(Llama(), kNow).factor, AllOf(Gt(0.89), Lt(0.95)));
}

TEST(CalibrationTest, LearnsWhatIsSystematic) {
  std::mt19937 random(1);
  std::normal_distribution<double> noise(0, 0.03);
  const Errors errors = Replay(ManyRuns([&](const Kind& kind) {
    return (kind.framework == "fsdp" ? 0.2 : -0.1) + 0.05 * std::log2(kind.tensor_parallel) + noise(random);
  }));
  EXPECT_LT(errors.after, 0.3 * errors.before);
}

TEST(CalibrationTest, NoiseIsNotMadeWorse) {
  for (const double deviation : {0.01, 0.03, 0.1, 0.3}) {
    std::mt19937 random(2);
    std::normal_distribution<double> noise(0, deviation);
    const Errors errors = Replay(ManyRuns([&](const Kind&) { return noise(random); }));
    EXPECT_LT(errors.after, 1.03 * errors.before) << deviation;
  }
}

TEST(CalibrationTest, EvidenceIsLearnedInOrderOfItsTime) {
  const std::vector<Evidence> in_order = {{Llama(), 0.1, kNow - absl::Hours(1)}, {Llama(8), 0.2, kNow}};
  EXPECT_THAT(Calibration({in_order[1], in_order[0]}).CorrectionFor(Llama(), kNow).factor,
              DoubleEq(Calibration(in_order).CorrectionFor(Llama(), kNow).factor));
}

TEST(CalibrationTest, WhatIsRememberedIsWhatIsWorkedOut) {
  std::mt19937 random(3);
  std::normal_distribution<double> noise(0.1, 0.05);
  std::vector<Evidence> evidence = ManyRuns([&](const Kind&) { return noise(random); });
  for (size_t i = 0; i < evidence.size(); ++i) evidence[i].time = kNow - absl::Hours(static_cast<int64_t>(i));
  const Calibration calibration(evidence);
  const absl::Time later = kNow + absl::Hours(24 * 30);
  Calibration aged = calibration;
  aged.AgeTo(later);
  for (const Evidence& run : evidence) {
    const Correction slow = calibration.CorrectionFor(run.kind, later);
    const Correction fast = aged.CorrectionFor(run.kind, later);
    ASSERT_THAT(fast.factor, DoubleEq(slow.factor));
    ASSERT_THAT(fast.deviation, DoubleEq(slow.deviation));
    ASSERT_THAT(fast.runs, DoubleEq(slow.runs));
    ASSERT_THAT(calibration.CorrectionFor(run.kind, kNow).factor, DoubleNear(slow.factor, 0.05));
  }
}

TEST(CalibrationTest, RefusesWhatIsNoMeasurement) {
  Calibration calibration;
  EXPECT_EQ(calibration.Learn({Llama(), std::nan(""), kNow}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(calibration.Learn({Llama(), std::numeric_limits<double>::infinity(), kNow}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(calibration.Learn({Llama(), 7, kNow}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(calibration.size(), 0u);
}

TEST(CalibrationTest, NamesTheLevelThatDecided) {
  EXPECT_THAT(Learned(20, kSlower).CorrectionFor(Llama(), kNow).level, Optional(Level::kCards));
  const Correction correction = Learned(20, kSlower).CorrectionFor(Llama(2048), kNow);
  EXPECT_THAT(correction.level, Optional(Level::kKernels));
  EXPECT_EQ(NameOf(*correction.level), "kernels");
}

TEST(CalibrationTest, WhatIsRightOfOneGpuTypeDoesNotUndoWhatIsKnownOfAnother) {
  Kind slow = Llama();
  slow.gpu_type = "H200-SXM-141GB";
  Calibration calibration = Learned(20, 0.4, slow);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(calibration.Learn({Llama(), 0, kNow}).ok());
  EXPECT_THAT(calibration.CorrectionFor(slow, kNow).factor, DoubleNear(1.45, 0.02));
  EXPECT_THAT(calibration.CorrectionFor(Llama(), kNow).factor, DoubleNear(1, 0.005));
}

TEST(CalibrationTest, NothingIsCorrectedWhileTheModelAloneHasBeenRightMoreOften) {
  Calibration calibration = Learned(1, 0.3);
  EXPECT_GT(calibration.CorrectionFor(Llama(), kNow).factor, 1);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(calibration.Learn({Llama(), 0, kNow}).ok());
  const Correction correction = calibration.CorrectionFor(Llama(), kNow);
  EXPECT_EQ(correction.factor, 1);
  EXPECT_FALSE(correction.level.has_value());
  EXPECT_EQ(correction.HalfWidth(0.3), 0.3);
}

TEST(CalibrationTest, TheLeastFactorIsThatOfAllKindsThatAgree) {
  std::mt19937 random(4);
  std::normal_distribution<double> noise(0.05, 0.1);
  Calibration calibration;
  const auto each = [](auto use) {
    for (const double tensor : {1, 2, 4}) {
      for (const double gpus : {8, 64, 512, 4096}) {
        Kind kind = Llama(gpus);
        kind.tensor_parallel = tensor;
        use(kind);
      }
    }
  };
  for (int i = 0; i < 5; ++i)
    each([&](Kind kind) {
      if (kind.tensor_parallel == 4 || kind.gpus == 4096) return;  // Never seen.
      ASSERT_TRUE(calibration.Learn({kind, noise(random) + 0.1 * kind.tensor_parallel, kNow}).ok());
    });
  double least = 10;
  each([&](const Kind& kind) { least = std::min(least, calibration.CorrectionFor(kind, kNow).factor); });
  EXPECT_EQ(calibration.LeastFactor(Llama(), Level::kModel, kNow), least);
  Kind other = Llama();
  other.hidden = 5120;
  EXPECT_TRUE(calibration.Knows(Llama(), Level::kModel));
  EXPECT_FALSE(calibration.Knows(other, Level::kModel));
  EXPECT_TRUE(calibration.Knows(other, Level::kSize));
  EXPECT_EQ(calibration.LeastFactor(other, Level::kModel, kNow), calibration.CorrectionFor(other, kNow).factor);
  EXPECT_EQ(Calibration().LeastFactor(Llama(), Level::kModel, kNow), 1);
}

TEST(CalibrationTest, WhenItWasAgedDoesNotMatterWithinADay) {
  const absl::Time day = StartOfDay(kNow);
  EXPECT_EQ(StartOfDay(day), day);
  EXPECT_EQ(StartOfDay(day + absl::Hours(23)), day);
  std::vector<Evidence> evidence;
  for (int i = 0; i < 8; ++i) evidence.push_back({Llama(), 0.02 * i, day - absl::Hours(30 * (4 - i))});
  Calibration at_once(evidence);
  Calibration bit_by_bit;
  for (const Evidence& run : evidence) {
    bit_by_bit.AgeTo(StartOfDay(run.time));
    ASSERT_TRUE(bit_by_bit.Learn(run).ok());
  }
  EXPECT_EQ(at_once.CorrectionFor(Llama(), kNow).factor, bit_by_bit.CorrectionFor(Llama(), kNow).factor);
}

}  // namespace
}  // namespace planner::calibration
