#include "services/server/run_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "fmt/format.h"
#include "services/convert/run.h"
#include "services/convert/time.h"
#include "services/server/fake_plan.h"
#include "services/server/run_progress.h"

namespace planner::server {
namespace {

using store::Kind;
using ::testing::SizeIs;

/// Counts the reads of records.
class CountingStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  absl::StatusOr<store::Page> List(Kind kind, const store::ListOptions& options) override {
    ++lists;
    return MemoryStore::List(kind, options);
  }
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<Kind>& kinds, int64_t version) override {
    absl::StatusOr<store::Changes> changes = MemoryStore::ChangesSince(kinds, version);
    if (changes.ok()) records += changes->written.size();
    return changes;
  }
  int lists = 0;
  size_t records = 0;
};

class RunMetricsTest : public ::testing::Test {
 protected:
  /// A run that began now, with a report of `steps` steps of `step_seconds`.
  v1::Run Began(double step_seconds, int64_t steps) const {
    v1::Run run;
    run.set_plan("plans/p1");
    *run.mutable_start_time() = convert::TimeToProto(begin_);
    *run.mutable_planned() = convert::PlannedRunToProto(FakePlan(), begin_);
    BeginProgress(run);
    std::vector<runs::Sample> kept;
    std::vector<runs::Sample> reports;
    for (int64_t i = 1; i <= 10; ++i) {
      reports.push_back({.time = begin_ + absl::Seconds(step_seconds * static_cast<double>(steps * i / 10)), .step = steps * i / 10});
    }
    if (steps > 0) AddReports(std::move(reports), run, kept);
    return run;
  }
  v1::Run Ended(double step_seconds, int64_t steps, absl::Time finish, v1::Run::State state = v1::Run::SUCCEEDED) const {
    v1::Run run = Began(step_seconds, steps);
    EndProgress(state, finish, {{.time = finish, .step = steps}}, run);
    return run;
  }
  void Put(const std::string& id, const v1::Run& run) {
    const std::string value = run.SerializeAsString();
    const auto set = [&](const store::Record&) -> absl::StatusOr<std::string> { return value; };
    if (store_.Update(Kind::kRun, id, "", set).ok()) return;
    ASSERT_TRUE(store_.Create(Kind::kRun, id, value, "").ok());
  }
  static std::string TextOf(const RunMetrics& metrics) {
    telemetry::Page page;
    metrics.Write(page);
    return page.text();
  }
  /// "planner_runs{drift=late}": value, of every series.
  static std::map<std::string, double> Scrape(const RunMetrics& metrics) {
    std::map<std::string, double> series;
    std::istringstream lines(TextOf(metrics));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with('#')) continue;
      std::erase(line, '"');
      const size_t blank = line.rfind(' ');
      EXPECT_TRUE(series.emplace(line.substr(0, blank), std::stod(line.substr(blank + 1))).second) << line;
    }
    return series;
  }
  std::map<std::string, double> Scrape() { return Scrape(metrics_); }
  static size_t CountOf(const std::map<std::string, double>& series, const std::string& name) {
    return static_cast<size_t>(
        std::count_if(series.begin(), series.end(), [&](const auto& one) { return one.first.starts_with(name + "{"); }));
  }

  base::FakeClock clock_;
  const absl::Time begin_ = clock_.Now();
  CountingStore store_{clock_};
  RunIndex index_{store_};
  RunMetrics metrics_{index_, clock_};
};

