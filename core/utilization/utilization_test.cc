#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/utilization/recent_gpus.h"
#include "core/utilization/recent_mean.h"
#include "core/utilization/seen_times.h"
#include "core/utilization/summary.h"

namespace planner::utilization {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01T00:00:00Z.

Sample Busy(absl::Time time, double ratio) {
  Sample sample{time, {}};
  sample.values[kBusy] = ratio;
  return sample;
}

TEST(SummaryTest, IsMeansOfThoseThatHaveTheMetric) {
  Summary summary;
  summary.Add(Busy(kNow + absl::Seconds(2), 0.5));
  Sample second = Busy(kNow + absl::Seconds(1), 1);
  second.values[kPowerWatts] = 700;
  summary.Add(second);
  EXPECT_EQ(summary.sample_count, 2);
  EXPECT_EQ(summary.last_sample_time, kNow + absl::Seconds(2)) << "out of order";
  EXPECT_EQ(summary.totals[kBusy].Mean(), 0.75);
  EXPECT_EQ(summary.totals[kPowerWatts].Mean(), 700);
  EXPECT_EQ(summary.totals[kTensorActive].Mean(), std::nullopt);
}

TEST(SummaryTest, PartsMakeTheSameWhole) {
  Summary whole, left, right;
  for (int i = 0; i < 100; ++i) {
    const Sample sample = Busy(kNow + absl::Seconds(i), i / 128.0);  // Sums of these are exact.
    whole.Add(sample);
    (i % 3 == 0 ? left : right).Add(sample);
  }
  Summary one = left, other = right;
  one.Merge(right);
  other.Merge(left);
  EXPECT_EQ(Encode(one), Encode(whole));
  EXPECT_EQ(Encode(other), Encode(whole));
}

TEST(SummaryTest, EncodingKeepsEveryBit) {
  Summary summary{.start = kNow, .length = absl::Hours(1)};
  Sample sample = Busy(kNow + absl::Microseconds(1234567), 0.1);
  sample.values[kMemoryUsedBytes] = 8.589934592e10 / 3;
  sample.values[kPowerWatts] = std::nextafter(1e6, 2e6);
  summary.Add(sample);
  summary.Add(Busy(kNow, 0.2));
  EXPECT_TRUE(Encode(summary).starts_with("1 1767225600 3600 2 1767225601234567 0.30000000000000004:2 0:0 0:0 "))
      << Encode(summary);
  const auto read = Decode(Encode(summary));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(Encode(*read), Encode(summary));
  EXPECT_EQ(read->last_sample_time, summary.last_sample_time);
  EXPECT_EQ(read->totals[kPowerWatts].sum, summary.totals[kPowerWatts].sum);
  EXPECT_EQ(Decode(Encode(Summary{.start = kNow}))->last_sample_time, absl::InfinitePast());
}

TEST(SummaryTest, WhatIsNotOursIsDataLoss) {
  for (const char* text :
       {"", "1", "2 0 3600 1 0 0:0 0:0 0:0 0:0 0:0", "1 0 3600 1 0 0:0 0:0 0:0 0:0", "1 0 3600 x 0 0:0 0:0 0:0 0:0 0:0",
        "1 0 3600 1 0 0:0 0:0 0:0 0:0 0:-1", "1 0 3600 1 0 0 0:0 0:0 0:0 0:0"}) {
    EXPECT_TRUE(absl::IsDataLoss(Decode(text).status())) << text;
  }
}

TEST(SummaryTest, HoursAndDaysAreThoseOfUtc) {
  EXPECT_EQ(HourOf(kNow + absl::Seconds(3599.9)), kNow);
  EXPECT_EQ(HourOf(kNow + absl::Hours(1)), kNow + absl::Hours(1));
  EXPECT_EQ(DayOf(kNow + absl::Hours(23.99)), kNow);
  EXPECT_EQ(DayOf(absl::FromUnixSeconds(-1)), absl::FromUnixSeconds(-86400)) << "before 1970, too";
}

TEST(RecentMeanTest, ForgetsWhatIsOlderThanItsMinutes) {
  RecentMean recent(5);
  EXPECT_EQ(recent.At(kNow).Mean(), std::nullopt);
  recent.Add(kNow, 0.2, kNow);
  recent.Add(kNow + absl::Minutes(4), 0.4, kNow + absl::Minutes(4));
  EXPECT_DOUBLE_EQ(*recent.At(kNow + absl::Seconds(299)).Mean(), 0.3);
  EXPECT_DOUBLE_EQ(*recent.At(kNow + absl::Seconds(300)).Mean(), 0.4);
  EXPECT_EQ(recent.At(kNow + absl::Minutes(9)).Mean(), std::nullopt) << "stale";
  recent.Add(kNow, 1, kNow + absl::Minutes(5));
  EXPECT_DOUBLE_EQ(*recent.At(kNow + absl::Minutes(5)).Mean(), 0.4) << "too old when it came";
  recent.Add(kNow + absl::Minutes(6), 0.8, kNow + absl::Minutes(5));
  EXPECT_DOUBLE_EQ(*recent.At(kNow + absl::Minutes(5)).Mean(), 0.6) << "a clock that is ahead";
}

TEST(SeenTimesTest, TellsRepeatedSamplesFromLateOnes) {
  using Answer = SeenTimes::Answer;
  SeenTimes seen(10);
  const auto take = [&](int second, uint64_t gpu = 1) { return seen.Take(gpu, kNow + absl::Seconds(second)); };
  for (const int second : {10, 40, 30}) EXPECT_EQ(take(second), Answer::kNew) << second;
  for (const int second : {10, 40, 30}) EXPECT_EQ(take(second), Answer::kRepeated) << second;
  EXPECT_EQ(take(5), Answer::kNew) << "fewer than four are remembered: it is certain";
  EXPECT_EQ(take(50), Answer::kNew) << "5 is forgotten";
  EXPECT_EQ(take(20), Answer::kNew) << "late, and 10 is forgotten";
  EXPECT_EQ(take(10), Answer::kTooOld);
  EXPECT_EQ(take(5), Answer::kTooOld);
  EXPECT_EQ(take(10, 2), Answer::kNew) << "another GPU";
}

TEST(SeenTimesTest, ForgetsAllRatherThanGrow) {
  SeenTimes seen(2);
  for (uint64_t gpu = 1; gpu <= 3; ++gpu) EXPECT_EQ(seen.Take(gpu, kNow), SeenTimes::Answer::kNew);
  EXPECT_EQ(seen.Take(3, kNow), SeenTimes::Answer::kRepeated);
  EXPECT_EQ(seen.Take(1, kNow), SeenTimes::Answer::kNew);
}

TEST(RecentGpusTest, CountsEachGpuOnceByItsNewestSample) {
  const absl::Time noon = absl::FromUnixSeconds(1767268800);
  RecentGpus gpus;
  gpus.Add(1, noon, true);
  gpus.Add(2, noon, true);
  gpus.Add(3, noon + absl::Minutes(1), false);
  gpus.Add(2, noon + absl::Minutes(2), false);
  gpus.Add(1, noon - absl::Minutes(1), false);  // Late: what is newer counts.
  const auto count = [&](absl::Duration after) {
    const RecentGpus::Count at = gpus.At(noon + after);
    return std::pair(at.measured, at.occupied);
  };
  EXPECT_EQ(count(absl::Minutes(2)), std::pair(int64_t{3}, int64_t{1}));
  EXPECT_EQ(count(absl::Minutes(5)), std::pair(int64_t{2}, int64_t{0}));
  EXPECT_EQ(count(absl::Minutes(6)), std::pair(int64_t{1}, int64_t{0}));
  EXPECT_EQ(count(absl::Minutes(7)), std::pair(int64_t{0}, int64_t{0}));
  // Clocks that are ahead.
  EXPECT_EQ(count(-absl::Minutes(3)), std::pair(int64_t{3}, int64_t{1}));
}

TEST(RecentGpusTest, RemembersNoMoreThanItMay) {
  RecentGpus gpus(/*most_gpus=*/2);
  for (uint64_t gpu = 0; gpu < 5; ++gpu) gpus.Add(gpu, absl::UnixEpoch(), true);
  EXPECT_EQ(gpus.At(absl::UnixEpoch()).measured, 1);
  gpus.Add(4, absl::UnixEpoch(), false);
  EXPECT_EQ(gpus.At(absl::UnixEpoch()).measured, 1);
  EXPECT_EQ(gpus.At(absl::UnixEpoch()).occupied, 0);
}

}  // namespace
}  // namespace planner::utilization
