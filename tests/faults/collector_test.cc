// A Prometheus that misbehaves in every way, against plannerd, which goes on with the last good values and answers as fast as ever.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "fmt/format.h"
#include "services/http/curl_client.h"
#include "tests/behaviour/daemon_process.h"
#include "tests/faults/faulty_prometheus.h"
#include "tests/faults/planner_client.h"
#include "tests/faults/scratch_folder.h"

namespace planner::faults {
namespace {

using behaviour::DaemonProcess;
using ::testing::HasSubstr;
using Mode = FaultyPrometheus::Mode;

constexpr absl::Duration kPatience = absl::Seconds(60);
/// Of plannerd's end: it must not wait for a question to time out.
constexpr absl::Duration kPrompt = absl::Seconds(5);
constexpr double kMostMilliseconds = 50;
constexpr int kCalls = 300;

absl::Time Now() { return base::Clock::Real().Now(); }

/// plannerd with the source of a cluster main.
class Planner {
 public:
  Planner(const std::string& url, const std::string& limits) {
    const std::string config = folder_.path().string() + "/plannerd.textproto";
    std::ofstream(config) << "clusters { name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 2 node_names: 'n[1-2]' } }\n"
                          << "utilization_sources { cluster: 'main' url: '" << url << "' " << limits << " }\n";
    daemon_ = std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config, "--listen", "127.0.0.1:0", "--metrics_listen",
                                                                       "127.0.0.1:0", "--state_dir", folder_.path().string() + "/state"});
    EXPECT_TRUE(daemon_->ready()) << daemon_->output();
    if (daemon_->ready()) client_ = std::make_unique<PlannerClient>(daemon_->Addresses("grpc")[0]);
  }

