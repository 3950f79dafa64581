#include "services/utilization/utilization.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "services/convert/cluster.h"
#include "services/convert/time.h"
#include "services/utilization/record_names.h"

namespace planner::utilization {
namespace {

using store::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A store that can be full, and counts its writes.
class FullStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  absl::Status Transact(const store::Body& body) override {
    ++transactions;
    if (is_full) return absl::ResourceExhaustedError("disk full");
    return MemoryStore::Transact(body);
  }
  std::atomic<int> transactions = 0;
  std::atomic<bool> is_full = false;
};

class UtilizationTest : public ::testing::Test {
 protected:
  UtilizationTest() {
    SetCluster(
        "name: 'main' node_pools { name: 'a' gpu_type: 'a100' node_count: 2 node_names: 'gpu[01-02]' }"
        " node_pools { name: 'h' gpu_type: 'h100' node_count: 4 gpus_per_node: 4 }");
  }

  void SetCluster(const std::string& text) {
    v1::Cluster cluster;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &cluster));
    const std::string value = convert::NormalizedCluster("cluster", cluster, gpus_)->SerializeAsString();
    const auto set = [&](const store::Record&) -> absl::StatusOr<std::string> { return value; };
    if (!store_.Update(Kind::kCluster, "main", "", set).ok()) {
      ASSERT_TRUE(store_.Create(Kind::kCluster, "main", value, "").ok());
    }
  }
  /// So long after now.
  v1::UtilizationSample Sample(const std::string& node, int gpu, double busy,
                               absl::Duration after = absl::ZeroDuration()) {
    v1::UtilizationSample sample;
    sample.set_node(node);
    sample.set_gpu(gpu);
    sample.set_busy_ratio(busy);
    *sample.mutable_time() = convert::TimeToProto(clock_.Now() + after);
    return sample;
  }
  v1::ReportUtilizationResponse Report(const std::vector<v1::UtilizationSample>& samples, Utilization& to) {
    v1::ReportUtilizationRequest request;
    request.mutable_samples()->Assign(samples.begin(), samples.end());
    v1::ReportUtilizationResponse tally;
    const absl::Status status = to.Report("main", request, 1, tally);
    EXPECT_TRUE(status.ok()) << status;
    return tally;
  }
  v1::ReportUtilizationResponse Report(const std::vector<v1::UtilizationSample>& samples) {
    return Report(samples, utilization_);
  }
  std::string Refusal(const v1::UtilizationSample& sample) {
    const v1::ReportUtilizationResponse tally = Report({sample});
    EXPECT_EQ(tally.accepted_count(), tally.refusals().empty() ? 1 : 0);
    EXPECT_EQ(tally.refused_count(), tally.refusals_size());
    return tally.refusals().empty() ? "" : tally.refusals(0);
  }
  v1::GetUtilizationResponse Get(const std::string& more = "") {
    v1::GetUtilizationRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("cluster: 'main' " + more, &request));
    const auto response = utilization_.Get(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::GetUtilizationResponse();
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const absl::StatusOr<store::Page> page = store_.List(Kind::kUtilization, {});
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return names;
    for (const store::Record& record : page->records) names.push_back(record.name);
    return names;
  }

  static constexpr UtilizationOptions kOptions = {
      .keep_hours = absl::Hours(48), .keep_days = absl::Hours(24 * 10), .has_thread = false};
  base::FakeClock clock_;  // 2026-01-01T00:00:00Z.
  FullStore store_{clock_};
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings_{store_, gpus_, clock_};
  Utilization utilization_{store_, bookings_, clock_, kOptions};
};

TEST_F(UtilizationTest, RollsSamplesUpByPoolAndHour) {
  EXPECT_EQ(Report({Sample("gpu01", 0, 0.5), Sample("gpu02", 7, 1), Sample("h-3", 3, 0.25, -absl::Hours(2))})
                .accepted_count(),
            3);
  EXPECT_THAT(Names(), IsEmpty());
  ASSERT_TRUE(utilization_.Flush().ok());
  EXPECT_THAT(Names(), ElementsAre("main/a/h/2026010100", "main/h/h/2025123122"));
  const v1::GetUtilizationResponse response = Get();
  ASSERT_EQ(response.pools_size(), 2);
  const v1::PoolUtilization& a = response.pools(0);
  EXPECT_EQ(a.node_pool(), "a");
  EXPECT_EQ(a.gpu_type(), "A100-SXM-80GB");
  EXPECT_EQ(a.summary().sample_count(), 2);
  EXPECT_EQ(a.summary().busy_ratio(), 0.75);
  EXPECT_FALSE(a.summary().has_power_watts());
  EXPECT_EQ(convert::TimeFromProto(a.summary().last_sample_time()), clock_.Now());
  EXPECT_EQ(a.summary().duration().seconds(), 24 * 3600);
  ASSERT_EQ(response.pools(1).periods_size(), 1);
  EXPECT_EQ(response.pools(1).periods(0).start_time().seconds(), 1767225600 - 2 * 3600);
  EXPECT_EQ(response.pools(1).periods(0).duration().seconds(), 3600);
  EXPECT_EQ(Get("node_pool: 'h'").pools_size(), 1);
}

