#include "services/collector/readings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace planner::collector {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);
const Query kTensor = {utilization::kTensorActive, "tensor", 1};
const Query kBusy = {utilization::kBusy, "busy", 0.01};
const Query kMemory = {utilization::kMemoryUsedBytes, "memory", 1 << 20};
const Query kPower = {utilization::kPowerWatts, "power", 1};

struct Given {
  double value;
  absl::Duration age = absl::ZeroDuration();
  int gpu = -1;  ///< Default: its place.
  bool is_known = true;
};

Readings Judged(const Query& query, const std::vector<Given>& given) {
  std::vector<Series> series;
  std::vector<std::optional<Gpu>> gpus;
  for (size_t i = 0; i < given.size(); ++i) {
    series.push_back({{}, kNow - given[i].age, given[i].value});
    const int number = given[i].gpu < 0 ? static_cast<int>(i) : given[i].gpu;
    gpus.push_back(given[i].is_known ? std::optional(Gpu{"n", number}) : std::nullopt);
  }
  return Judge(query, series, gpus, absl::Minutes(2), kNow);
}

std::vector<double> ValuesOf(const Readings& readings) {
  std::vector<double> values;
  for (const Reading& reading : readings.values) values.push_back(reading.value);
  return values;
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(ReadingsTest, UnitsAreBroughtTogether) {
  EXPECT_THAT(ValuesOf(Judged(kBusy, {{0}, {50}, {100}})), ElementsAre(0, 0.5, 1));
  EXPECT_THAT(ValuesOf(Judged(kMemory, {{40'960}})), ElementsAre(42'949'672'960.0));
  EXPECT_THAT(ValuesOf(Judged(kPower, {{612.5}})), ElementsAre(612.5));
}

TEST(ReadingsTest, ABadSeriesDoesNotSpoilTheOthers) {
  const Readings readings = Judged(kTensor, {{0.5},
                                             {kNan},
                                             {-0.1},
                                             {kInfinity},
                                             {140737488355328.0},
                                             {0.25, absl::Minutes(3)},
                                             {1, absl::Minutes(-2)},
                                             {1, absl::ZeroDuration(), -1, false},
                                             {0.75, absl::Seconds(119)}});
  EXPECT_THAT(ValuesOf(readings), ElementsAre(0.5, 0.75));
  EXPECT_EQ(readings.outcome, Outcome::kOk);
  EXPECT_EQ(readings.trouble, "7 of 9 series are left out: 1 NaN, 1 in the future, 1 of no known node and GPU, 3 out of range, 1 too old");
}

TEST(ReadingsTest, NothingLeftIsStaleOrImplausible) {
  EXPECT_EQ(Judged(kTensor, {}).outcome, Outcome::kStale);
  EXPECT_EQ(Judged(kTensor, {}).trouble, "no series");
  EXPECT_EQ(Judged(kTensor, {{0.5, absl::Hours(1)}}).outcome, Outcome::kStale);
  EXPECT_EQ(Judged(kTensor, {{0.5, absl::Hours(1)}, {kNan}}).outcome, Outcome::kImplausible);
  EXPECT_EQ(Judged(kTensor, {{0.5, absl::Hours(-1)}}).outcome, Outcome::kImplausible);
  EXPECT_EQ(Judged(kPower, {{-1}, {1e6}}).outcome, Outcome::kImplausible);
}

TEST(ReadingsTest, PercentWhereAFractionWasSaidIsToldAndNothingIsTaken) {
  const Readings readings = Judged(kTensor, {{0.7}, {45}});
  EXPECT_THAT(readings.values, IsEmpty());
  EXPECT_EQ(readings.outcome, Outcome::kImplausible);
  EXPECT_THAT(readings.trouble, HasSubstr("percent"));
  EXPECT_THAT(ValuesOf(Judged(kTensor, {{1.0004}})), ElementsAre(1));  // Rounding.
}

TEST(ReadingsTest, OfAGpuTheNewestCountsThenTheLargest) {
  EXPECT_THAT(
      ValuesOf(Judged(kTensor,
                      {{0.9, absl::Seconds(30), 0}, {0.2, absl::Seconds(1), 0}, {0.3, absl::Seconds(1), 0}, {0.1, absl::Seconds(1), 0}})),
      ElementsAre(0.3));
}

}  // namespace
}  // namespace planner::collector