  v1::MeasuredUtilization Latest() {
    v1::GetUtilizationResponse response;
    const grpc::Status status = PlannerClient::Call(*client_->clusters, &v1::ClusterService::Stub::GetUtilization,
                                                    From<v1::GetUtilizationRequest>("cluster: 'main'"), response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.pools_size() == 1 ? response.pools(0).latest() : v1::MeasuredUtilization();
  }
  v1::EstimateResponse Estimate() {
    v1::EstimateResponse response;
    const grpc::Status status = PlannerClient::Call(
        *client_->estimation, &v1::EstimationService::Stub::Estimate,
        From<v1::EstimateRequest>(
            "model { preset: 'llama-7b' } data_set { token_count: 1e9 } resources { cluster: 'main' min_gpus: 8 max_gpus: 8 } "
            "layout { tensor_parallel: 4 pipeline_parallel: 1 micro_batch_size: 1 } training { recompute: FULL }"),
        response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  v1::Cluster Cluster() {
    v1::Cluster cluster;
    EXPECT_TRUE(
        PlannerClient::Call(*client_->clusters, &v1::ClusterService::Stub::GetCluster, From<v1::GetClusterRequest>("name: 'main'"), cluster)
            .ok());
    return cluster;
  }
  /// planner_utilization_queries_total of an outcome.
  int64_t Count(const std::string& outcome) const {
    const std::string page = behaviour::HttpGet(daemon_->Addresses("metrics")[0], "/metrics");
    const std::string series = fmt::format("planner_utilization_queries_total{{cluster=\"main\",outcome=\"{}\"}} ", outcome);
    const size_t at = page.find(series);
    EXPECT_NE(at, std::string::npos) << series;
    return at == std::string::npos ? 0 : std::atoll(page.c_str() + at + series.size());
  }
  /// Asks until it holds: each question is an answer of plannerd's, and no sleep.
  template <typename Condition>
  void Until(const std::string& what, const Condition& holds) {
    const absl::Time deadline = Now() + kPatience;
    while (!holds()) {
      if (Now() > deadline) FAIL() << "not within a minute: " << what << "\n" << Latest().DebugString();
    }
  }
  /// SIGTERM, in whatever the collector is at.
  void ExpectToStopPromptly() {
    client_.reset();  // A connection that nobody looks after is not given up at once.
    const absl::Time begin = Now();
    daemon_->Terminate();
    EXPECT_EQ(daemon_->Wait(), 0) << daemon_->output();
    EXPECT_LT(Now() - begin, kPrompt);
  }
  int64_t ResidentBytes() const {
    std::ifstream file(fmt::format("/proc/{}/statm", daemon_->pid()));
    int64_t size = 0, resident = 0;
    file >> size >> resident;
    return resident * sysconf(_SC_PAGESIZE);
  }

 private:
  ScratchFolder folder_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::unique_ptr<PlannerClient> client_;
};

constexpr char kImpatient[] =
    "interval_milliseconds: 100 connect_timeout_milliseconds: 500 timeout_milliseconds: 400 max_answer_bytes: 4000000";

struct Misbehaviour {
  std::string name;
  Mode mode = Mode::kGood;
  std::string outcome;
  std::string trouble;  ///< As answers say it.
};

void PrintTo(const Misbehaviour& fault, std::ostream* out) { *out << fault.name; }

class CollectorFaults : public ::testing::TestWithParam<Misbehaviour> {};

/// While it misbehaves: three calls, kCalls times, of which the 99th percentile counts; each says the last good values with their age.
TEST_P(CollectorFaults, LastGoodValuesWithTheirAgeAndFastAnswers) {
  const Misbehaviour& fault = GetParam();
  FaultyPrometheus prometheus;
  Planner planner(prometheus.url(), kImpatient);
  planner.Until("a good value", [&] { return planner.Latest().has_last_sample_time(); });
  (void)planner.Estimate();

  prometheus.Play(fault.mode);
  const int64_t before = planner.Count(fault.outcome);
  // What was asked before is over with the second one.
  planner.Until("two questions " + fault.outcome, [&] { return planner.Count(fault.outcome) >= before + 2; });
  planner.Until("the trouble is told", [&] { return !planner.Latest().trouble().empty(); });
  const v1::MeasuredUtilization last = planner.Latest();
  const int64_t resident = planner.ResidentBytes();

  std::vector<double> milliseconds;
  const auto timed = [&](const auto& call) {
    const absl::Time begin = Now();
    auto answer = call();
    milliseconds.push_back(absl::ToDoubleMilliseconds(Now() - begin));
    return answer;
  };
  for (int i = 0; i < kCalls; ++i) {
    const v1::EstimateResponse estimate = timed([&] { return planner.Estimate(); });
    const v1::MeasuredUtilization latest = timed([&] { return planner.Latest(); });
    const v1::Cluster cluster = timed([&] { return planner.Cluster(); });
    ASSERT_EQ(estimate.provenance().utilization_size(), 1);
    for (const v1::MeasuredUtilization& one :
         {estimate.provenance().utilization(0), latest, cluster.node_pools(0).status().utilization()}) {
      ASSERT_EQ(one.last_sample_time().seconds(), last.last_sample_time().seconds());
      ASSERT_GE(one.age().seconds(), last.age().seconds());
      ASSERT_EQ(one.busy_ratio(), 0.75);
      ASSERT_EQ(one.tensor_active_ratio(), 0.5);
      ASSERT_EQ(one.measured_gpu_count(), 16);
      ASSERT_EQ(one.occupied_gpu_count(), 16);
      ASSERT_THAT(one.trouble(), HasSubstr(fault.trouble));
    }
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  const double p99 = milliseconds[milliseconds.size() * 99 / 100];
  RecordProperty("p99_milliseconds", fmt::format("{:.2f}", p99));
  fmt::print("{}: p50 {:.2f} ms, p99 {:.2f} ms, most {:.2f} ms\n", fault.name, milliseconds[milliseconds.size() / 2], p99,
             milliseconds.back());
  EXPECT_LT(p99, kMostMilliseconds);
  EXPECT_LT(planner.ResidentBytes() - resident, int64_t{16} << 20);
  EXPECT_EQ(prometheus.followed_count(), 0);

  planner.Until("it still asks", [&] { return planner.Count(fault.outcome) >= before + 3; });
  prometheus.Play(Mode::kGood);
  planner.Until("new values", [&] {
    return planner.Latest().trouble().empty() && planner.Latest().last_sample_time().seconds() > last.last_sample_time().seconds();
  });
  prometheus.Play(fault.mode);
  planner.ExpectToStopPromptly();
}

INSTANTIATE_TEST_SUITE_P(, CollectorFaults,
                         ::testing::Values(Misbehaviour{"Slow", Mode::kSilent, "timeout", "timeout: "},
                                           Misbehaviour{"Dripping", Mode::kDripping, "timeout", "timeout: "},
                                           Misbehaviour{"Redirecting", Mode::kRedirecting, "refused", "refused: HTTP status 302"},
                                           Misbehaviour{"Failing", Mode::kFailing, "refused", "refused: HTTP status 500"},
                                           Misbehaviour{"NotANumber", Mode::kNan, "implausible",
                                                        "implausible: 16 of 16 series are left out: 6 NaN, 10 out of range"},
                                           Misbehaviour{"Huge", Mode::kHuge, "too_large", "too_large: answer of more than 4000000 bytes"},
                                           Misbehaviour{"Nonsense", Mode::kNonsense, "malformed", "malformed: no JSON"},
                                           Misbehaviour{"Truncated", Mode::kTruncated, "unreachable", "unreachable: "},
                                           Misbehaviour{"AnotherType", Mode::kScalar, "malformed", "malformed: neither vector nor matrix"},
                                           Misbehaviour{"Old", Mode::kOld, "stale", "stale: 16 of 16 series are left out: 16 too old"},
                                           Misbehaviour{"Future", Mode::kFuture, "implausible",
                                                        "implausible: 16 of 16 series are left out: 16 in the future"}),
                         [](const auto& fault) { return fault.param.name; });

TEST(CollectorFaultsTest, RefusedAfterGoodValues) {
  auto prometheus = std::make_unique<FaultyPrometheus>();
  Planner planner(prometheus->url(), kImpatient);
  planner.Until("a good value", [&] { return planner.Latest().has_last_sample_time(); });
  prometheus.reset();
  planner.Until("questions that are refused", [&] { return planner.Count("unreachable") >= 3; });
  std::vector<double> milliseconds;
  for (int i = 0; i < 3 * kCalls; ++i) {
    const absl::Time begin = Now();
    const v1::EstimateResponse estimate = planner.Estimate();
    milliseconds.push_back(absl::ToDoubleMilliseconds(Now() - begin));
    ASSERT_EQ(estimate.provenance().utilization(0).busy_ratio(), 0.75);
    ASSERT_TRUE(estimate.provenance().utilization(0).has_age());
    ASSERT_THAT(estimate.provenance().utilization(0).trouble(), HasSubstr("unreachable: "));
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  const double p99 = milliseconds[milliseconds.size() * 99 / 100];
  fmt::print("Refused: p50 {:.2f} ms, p99 {:.2f} ms, most {:.2f} ms\n", milliseconds[milliseconds.size() / 2], p99, milliseconds.back());
  EXPECT_LT(p99, kMostMilliseconds);
  planner.ExpectToStopPromptly();
}

/// A question that may take five minutes does not hold the end.
TEST(CollectorFaultsTest, StopsInTheMiddleOfALongQuestion) {
  FaultyPrometheus prometheus;
  prometheus.Play(Mode::kSilent);
  Planner planner(prometheus.url(), "timeout_milliseconds: 300000");
  planner.Until("a question", [&] { return prometheus.question_count() > 0; });
  EXPECT_EQ(planner.Latest().trouble(), "");
  planner.ExpectToStopPromptly();
}

/// Prometheus comes up after plannerd.
TEST(CollectorFaultsTest, NeverReachedIsToldAsWell) {
  std::string url;
  {
    const FaultyPrometheus gone;
    url = gone.url();
  }
  Planner planner(url, kImpatient);
  planner.Until("questions", [&] { return planner.Count("unreachable") >= 2; });
  const v1::MeasuredUtilization latest = planner.Latest();
  EXPECT_FALSE(latest.has_last_sample_time());
  EXPECT_FALSE(latest.has_busy_ratio());
  EXPECT_THAT(latest.trouble(), HasSubstr("unreachable: "));
  planner.ExpectToStopPromptly();
}

TEST(CurlClientTest, ReadsNoMoreThanItMay) {
  FaultyPrometheus prometheus;
  prometheus.Play(Mode::kHuge);
  http::CurlClient client;
  collector::HttpRequest request;
  request.url = prometheus.url() + "/api/v1/query?query=x";
  request.max_bytes = 1 << 20;
  const collector::HttpAnswer answer = client.Get(request);
  EXPECT_EQ(answer.outcome, collector::HttpAnswer::Outcome::kTooLarge);
  EXPECT_EQ(answer.body, "");
  EXPECT_LT(prometheus.byte_count(), 32 << 20);  // What the kernel holds in between.
}

TEST(CurlClientTest, CredentialsAreSent) {
  FaultyPrometheus prometheus;
  http::CurlClient client;
  collector::HttpRequest request;
  request.url = prometheus.url() + "/api/v1/query?query=x";
  EXPECT_EQ(client.Get(request).status, 200);
  EXPECT_EQ(prometheus.authorization(), "");
  request.bearer_token = "token";
  EXPECT_EQ(client.Get(request).status, 200);
  EXPECT_EQ(prometheus.authorization(), "Bearer token");
  request.bearer_token.clear();
  request.username = "user";
  request.password = "password";
  EXPECT_EQ(client.Get(request).status, 200);
  EXPECT_EQ(prometheus.authorization(), "Basic dXNlcjpwYXNzd29yZA==");
}

TEST(CurlClientTest, OtherProtocolsAreNotSpoken) {
  http::CurlClient client;
  collector::HttpRequest request;
  request.url = "file:///etc/hostname";
  const collector::HttpAnswer answer = client.Get(request);
  EXPECT_EQ(answer.outcome, collector::HttpAnswer::Outcome::kUnreachable);
  EXPECT_EQ(answer.body, "");
}

TEST(CurlClientTest, NothingIsAskedAfterCancel) {
  FaultyPrometheus prometheus;
  http::CurlClient client;
  client.Cancel();
  collector::HttpRequest request;
  request.url = prometheus.url();
  EXPECT_EQ(client.Get(request).outcome, collector::HttpAnswer::Outcome::kCancelled);
}

}  // namespace
}  // namespace planner::faults