TEST_F(RunMetricsTest, ShowPlannedBesideActual) {
  Put("r1", Began(12, 250));  // The worked number of core/runs/forecast.h.
  clock_.Advance(absl::Seconds(3100));
  const auto series = Scrape();
  EXPECT_EQ(series.at("planner_run_info{run=r1,cluster=main,gpu_type=H100-SXM-80GB,gpus=8,state=running,currency=USD}"), 1);
  EXPECT_EQ(series.at("planner_run_planned_progress_ratio{run=r1}"), 0.31);
  EXPECT_EQ(series.at("planner_run_actual_progress_ratio{run=r1}"), 0.25);
  const double begin = static_cast<double>(absl::ToUnixSeconds(begin_));
  EXPECT_EQ(series.at("planner_run_planned_finish_timestamp_seconds{run=r1}"), begin + 10'000);
  EXPECT_NEAR(series.at("planner_run_predicted_finish_timestamp_seconds{run=r1}"), begin + 11'814, 1);
  EXPECT_NEAR(series.at("planner_run_predicted_finish_low_timestamp_seconds{run=r1}"), begin + 11'343, 1);
  EXPECT_NEAR(series.at("planner_run_predicted_finish_high_timestamp_seconds{run=r1}"), begin + 12'312, 1);
  EXPECT_EQ(series.at("planner_run_planned_tokens_per_second{run=r1}"), 400);
  EXPECT_EQ(series.at("planner_run_actual_tokens_per_second{run=r1}"), 333.333);
  EXPECT_EQ(series.at("planner_run_model_flops_utilization_ratio{run=r1}"), 0.333333);
  EXPECT_EQ(series.at("planner_run_planned_gpu_seconds{run=r1}"), 80'000);
  EXPECT_EQ(series.at("planner_run_actual_gpu_seconds{run=r1}"), 24'000);
  EXPECT_EQ(series.at("planner_run_planned_cost{run=r1}"), 44.4444);
  EXPECT_EQ(series.at("planner_run_actual_cost{run=r1}"), 13.3333);
  EXPECT_EQ(series.at("planner_run_drift{run=r1,drift=late}"), 1);
  EXPECT_EQ(series.at("planner_runs{drift=late}"), 1);
  EXPECT_EQ(series.at("planner_runs{drift=stalled}"), 0);
  EXPECT_THAT(series, SizeIs(20));
  // Reports came every 300 s: patience of 3,000 s.
  clock_.Advance(absl::Seconds(3000));
  EXPECT_EQ(Scrape().at("planner_run_drift{run=r1,drift=stalled}"), 1);
  EXPECT_EQ(Scrape().at("planner_runs{drift=stalled}"), 1);
}

/// Of 1,000 steps in 10,000 s it goes on at step 501, and is to be done after 4,990 s: neither early nor late.
TEST_F(RunMetricsTest, ARunThatGoesOnFromACheckpointIsPlannedFromThere) {
  v1::Run run = Began(10, 0);
  std::vector<runs::Sample> kept;
  AddReports({{.time = begin_ + absl::Seconds(10), .step = 501}, {.time = begin_ + absl::Seconds(1000), .step = 600}}, run, kept);
  Put("r1", run);
  clock_.Advance(absl::Seconds(1100));
  const auto series = Scrape();
  EXPECT_NEAR(series.at("planner_run_actual_progress_ratio{run=r1}"), 0.6, 1e-6);
  EXPECT_NEAR(series.at("planner_run_planned_progress_ratio{run=r1}"), 0.611, 1e-6);
  const double begin = static_cast<double>(absl::ToUnixSeconds(begin_));
  EXPECT_NEAR(series.at("planner_run_planned_finish_timestamp_seconds{run=r1}"), begin + 4990, 1);
  EXPECT_NEAR(series.at("planner_run_predicted_finish_timestamp_seconds{run=r1}"), begin + 5000, 1);
  EXPECT_EQ(series.at("planner_run_drift{run=r1,drift=on_plan}"), 1);
}

TEST_F(RunMetricsTest, AnEndedRunShowsItsEndAndAnError) {
  Put("r1", Ended(12, 1000, begin_ + absl::Seconds(12'000)));
  Put("r2", Ended(11, 1000, begin_ + absl::Seconds(11'000)));
  Put("r3", Ended(9, 1000, begin_ + absl::Seconds(9'000)));
  Put("short", Ended(50, 10, begin_ + absl::Seconds(500), v1::Run::CANCELLED));
  clock_.Advance(absl::Hours(24));
  const auto series = Scrape();
  EXPECT_EQ(series.at("planner_run_predicted_finish_timestamp_seconds{run=r1}"),
            static_cast<double>(absl::ToUnixSeconds(begin_)) + 12'000);
  EXPECT_EQ(series.at("planner_run_planned_progress_ratio{run=r1}"), 1);
  EXPECT_EQ(series.at("planner_run_drift{run=r1,drift=late}"), 1);
  EXPECT_EQ(series.at("planner_run_drift{run=r2,drift=on_plan}"), 1);
  for (const char* end : {"low", "high"}) {  // What is known has no interval.
    EXPECT_EQ(series.at(fmt::format("planner_run_predicted_finish_{}_timestamp_seconds{{run=r1}}", end)),
              series.at("planner_run_predicted_finish_timestamp_seconds{run=r1}"));
  }
  EXPECT_EQ(series.at("planner_prediction_runs{cluster=main,gpu_type=H100-SXM-80GB}"), 3);
  // 20, 10 and 10 %.
  EXPECT_EQ(series.at("planner_prediction_error_ratio{cluster=main,gpu_type=H100-SXM-80GB}"), 0.1);
  ASSERT_TRUE(store_.Delete(Kind::kRun, "r2", "").ok());
  EXPECT_EQ(Scrape().at("planner_prediction_error_ratio{cluster=main,gpu_type=H100-SXM-80GB}"), 0.15);
  EXPECT_EQ(CountOf(Scrape(), "planner_run_info"), 3u);
  for (const char* id : {"r1", "r3", "short"}) ASSERT_TRUE(store_.Delete(Kind::kRun, id, "").ok());
  EXPECT_THAT(Scrape(), SizeIs(5));  // How many run.
}

TEST_F(RunMetricsTest, ANewReplicaShowsTheSame) {
  for (int i = 0; i < 300; ++i) Put(fmt::format("a{:04}", i), Began(10 + i % 3, 250));
  for (int i = 0; i < 300; ++i) Put(fmt::format("e{:04}", i), Ended(10 + i % 3, 1000, begin_ + absl::Seconds(i)));
  Scrape();
  for (int i = 0; i < 50; ++i) Put(fmt::format("a{:04}", i), Ended(10, 900, begin_ + absl::Seconds(1000 + i), v1::Run::FAILED));
  for (int i = 290; i < 295; ++i) Put(fmt::format("a{:04}", i), Began(9, 500));
  RunIndex fresh(store_);
  EXPECT_EQ(Scrape(), Scrape(RunMetrics(fresh, clock_)));
}

TEST_F(RunMetricsTest, OnlyWhatHasChangedIsRead) {
  for (int i = 0; i < 600; ++i) Put(fmt::format("a{:04}", i), Began(10, 250));
  Scrape();
  EXPECT_EQ(store_.lists, 2);
  EXPECT_EQ(store_.records, 0u);
  Scrape();
  Put("a0007", Began(10, 260));
  Scrape();
  EXPECT_EQ(store_.lists, 2);
  EXPECT_EQ(store_.records, 1u);
}

TEST_F(RunMetricsTest, AStoreThatCannotBeReadShowsNothing) {
  class BrokenStore : public store::MemoryStore {
   public:
    using MemoryStore::MemoryStore;
    absl::StatusOr<int64_t> Version() override { return absl::UnavailableError("away"); }
  };
  BrokenStore broken(clock_);
  RunIndex index(broken);
  EXPECT_EQ(TextOf(RunMetrics(index, clock_)), "");
}

TEST_F(RunMetricsTest, AScrapeIsBoundedHoweverManyRunsThereAre) {
  const std::string ended = Ended(11, 1000, begin_).SerializeAsString();
  v1::Run run = Ended(11, 1000, begin_);
  for (int i = 0; i < 100'000; ++i) {
    *run.mutable_finish_time() = convert::TimeToProto(begin_ + absl::Seconds(i));
    ASSERT_TRUE(store_.Create(Kind::kRun, fmt::format("e{:06}", i), run.SerializeAsString(), "").ok());
  }
  const v1::Run active = Began(12, 250);
  for (int i = 0; i < 3000; ++i) ASSERT_TRUE(store_.Create(Kind::kRun, fmt::format("f{:06}", i), active.SerializeAsString(), "").ok());
  clock_.Advance(absl::Hours(1));
  const auto series = Scrape();
  EXPECT_EQ(CountOf(series, "planner_run_info"), RunMetrics::kMostActive + RunIndex::kMostEnded);
  // Those that ended last, and those that were started last; all are counted.
  EXPECT_TRUE(series.contains("planner_run_actual_progress_ratio{run=e099999}"));
  EXPECT_TRUE(series.contains("planner_run_actual_progress_ratio{run=e099900}"));
  EXPECT_FALSE(series.contains("planner_run_actual_progress_ratio{run=e099899}"));
  EXPECT_TRUE(series.contains("planner_run_actual_progress_ratio{run=f002000}"));
  EXPECT_FALSE(series.contains("planner_run_actual_progress_ratio{run=f001999}"));
  EXPECT_EQ(series.at("planner_runs{drift=late}"), 3000);
  // As long as it gets with ids of 7 characters.
  EXPECT_LT(TextOf(metrics_).size(), size_t{1200} * (RunMetrics::kMostActive + RunIndex::kMostEnded));
}

}  // namespace
}  // namespace planner::server
