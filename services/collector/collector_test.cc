#include "services/collector/collector.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "fmt/format.h"
#include "services/collector/fake_http_client.h"
#include "services/convert/cluster.h"
#include "services/convert/time.h"

namespace planner::collector {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

Source SourceOf(const std::string& more = "") {
  config::v1::UtilizationSource proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("cluster: 'main' url: 'http://h' " + more, &proto));
  return *MakeSource("s", proto);
}

class CollectorTest : public ::testing::Test {
 protected:
  CollectorTest() {
    v1::Cluster cluster;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 2 node_names: 'n[1-2]' }", &cluster));
    const std::string value = convert::NormalizedCluster("cluster", cluster, gpus_)->SerializeAsString();
    EXPECT_TRUE(store_.Create(store::Kind::kCluster, "main", value, "").ok());
  }

  /// A Prometheus with two busy GPUs on n1, and an idle one on n2, scraped five seconds ago.
  HttpAnswer Prometheus(const HttpRequest& request) const {
    const auto has = [&](const char* name) { return request.url.find(name) != std::string::npos; };
    const std::array<double, 3> values = has("GPU_UTIL")        ? std::array<double, 3>{100, 50, 0}
                                         : has("TENSOR_ACTIVE") ? std::array<double, 3>{0.5, 0.25, 0}
                                         : has("DRAM_ACTIVE")   ? std::array<double, 3>{0.25, 0.25, 0}
                                         : has("FB_USED")       ? std::array<double, 3>{40960, 40960, 500}
                                                                : std::array<double, 3>{700, 500, 100};
    std::string series;
    for (size_t i = 0; i < values.size(); ++i) {
      series += fmt::format("{}{{\"metric\":{{\"Hostname\":\"n{}\",\"gpu\":\"{}\"}},\"values\":[[{},\"{}\"]]}}", i == 0 ? "" : ",",
                            i < 2 ? 1 : 2, i % 2, absl::ToUnixSeconds(scraped_), values[i]);
    }
    return Answered(fmt::format("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}}}", series));
  }
  static HttpAnswer Answered(const std::string& body, int status = 200) {
    return {.outcome = HttpAnswer::Outcome::kAnswered, .status = status, .body = body};
  }
  v1::MeasuredUtilization Latest() {
    const auto latest = utilization_.Latest({{"main", "h"}}, clock_.Now());
    EXPECT_THAT(latest, SizeIs(1));
    return latest.empty() ? v1::MeasuredUtilization() : latest.front();
  }
  int64_t CountOf(const Collector& collector, Outcome outcome) { return collector.CountsOf(0)[static_cast<size_t>(outcome)]; }

  base::FakeClock clock_;
  absl::Time scraped_ = clock_.Now() - absl::Seconds(5);
  store::MemoryStore store_{clock_};
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings_{store_, gpus_, clock_};
  utilization::Utilization utilization_{store_, bookings_, clock_, {.has_thread = false}};
  FakeHttpClient prometheus_{[this](const HttpRequest& request) { return Prometheus(request); }};
};

TEST_F(CollectorTest, WhatAPrometheusMeasuresIsUtilization) {
  Collector collector({SourceOf()}, utilization_, clock_, nullptr);
  collector.Collect(0, prometheus_);
  ASSERT_THAT(prometheus_.requests, SizeIs(5));
  EXPECT_EQ(prometheus_.requests[0].url, "http://h/api/v1/query?query=DCGM_FI_DEV_GPU_UTIL%7B%7D%5B120s%5D&time=1767225600.000");
  EXPECT_EQ(CountOf(collector, Outcome::kOk), 5);

  const v1::MeasuredUtilization latest = Latest();
  EXPECT_EQ(convert::TimeFromProto(latest.last_sample_time()), scraped_);
  EXPECT_EQ(latest.age().seconds(), 5);
  EXPECT_EQ(latest.busy_ratio(), 0.5);
  EXPECT_EQ(latest.tensor_active_ratio(), 0.25);
  EXPECT_EQ(latest.measured_gpu_count(), 3);
  EXPECT_EQ(latest.occupied_gpu_count(), 2);
  EXPECT_EQ(latest.trouble(), "");

  // One sample of each GPU, of all that was measured of it at once.
  EXPECT_EQ(utilization_.accepted_count(), 3);
  v1::GetUtilizationRequest request;
  request.set_cluster("main");
  const auto response = utilization_.Get(request);
  ASSERT_TRUE(response.ok());
  ASSERT_TRUE(utilization_.Flush().ok());
  const v1::UtilizationSummary summary = utilization_.Get(request)->pools(0).summary();
  EXPECT_EQ(summary.sample_count(), 3);
  EXPECT_DOUBLE_EQ(summary.power_watts(), 1300.0 / 3);
  EXPECT_DOUBLE_EQ(summary.memory_used_bytes(), (2 * 40960 + 500) * 1048576.0 / 3);
}

