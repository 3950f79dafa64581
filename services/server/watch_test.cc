// What watches tell their clients, without a server: the feed turns by hand, and the clock stands still.

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "services/bookings/bookings.h"
#include "services/catalog/catalog.h"
#include "services/convert/time.h"
#include "services/feed/change_feed.h"
#include "services/server/cluster_watch.h"
#include "services/server/clusters.h"
#include "services/server/fake_id_source.h"
#include "services/server/live_streams.h"
#include "services/server/reservations.h"

namespace planner::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

class ClusterWatchTest : public ::testing::Test {
 protected:
  ClusterWatchTest() { SetCluster(""); }

  void SetCluster(const std::string& more) {
    const auto updated = UpdateCluster(
        Parse<v1::UpdateClusterRequest>(
            "allow_missing: true cluster { name: 'main' node_pools { name: 'h' gpu_type: 'h100' node_count: 4 " + more +
            " } }"),
        gpus_, bookings_);
    ASSERT_TRUE(updated.ok()) << updated.status();
  }
  /// For an hour from so many hours on; held for some minutes, or firm.
  std::string Reserve(int from_hours, int hold_minutes = 0) {
    v1::CreateReservationRequest request =
        Parse<v1::CreateReservationRequest>("parent: 'main' reservation { gpu_count: 8 }");
    const absl::Time start = clock_.Now() + absl::Hours(from_hours);
    *request.mutable_reservation()->mutable_start_time() = convert::TimeToProto(start);
    *request.mutable_reservation()->mutable_end_time() = convert::TimeToProto(start + absl::Hours(1));
    if (hold_minutes > 0) {
      *request.mutable_reservation()->mutable_expire_time() =
          convert::TimeToProto(clock_.Now() + absl::Minutes(hold_minutes));
    }
    const auto made = reservations_.Create(request);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? made->name() : "";
  }
  void Release(const std::string& name) {
    v1::DeleteReservationRequest request;
    request.set_name(name);
    ASSERT_TRUE(reservations_.Delete(request).ok());
  }
  std::shared_ptr<ClusterWatch> Watch(const std::string& name = "main", size_t most_behind = 1000) {
    auto watch = std::make_shared<ClusterWatch>(name, mirrors_, most_behind);
    feed_.Subscribe(watch);
    feed_.Turn();
    return watch;
  }
  /// One message in a word: "cluster", "+NAME", "-NAME", "synchronized"; empty: there is none.
  static std::string Next(ClusterWatch& watch) {
    v1::WatchClusterResponse message;
    if (!watch.Take(message)) return "";
    switch (message.change_case()) {
      case v1::WatchClusterResponse::kCluster:
        return "cluster";
      case v1::WatchClusterResponse::kReservation:
        return "+" + message.reservation().name();
      case v1::WatchClusterResponse::kDeletedReservation:
        return "-" + message.deleted_reservation();
      default:
        return message.synchronized() ? "synchronized" : "nothing";
    }
  }
  static std::vector<std::string> All(ClusterWatch& watch) {
    std::vector<std::string> all;
    for (std::string next = Next(watch); !next.empty(); next = Next(watch)) all.push_back(std::move(next));
    return all;
  }

  base::FakeClock clock_;
  store::MemoryStore store_{clock_};
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  FakeIdSource ids_;
  bookings::Bookings bookings_{store_, gpus_, clock_};
  Reservations reservations_{bookings_, clock_, ids_};
  ClusterMirrors mirrors_{store_, bookings_};
  feed::ChangeFeed feed_{store_, clock_, {.has_thread = false}};
};