TEST_F(UtilizationTest, RefusesWhatCannotBeAndSaysWhy) {
  const auto with = [&](auto change) {
    v1::UtilizationSample sample = Sample("gpu01", 0, 0.5);
    change(sample);
    return Refusal(sample);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(with([&](auto& s) { s.set_busy_ratio(nan); }), "samples[0].busy_ratio: must be 0 to 1: NaN");
  EXPECT_EQ(with([&](auto& s) { s.set_busy_ratio(1.01); }), "samples[0].busy_ratio: must be 0 to 1: 1.01");
  EXPECT_EQ(with([&](auto& s) { s.set_tensor_active_ratio(-infinity); }),
            "samples[0].tensor_active_ratio: must be 0 to 1: -inf");
  EXPECT_EQ(with([&](auto& s) { s.set_memory_active_ratio(2); }), "samples[0].memory_active_ratio: must be 0 to 1: 2");
  EXPECT_THAT(with([&](auto& s) { s.set_memory_used_bytes(-1); }),
              HasSubstr("samples[0].memory_used_bytes: must be at least 0"));
  EXPECT_THAT(with([&](auto& s) { s.set_memory_used_bytes(int64_t{1} << 60); }),
              HasSubstr("memory_used_bytes: must be at most"));
  EXPECT_THAT(with([&](auto& s) { s.set_power_watts(1e300); }),
              HasSubstr("samples[0].power_watts: must be at most 1e+06"));
  EXPECT_THAT(with([&](auto& s) { s.set_power_watts(nan); }), HasSubstr("samples[0].power_watts: must be a number"));
  EXPECT_EQ(with([&](auto& s) { s.set_node("gpu03"); }), "samples[0].node: is no node of the cluster: node=\"gpu03\"");
  EXPECT_THAT(with([&](auto& s) { s.set_node("gpu[01-01]"); }), HasSubstr("is no node")) << "a list is no name";
  EXPECT_THAT(with([&](auto& s) { s.set_node("gpu1"); }), HasSubstr("is no node"));
  EXPECT_EQ(with([&](auto& s) { s.clear_node(); }), "samples[0].node: is missing");
  EXPECT_THAT(with([&](auto& s) { s.set_node(std::string(1000, 'x')); }),
              HasSubstr("samples[0].node: must be at most 256 bytes"));
  EXPECT_EQ(with([&](auto& s) { s.set_gpu(8); }), "samples[0].gpu: must be 0 to 7: gpu=8");
  EXPECT_EQ(with([&](auto& s) { s.set_gpu(-1); }), "samples[0].gpu: must be 0 to 7: gpu=-1");
  EXPECT_EQ(with([&](auto& s) { s.clear_time(); }), "samples[0].time: is missing");
  EXPECT_THAT(with([&](auto& s) { s.mutable_time()->set_nanos(-1); }), HasSubstr("samples[0].time.nanos"));
  EXPECT_EQ(with([&](auto& s) { s.clear_busy_ratio(); }), "samples[0]: has no measurement");
  EXPECT_EQ(Refusal(Sample("gpu01", 0, 0.5, absl::Seconds(61))),
            "samples[0].time: is in the future: 2026-01-01T00:01:01Z at 2026-01-01T00:00:00Z");
  EXPECT_THAT(Refusal(Sample("gpu01", 0, 0.5, -absl::Hours(24) - absl::Seconds(1))),
              HasSubstr("is more than a day ago"));
  EXPECT_EQ(Refusal(Sample("gpu01", 0, 0.5, absl::Seconds(60))), "");
  EXPECT_EQ(Refusal(Sample("gpu01", 1, 0.5, -absl::Hours(24))), "");
  EXPECT_EQ(utilization_.accepted_count(), 2);
  EXPECT_EQ(utilization_.refused_count(), 20);
  ASSERT_TRUE(utilization_.Flush().ok());
  EXPECT_EQ(Get("start_time { seconds: 1 } end_time { seconds: 1767300000 }").pools(0).summary().sample_count(), 2);
}

TEST_F(UtilizationTest, OnlyTheFirstRefusalsAreNamed) {
  const v1::ReportUtilizationResponse tally = Report(std::vector<v1::UtilizationSample>(50, Sample("nowhere", 0, 0.5)));
  EXPECT_EQ(tally.refused_count(), 50);
  EXPECT_THAT(tally.refusals(), SizeIs(20));
  EXPECT_THAT(tally.refusals(19), HasSubstr("samples[19].node"));
}

TEST_F(UtilizationTest, RepeatedSamplesCountOnceAndLateOnesCount) {
  EXPECT_EQ(Report({Sample("gpu01", 0, 0.5, -absl::Seconds(30)), Sample("gpu01", 0, 0.7)}).accepted_count(), 2);
  const v1::ReportUtilizationResponse again =
      Report({Sample("gpu01", 0, 0.5, -absl::Seconds(30)), Sample("gpu01", 0, 0.7),
              Sample("gpu01", 0, 0.9, -absl::Seconds(15)), Sample("gpu01", 1, 0.7)});
  EXPECT_EQ(again.accepted_count(), 2);
  EXPECT_EQ(again.refusals(0), "samples[0].time: a sample of this GPU and time was taken before");
  ASSERT_TRUE(utilization_.Flush().ok());
  EXPECT_EQ(
      Get("start_time { seconds: 1767220000 } end_time { seconds: 1767229200 }").pools(0).summary().sample_count(), 4);
}

TEST_F(UtilizationTest, ReplicasAddUp) {
  Utilization other(store_, bookings_, clock_, kOptions);
  Report({Sample("gpu01", 0, 0.5)});
  Report({Sample("gpu02", 0, 1)}, other);
  ASSERT_TRUE(utilization_.Flush().ok());
  ASSERT_TRUE(other.Flush().ok());
  EXPECT_EQ(Get().pools(0).summary().sample_count(), 2);
  EXPECT_EQ(Get().pools(0).summary().busy_ratio(), 0.75);
}

TEST_F(UtilizationTest, WritesOnceForManyAndNothingForNothing) {
  const int before = store_.transactions;
  for (int i = 0; i < 100; ++i)
    Report({Sample("gpu01", 0, 0.5, absl::Milliseconds(i)), Sample("h-0", 0, 0.5, absl::Milliseconds(i))});
  EXPECT_EQ(store_.transactions, before);
  ASSERT_TRUE(utilization_.Flush().ok());
  EXPECT_EQ(store_.transactions, before + 1);
  ASSERT_TRUE(utilization_.Flush().ok());
  EXPECT_EQ(store_.transactions, before + 1);
}

TEST_F(UtilizationTest, AFullDiskLosesNothing) {
  Report({Sample("gpu01", 0, 0.5)});
  store_.is_full = true;
  EXPECT_TRUE(absl::IsResourceExhausted(utilization_.Flush()));
  Report({Sample("gpu01", 1, 1)});
  EXPECT_FALSE(utilization_.Flush().ok());
  store_.is_full = false;
  ASSERT_TRUE(utilization_.Flush().ok());
  EXPECT_EQ(Get().pools(0).summary().sample_count(), 2);
}

TEST_F(UtilizationTest, OldHoursBecomeDaysAndOldDaysGo) {
  for (int hour = 0; hour < 4 * 24; ++hour) {
    Report({Sample("gpu01", 0, hour < 24 ? 1 : 0)});
    clock_.Advance(absl::Hours(1));
  }
  ASSERT_TRUE(utilization_.Flush().ok());
  // Two days of hours are kept; those before them are of two days.
  const std::vector<std::string> names = Names();
  EXPECT_THAT(names, SizeIs(2 + 48));
  EXPECT_EQ(names[0], "main/a/d/20260101");
  EXPECT_EQ(names[1], "main/a/d/20260102");
  EXPECT_EQ(names[2], "main/a/h/2026010300");
  const v1::PoolUtilization pool = Get("start_time { seconds: 1767225600 }").pools(0);
  EXPECT_THAT(pool.periods(), SizeIs(50));
  EXPECT_EQ(pool.summary().sample_count(), 96) << "nothing is lost";
  EXPECT_EQ(pool.summary().busy_ratio(), 0.25);
  EXPECT_EQ(pool.periods(0).duration().seconds(), 86400);
  EXPECT_EQ(pool.periods(0).sample_count(), 24);
  EXPECT_EQ(pool.periods(0).busy_ratio(), 1);
  clock_.Advance(absl::Hours(24 * 8));
  ASSERT_TRUE(utilization_.RollUp().ok());
  EXPECT_THAT(Names(), ElementsAre("main/a/d/20260103", "main/a/d/20260104"));
  ASSERT_TRUE(utilization_.RollUp().ok());
  EXPECT_THAT(Names(), SizeIs(2)) << "and nothing twice";
}

TEST_F(UtilizationTest, ReplicasRollUpOnce) {
  Utilization other(store_, bookings_, clock_, kOptions);
  Report({Sample("gpu01", 0, 0.5)});
  ASSERT_TRUE(utilization_.Flush().ok());
  clock_.Advance(absl::Hours(72));
  std::thread thread([&] { EXPECT_TRUE(other.RollUp().ok()); });
  EXPECT_TRUE(utilization_.RollUp().ok());
  thread.join();
  EXPECT_THAT(Names(), ElementsAre("main/a/d/20260101"));
  EXPECT_EQ(Get("start_time { seconds: 1767225600 }").pools(0).summary().sample_count(), 1);
}

TEST_F(UtilizationTest, ManyRecordsAreReadInPages) {
  // 1,500 hours of one pool beside another whose name begins alike.
  SetCluster(
      "name: 'main' node_pools { name: 'a' gpu_type: 'a100' node_count: 1 } node_pools { name: 'a-b' gpu_type: 'a100' "
      "node_count: 1 }");
  for (int hour = 0; hour < 1500; ++hour) {
    const Period period{"main", "a", false, clock_.Now() + absl::Hours(hour)};
    Summary summary{.start = period.start, .length = period.length()};
    summary.Add({period.start, {0.5}});
    ASSERT_TRUE(store_.Create(Kind::kUtilization, NameOf(period), Encode(summary), "").ok());
    ASSERT_TRUE(
        store_.Create(Kind::kUtilization, NameOf({"main", "a-b", false, period.start}), Encode(summary), "").ok());
  }
  const v1::GetUtilizationResponse response =
      Get("start_time { seconds: 1767227400 } end_time { seconds: 1772625600 }");
  EXPECT_EQ(response.pools(0).summary().sample_count(), 1500) << "the hour that it begins in, too";
  EXPECT_EQ(response.pools(1).summary().sample_count(), 1500);
  EXPECT_EQ(
      Get("start_time { seconds: 1767229200 } end_time { seconds: 1767232800 }").pools(0).summary().sample_count(), 1);
}

TEST_F(UtilizationTest, QuestionsThatAreWrongNameTheirField) {
  const auto wrong = [&](const std::string& text) {
    v1::GetUtilizationRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request));
    return base::DetailOf(utilization_.Get(request).status()).field;
  };
  EXPECT_EQ(wrong(""), "cluster");
  EXPECT_EQ(wrong("cluster: 'none'"), "cluster");
  EXPECT_EQ(wrong("cluster: 'main' node_pool: 'x'"), "node_pool");
  EXPECT_EQ(wrong("cluster: 'main' start_time { seconds: 1767225600 }"), "start_time");
  EXPECT_EQ(wrong("cluster: 'main' start_time { seconds: -1 }"), "start_time.seconds");
  EXPECT_EQ(wrong("cluster: 'main' end_time { seconds: 999999999999 }"), "end_time.seconds");
  v1::ReportUtilizationResponse tally;
  EXPECT_TRUE(absl::IsNotFound(utilization_.Report("none", {}, 1, tally)));
  v1::ReportUtilizationRequest many;
  for (int i = 0; i <= 10'000; ++i) many.add_samples();
  EXPECT_EQ(base::DetailOf(utilization_.Report("main", many, 1, tally)).field, "samples");
}