TEST_F(CollectorTest, AScrapeIsTakenOnce) {
  Collector collector({SourceOf()}, utilization_, clock_, nullptr);
  collector.Collect(0, prometheus_);
  clock_.Advance(absl::Seconds(5));
  collector.Collect(0, prometheus_);
  EXPECT_EQ(utilization_.accepted_count(), 3);
  EXPECT_EQ(utilization_.refused_count(), 0);
  scraped_ += absl::Seconds(10);
  collector.Collect(0, prometheus_);
  EXPECT_EQ(utilization_.accepted_count(), 6);
  EXPECT_EQ(CountOf(collector, Outcome::kOk), 15);
}

/// Each misbehaviour: what it is counted as, and how many questions are asked before the server is left alone.
TEST_F(CollectorTest, TheLastGoodValuesStayWithTheirAge) {
  struct Case {
    HttpAnswer answer;
    Outcome outcome;
    int64_t questions;
    std::string trouble;
  };
  const auto ended = [](HttpAnswer::Outcome outcome, const std::string& trouble) {
    return HttpAnswer{.outcome = outcome, .trouble = trouble};
  };
  const std::string nan =
      R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"Hostname":"n1","gpu":"0"},"value":[1767225600,"NaN"]}]}})";
  const std::string other =
      R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"Hostname":"x","gpu":"0"},"value":[1767225600,"1"]}]}})";
  const std::vector<Case> cases = {
      {ended(HttpAnswer::Outcome::kUnreachable, "Connection refused"), Outcome::kUnreachable, 1, "unreachable: Connection refused"},
      {ended(HttpAnswer::Outcome::kTimeout, "after 10 s"), Outcome::kTimeout, 1, "timeout: after 10 s"},
      {ended(HttpAnswer::Outcome::kTooLarge, "more than 64 MiB"), Outcome::kTooLarge, 1, "too_large: more than 64 MiB"},
      {Answered("moved", 302), Outcome::kRefused, 5, "refused: HTTP status 302"},
      {Answered("oops", 500), Outcome::kRefused, 5, "refused: HTTP status 500"},
      {Answered(R"({"status":"error","error":"bad"})"), Outcome::kRefused, 5, "refused: bad"},
      {Answered("<html>"), Outcome::kMalformed, 1, "malformed: no JSON"},
      {Answered(R"({"status":"success","data":{"resultType":"vector","result":[]}})"), Outcome::kStale, 5, "stale: no series"},
      {Answered(nan), Outcome::kImplausible, 5, "implausible: 1 of 1 series are left out: 1 NaN"},
      {Answered(other), Outcome::kImplausible, 5, "implausible: 1 of 1 series are left out: 1 of no known node and GPU"},
  };
  HttpAnswer answer;
  FakeHttpClient broken([&](const HttpRequest&) { return answer; });
  Collector collector({SourceOf()}, utilization_, clock_, nullptr);
  collector.Collect(0, prometheus_);
  for (const Case& one : cases) {
    answer = one.answer;
    broken.requests.clear();
    const int64_t before = CountOf(collector, one.outcome);
    clock_.Advance(absl::Minutes(7));
    collector.Collect(0, broken);
    EXPECT_EQ(static_cast<int64_t>(broken.requests.size()), one.questions) << one.trouble;
    EXPECT_EQ(CountOf(collector, one.outcome) - before, one.questions) << one.trouble;
    const v1::MeasuredUtilization latest = Latest();
    EXPECT_EQ(latest.busy_ratio(), 0.5);
    EXPECT_EQ(convert::TimeFromProto(latest.last_sample_time()), scraped_);
    EXPECT_EQ(absl::Seconds(latest.age().seconds()), clock_.Now() - scraped_);
    EXPECT_THAT(latest.trouble(), HasSubstr(one.trouble));
  }
  scraped_ = clock_.Now();
  collector.Collect(0, prometheus_);
  EXPECT_EQ(Latest().age().seconds(), 0);
  EXPECT_EQ(Latest().trouble(), "");
}