TEST_F(ClusterWatchTest, TellsTheWholeViewThenEachChange) {
  const std::string first = Reserve(1);
  const std::string second = Reserve(2);
  const auto watch = Watch();
  EXPECT_THAT(All(*watch), ElementsAre("cluster", "+" + first, "+" + second, "synchronized"));
  feed_.Turn();
  EXPECT_THAT(All(*watch), IsEmpty());
  const std::string third = Reserve(3);
  Release(first);
  feed_.Turn();
  EXPECT_THAT(All(*watch), ElementsAre("-" + first, "+" + third));
  SetCluster("node_conditions { nodes: 'h-3' state: DOWN }");
  feed_.Turn();
  EXPECT_THAT(All(*watch), ElementsAre("cluster"));
}

TEST_F(ClusterWatchTest, AHoldThatExpiresIsToldWithoutAWrite) {
  const std::string held = Reserve(5, /*hold_minutes=*/10);
  const auto watch = Watch();
  EXPECT_THAT(All(*watch), SizeIs(3));
  clock_.Advance(absl::Minutes(9));
  feed_.Turn();
  EXPECT_THAT(All(*watch), IsEmpty());
  EXPECT_EQ(watch->NextTime(), clock_.Now() + absl::Minutes(1));
  const int64_t version = *store_.Version();
  clock_.Advance(absl::Minutes(1));
  feed_.Turn();
  EXPECT_THAT(All(*watch), ElementsAre("-" + held));
  EXPECT_EQ(*store_.Version(), version);
  // The write that clears up is no news.
  const std::string other = Reserve(5);
  feed_.Turn();
  EXPECT_THAT(All(*watch), ElementsAre("+" + other));
}

TEST_F(ClusterWatchTest, NodesThatAreReadyAgainAreToldWithoutAWrite) {
  SetCluster(
      "node_conditions { nodes: 'h-3' state: DOWN until_time { seconds: 1767229200 } }");  // An hour after the clock's now.
  const auto watch = Watch();
  v1::WatchClusterResponse message;
  ASSERT_TRUE(watch->Take(message));
  EXPECT_EQ(message.cluster().node_pools(0).status().ready_node_count(), 3);
  EXPECT_THAT(All(*watch), ElementsAre("synchronized"));
  clock_.Advance(absl::Hours(1));
  feed_.Turn();
  ASSERT_TRUE(watch->Take(message));
  EXPECT_EQ(message.cluster().node_pools(0).status().ready_node_count(), 4);
  EXPECT_EQ(watch->NextTime(), absl::InfiniteFuture());
}

TEST_F(ClusterWatchTest, ASlowReaderIsToldTheLatestStateAlone) {
  const auto watch = Watch();
  EXPECT_THAT(All(*watch), ElementsAre("cluster", "synchronized"));
  for (int i = 0; i < 10; ++i) {
    SetCluster("price_per_gpu_hour: " + std::to_string(i));
    feed_.Turn();
  }
  const std::string held = Reserve(1, 10);
  feed_.Turn();
  SetCluster("gpus_per_node: 4");  // Marks it, too.
  feed_.Turn();
  v1::WatchClusterResponse message;
  ASSERT_TRUE(watch->Take(message));
  EXPECT_EQ(message.cluster().node_pools(0).gpus_per_node(), 4);
  ASSERT_TRUE(watch->Take(message));
  EXPECT_EQ(message.reservation().name(), held);
  EXPECT_NE(message.reservation().conflict(), "");
  EXPECT_THAT(All(*watch), IsEmpty());
}

TEST_F(ClusterWatchTest, WhatChangesDuringTheFirstViewIsNeitherLostNorTwice) {
  const std::string first = Reserve(1);
  const std::string second = Reserve(2);
  const auto watch = Watch();
  EXPECT_EQ(Next(*watch), "cluster");
  EXPECT_EQ(Next(*watch), "+" + first);
  Release(first);   // Sent already.
  Release(second);  // Not yet.
  const std::string third = Reserve(3);
  feed_.Turn();
  EXPECT_THAT(All(*watch), ElementsAre("+" + third, "synchronized", "-" + first));
}