TEST_F(UtilizationTest, ANewInventoryIsKnownAtOnce) {
  EXPECT_NE(Refusal(Sample("gpu03", 0, 0.5)), "");
  SetCluster("name: 'main' node_pools { name: 'a' gpu_type: 'a100' node_count: 3 node_names: 'gpu[01-03]' }");
  EXPECT_EQ(Refusal(Sample("gpu03", 0, 0.5)), "");
}

TEST_F(UtilizationTest, TheLastMinutesAreGoneWhenNothingComes) {
  Report({Sample("gpu01", 0, 0.5), Sample("gpu01", 1, 1)});
  ASSERT_THAT(utilization_.Recent(), SizeIs(1));
  EXPECT_EQ(utilization_.Recent().at({"main", "a"}).busy.Mean(), 0.75);
  EXPECT_EQ(utilization_.Recent().at({"main", "a"}).tensor_active.Mean(), std::nullopt);
  const absl::Time reported = utilization_.Recent().at({"main", "a"}).newest;
  clock_.Advance(absl::Minutes(6));
  EXPECT_EQ(utilization_.Recent().at({"main", "a"}).busy.Mean(), std::nullopt);
  EXPECT_EQ(utilization_.Recent().at({"main", "a"}).newest, reported);
}

TEST_F(UtilizationTest, TheNewestSampleIsKnownAfterARestart) {
  EXPECT_THAT(utilization_.Recent(), IsEmpty());
  Report({Sample("gpu01", 0, 0.5)});
  const absl::Time reported = utilization_.Recent().at({"main", "a"}).newest;
  ASSERT_TRUE(utilization_.Flush().ok());
  clock_.Advance(absl::Hours(24 * 100));
  Utilization next(store_, bookings_, clock_, kOptions);
  EXPECT_THAT(next.Recent(), IsEmpty());
  ASSERT_TRUE(next.RollUp().ok());
  EXPECT_EQ(next.Recent().at({"main", "a"}).newest, reported);
}

