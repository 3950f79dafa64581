#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <string>

#include "core/base/fake_clock.h"
#include "services/telemetry/measured_counter.h"
#include "services/telemetry/metrics_server.h"
#include "services/telemetry/rpc_probe.h"

namespace planner::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Text(const prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

TEST(RpcProbeTest, CountsByMethodAndCode) {
  prometheus::Registry registry;
  constexpr std::string_view kMethods[] = {"A", "B"};
  RpcProbe probe(registry, kMethods);
  probe.Record("A", absl::StatusCode::kOk, absl::Milliseconds(2));
  probe.Record("A", absl::StatusCode::kOk, absl::Milliseconds(2));
  probe.Record("A", absl::StatusCode::kNotFound, absl::Seconds(100));
  EXPECT_THAT(Text(registry), HasSubstr(R"(planner_rpc_requests_total{code="OK",method="A"} 2)"));
  EXPECT_THAT(Text(registry), HasSubstr(R"(planner_rpc_requests_total{code="NOT_FOUND",method="A"} 1)"));
  EXPECT_THAT(Text(registry), HasSubstr(R"(planner_rpc_duration_seconds_bucket{method="A",le="0.003"} 2)"));
  EXPECT_THAT(Text(registry), HasSubstr(R"(planner_rpc_duration_seconds_count{method="B"} 0)"));
}

TEST(RpcProbeTest, EveryCodeIsCountedFromZero) {
  prometheus::Registry registry;
  constexpr std::string_view kMethods[] = {"A"};
  const RpcProbe probe(registry, kMethods);
  EXPECT_THAT(Text(registry), HasSubstr(R"(planner_rpc_requests_total{code="RESOURCE_EXHAUSTED",method="A"} 0)"));
  EXPECT_THAT(Text(registry), HasSubstr(R"(planner_rpc_requests_total{code="UNAUTHENTICATED",method="A"} 0)"));
}

TEST(RpcProbeTest, KnowsWhatIsWorkedOn) {
  prometheus::Registry registry;
  RpcProbe probe(registry, {});
  probe.SetLimit(64);
  probe.CallBegins();
  probe.CallBegins();
  probe.CallEnds();
  EXPECT_THAT(Text(registry), HasSubstr("\nplanner_rpc_active_calls 1\n"));
  EXPECT_THAT(Text(registry), HasSubstr("\nplanner_rpc_active_calls_limit 64\n"));
}

TEST(RpcProbeTest, LabelsAreAClosedSet) {
  prometheus::Registry registry;
  constexpr std::string_view kMethods[] = {"A"};
  RpcProbe probe(registry, kMethods);
  probe.Record("of a caller's own", absl::StatusCode::kOk, absl::Seconds(1));
  EXPECT_THAT(Text(registry), Not(HasSubstr("caller")));
}

/// Takes three seconds of the clock that it is given.
class SlowCounter : public counting::Counter {
 public:
  explicit SlowCounter(base::FakeClock& clock) : clock_(clock) {}
  counting::CounterInfo Info() const override { return {"slow", "1", "", false}; }
  absl::StatusOr<counting::CostReport> Count(const counting::CountRequest&) const override {
    clock_.Advance(absl::Seconds(3));
    return absl::OutOfRangeError("too much");
  }

 private:
  base::FakeClock& clock_;
};

TEST(MeasuredCounterTest, MeasuresTimeAndPassesTheAnswerOn) {
  prometheus::Registry registry;
  base::FakeClock clock;
  const SlowCounter slow(clock);
  const MeasuredCounter counter(slow, registry, clock);
  const model::ModelDescription model;
  EXPECT_TRUE(absl::IsOutOfRange(counter.Count({.model = model}).status()));
  EXPECT_EQ(counter.Info().name, "slow");
  EXPECT_THAT(Text(registry), HasSubstr(R"(planner_count_duration_seconds_sum{counter="slow"} 3)"));
}

TEST(WritePluginsTest, SaysWhoCanBeAskedAndHowOftenItWasStartedAgain) {
  Page page;
  WritePlugins({{.name = "a"}, {.name = "b", .up = false}}, {{"b", 4}}, page);
  EXPECT_THAT(page.text(), HasSubstr(R"(planner_plugin_up{counter="a"} 1)"));
  EXPECT_THAT(page.text(), HasSubstr(R"(planner_plugin_up{counter="b"} 0)"));
  EXPECT_THAT(page.text(), HasSubstr(R"(planner_plugin_restarts_total{counter="a"} 0)"));
  EXPECT_THAT(page.text(), HasSubstr(R"(planner_plugin_restarts_total{counter="b"} 4)"));
}

class NoMetrics : public PageSource {
 public:
  void Write(Page&) const override {}
};

TEST(MetricsServerTest, PicksAPortAndSaysWhich) {
  const auto server = MetricsServer::Start("127.0.0.1:0", std::make_shared<NoMetrics>());
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT((*server)->address(), ::testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
  // The port is taken now.
  EXPECT_TRUE(absl::IsUnavailable(
      MetricsServer::Start((*server)->address(), std::make_shared<NoMetrics>()).status()));
}

}  // namespace
}  // namespace planner::telemetry