TEST_F(ClusterWatchTest, TooSlowAReaderIsLetGo) {
  const auto watch = Watch("main", /*most_behind=*/2);
  EXPECT_THAT(All(*watch), SizeIs(2));
  for (int i = 1; i <= 2; ++i) Reserve(i);
  feed_.Turn();
  EXPECT_EQ(watch->end(), std::nullopt);
  Reserve(3);
  feed_.Turn();
  ASSERT_TRUE(watch->end().has_value());
  EXPECT_TRUE(absl::IsResourceExhausted(*watch->end()));
  EXPECT_EQ(base::DetailOf(*watch->end()).reason, "SLOW_READER");
  EXPECT_THAT(All(*watch), IsEmpty());
}

TEST_F(ClusterWatchTest, EndsWithTheCluster) {
  const auto watch = Watch();
  EXPECT_THAT(All(*watch), SizeIs(2));
  ASSERT_TRUE(DeleteCluster(Parse<v1::DeleteClusterRequest>("name: 'main'"), store_, bookings_).ok());
  feed_.Turn();
  EXPECT_THAT(All(*watch), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(watch->end().value_or(absl::OkStatus())));
  // Another one of its name is another one.
  SetCluster("");
  const auto later = Watch();
  EXPECT_THAT(All(*later), ElementsAre("cluster", "synchronized"));
}

TEST_F(ClusterWatchTest, NamesThatAreWrongEndIt) {
  EXPECT_TRUE(absl::IsNotFound(Watch("none")->end().value_or(absl::OkStatus())));
  const auto bad = Watch("a b");
  EXPECT_TRUE(absl::IsInvalidArgument(bad->end().value_or(absl::OkStatus())));
  EXPECT_EQ(base::DetailOf(*bad->end()).field, "name");
}

TEST_F(ClusterWatchTest, ManyWatchesShareOneView) {
  const auto first = Watch();
  const auto second = Watch("clusters/main");
  const std::string made = Reserve(1);
  feed_.Turn();
  EXPECT_THAT(All(*first), ElementsAre("cluster", "+" + made, "synchronized")) << "it had taken nothing";
  EXPECT_THAT(All(*second), ElementsAre("cluster", "+" + made, "synchronized"));
}

TEST_F(ClusterWatchTest, ALateJoinerSeesWhatWasWrittenBefore) {
  const auto first = Watch();
  EXPECT_THAT(All(*first), SizeIs(2));
  const std::string made = Reserve(1);
  const auto second = Watch();
  EXPECT_THAT(All(*second), ElementsAre("cluster", "+" + made, "synchronized"));
  feed_.Turn();
  EXPECT_THAT(All(*second), IsEmpty());
}

/// Remembers how it was ended.
class FakeStream : public LiveStream {
 public:
  void EndSoon(const absl::Status& status) override { end = status; }
  void BreakOff() override { is_broken = true; }
  absl::Status end;
  bool is_broken = false;
};

TEST(LiveStreamsTest, BoundsAndEndsThem) {
  LiveStreams streams(2);
  std::vector<std::shared_ptr<FakeStream>> all;
  for (int i = 0; i < 4; ++i) all.push_back(std::make_shared<FakeStream>());
  EXPECT_TRUE(streams.Add(all[0]).ok());
  EXPECT_TRUE(streams.Add(all[1]).ok());
  const absl::Status refused = streams.Add(all[2]);
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(base::DetailOf(refused).reason, "TOO_MANY_STREAMS");
  streams.Remove(all[0].get());
  EXPECT_TRUE(streams.Add(all[2]).ok());
  streams.EndAll();
  EXPECT_TRUE(all[0]->end.ok());
  EXPECT_TRUE(absl::IsUnavailable(all[1]->end));
  EXPECT_TRUE(absl::IsUnavailable(all[2]->end));
  streams.Remove(all[1].get());
  EXPECT_TRUE(absl::IsUnavailable(streams.Add(all[3])));
  streams.BreakOffAll();
  EXPECT_TRUE(all[2]->is_broken);
  EXPECT_FALSE(all[1]->is_broken);
}

}  // namespace
}  // namespace planner::server