TEST_F(UtilizationTest, WritesByItself) {
  UtilizationOptions options = kOptions;
  options.has_thread = true;
  options.write_interval = absl::ZeroDuration();
  Utilization own(store_, bookings_, clock_, options);
  Report({Sample("gpu01", 0, 0.5)}, own);
  while (Names().empty()) std::this_thread::yield();  // A thread that never writes runs into the time limit.
  EXPECT_THAT(Names(), SizeIs(1));
}

TEST_F(UtilizationTest, ItsEndWritesWhatWaits) {
  {
    Utilization ending(store_, bookings_, clock_, kOptions);
    Report({Sample("gpu01", 0, 0.5)}, ending);
  }
  EXPECT_THAT(Names(), SizeIs(1));
}

TEST(RecordNamesTest, AreReadAsTheyAreWritten) {
  for (const char* name : {"main/a/h/2026010100", "main/a-b/d/20261231"}) EXPECT_EQ(NameOf(*PeriodOf(name)), name);
  for (const char* name :
       {"", "main/a/h/20260101", "main/a/d/2026010100", "main/a/x/20260101", "main/a/d/20261301", "a/d/20260101"}) {
    EXPECT_FALSE(PeriodOf(name).has_value()) << name;
  }
}

TEST_F(UtilizationTest, TheLastGoodValuesStayWithTheirAge) {
  EXPECT_THAT(utilization_.Latest({{"main", "a"}}, clock_.Now()), IsEmpty());
  v1::UtilizationSample holds = Sample("gpu01", 1, 0);
  holds.set_memory_used_bytes(int64_t{40} << 30);
  v1::UtilizationSample idle = Sample("gpu01", 2, 0);
  idle.set_memory_used_bytes(int64_t{500} << 20);
  Report({Sample("gpu01", 0, 0.75), holds, idle});
  clock_.Advance(absl::Hours(2));
  utilization_.NoteTrouble("main", "timeout");
  const auto latest = utilization_.Latest({{"main", "a"}, {"other", "a"}}, clock_.Now());
  ASSERT_THAT(latest, SizeIs(1));
  EXPECT_EQ(latest[0].cluster(), "clusters/main");
  EXPECT_EQ(latest[0].node_pool(), "a");
  EXPECT_EQ(latest[0].age().seconds(), 7200);
  EXPECT_EQ(latest[0].busy_ratio(), 0.25);
  EXPECT_FALSE(latest[0].has_tensor_active_ratio());
  EXPECT_EQ(latest[0].measured_gpu_count(), 3);
  EXPECT_EQ(latest[0].occupied_gpu_count(), 2);
  EXPECT_EQ(latest[0].trouble(), "timeout");
  EXPECT_EQ(Get("node_pool: 'a'").pools(0).latest().age().seconds(), 7200);
  utilization_.NoteTrouble("main", "");
  EXPECT_EQ(utilization_.Latest({{"main", "a"}}, clock_.Now())[0].trouble(), "");
}

TEST_F(UtilizationTest, TheLastGoodValuesOutliveTheProcess) {
  Report({Sample("gpu01", 0, 0.5)});
  ASSERT_TRUE(utilization_.Flush().ok());
  clock_.Advance(absl::Minutes(10));
  Utilization after(store_, bookings_, clock_, kOptions);
  ASSERT_TRUE(after.RollUp().ok());
  const auto latest = after.Latest({{"main", "a"}}, clock_.Now());
  ASSERT_THAT(latest, SizeIs(1));
  EXPECT_EQ(latest[0].age().seconds(), 600);
  EXPECT_EQ(latest[0].busy_ratio(), 0.5);
  EXPECT_EQ(latest[0].measured_gpu_count(), 0);
}

}  // namespace
}  // namespace planner::utilization