TEST_F(CollectorTest, TroubleWithoutAnyValueIsToldToo) {
  FakeHttpClient broken([](const HttpRequest&) { return HttpAnswer{.trouble = "Connection refused"}; });
  Collector collector({SourceOf()}, utilization_, clock_, nullptr);
  collector.Collect(0, broken);
  const v1::MeasuredUtilization latest = Latest();
  EXPECT_FALSE(latest.has_last_sample_time());
  EXPECT_FALSE(latest.has_age());
  EXPECT_THAT(latest.trouble(), StartsWith("DCGM_FI_DEV_GPU_UTIL{}[120s]: unreachable: Connection refused"));
}

TEST_F(CollectorTest, ACardWithoutProfilingHasTheRest) {
  FakeHttpClient plain([&](const HttpRequest& request) {
    return request.url.find("DCGM_FI_PROF") == std::string::npos
               ? Prometheus(request)
               : Answered(R"({"status":"success","data":{"resultType":"matrix","result":[]}})");
  });
  Collector collector({SourceOf()}, utilization_, clock_, nullptr);
  collector.Collect(0, plain);
  EXPECT_EQ(Latest().busy_ratio(), 0.5);
  EXPECT_FALSE(Latest().has_tensor_active_ratio());
  EXPECT_EQ(Latest().trouble(), "");
  EXPECT_EQ(CountOf(collector, Outcome::kOk), 3);
  EXPECT_EQ(CountOf(collector, Outcome::kStale), 2);
}

TEST_F(CollectorTest, NothingIsAskedForAClusterThatIsNotThere) {
  Source source = SourceOf();
  source.cluster = "other";
  Collector collector({source}, utilization_, clock_, nullptr);
  collector.Collect(0, prometheus_);
  EXPECT_THAT(prometheus_.requests, SizeIs(0));
}

/// A server that answers only when it is given up.
class SilentHttpClient : public HttpClient {
 public:
  HttpAnswer Get(const HttpRequest&) override {
    base::MutexLock lock(mutex_);
    is_asked_ = true;
    changed_.WakeAll();
    while (!is_cancelled_) changed_.Wait(mutex_);
    return {.outcome = HttpAnswer::Outcome::kCancelled};
  }
  void Cancel() override {
    base::MutexLock lock(mutex_);
    is_cancelled_ = true;
    changed_.WakeAll();
  }
  void WaitUntilAsked() {
    base::MutexLock lock(mutex_);
    while (!is_asked_) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::Condition changed_;
  bool is_asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST_F(CollectorTest, StopsWhileItAsks) {
  SilentHttpClient silent;
  Collector collector({SourceOf()}, utilization_, clock_, nullptr);
  collector.Start(silent);
  silent.WaitUntilAsked();
  // Meanwhile everything else goes on: no lock is held.
  v1::ReportUtilizationRequest request;
  v1::ReportUtilizationResponse tally;
  v1::UtilizationSample& sample = *request.add_samples();
  sample.set_node("n1");
  sample.set_busy_ratio(1);
  *sample.mutable_time() = convert::TimeToProto(clock_.Now());
  EXPECT_TRUE(utilization_.Report("main", request, 1, tally).ok());
  EXPECT_EQ(Latest().busy_ratio(), 1);
  collector.Stop();
  EXPECT_EQ(collector.CountsOf(0), Collector::Counts());
}

TEST_F(CollectorTest, StopsWhileItWaitsAndDoesNotStartAgain) {
  Collector collector({SourceOf()}, utilization_, clock_, nullptr);
  collector.Start(prometheus_);
  collector.Stop();
  const size_t asked = prometheus_.requests.size();
  collector.Start(prometheus_);
  EXPECT_THAT(prometheus_.requests, SizeIs(asked));
}

}  // namespace
}  // namespace planner::collector
