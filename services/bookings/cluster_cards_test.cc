#include <google/protobuf/text_format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/hardware/gpu_catalog.h"
#include "services/bookings/cluster_calendar.h"
#include "services/convert/cluster.h"

namespace planner::bookings {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::Key;

constexpr Micros kSecond = 1'000'000;

class ClusterCardsTest : public ::testing::Test {
 protected:
  ClusterCalendar Calendar(const std::string& text) const {
    v1::Cluster cluster;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("name: 'main' " + text, &cluster)) << text;
    return {"main", *convert::NormalizedCluster("cluster", cluster, gpus_), "1", {}, gpus_};
  }
  /// A reservation of nodes of the pool "h", 8 GPUs each unless it says otherwise.
  static Booking Reserved(const std::string& nodes, int node_count, int64_t start, int64_t end, int gpus_per_node = 8,
                          const std::string& plan = "") {
    Booking booking;
    booking.etag = nodes;
    booking.reservation.set_node_pool("h");
    booking.reservation.set_nodes(nodes);
    booking.reservation.set_node_count(node_count);
    booking.reservation.set_gpu_count(int64_t{node_count} * gpus_per_node);
    booking.reservation.mutable_start_time()->set_seconds(start);
    booking.reservation.mutable_end_time()->set_seconds(end);
    booking.reservation.set_plan(plan);
    return booking;
  }
  static std::string Text(const Cards& cards) {
    return "down " + std::to_string(cards.down) + " used " + std::to_string(cards.used) + " booked " + std::to_string(cards.booked) +
           " maintenance " + std::to_string(cards.maintenance) + " drained " + std::to_string(cards.drained) + " free " +
           std::to_string(cards.free);
  }
  static std::string At(const ClusterCalendar& calendar, int64_t seconds) {
    return Text(calendar.CardsAt(seconds * kSecond).at("H100-SXM-80GB"));
  }

  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create({});
};

TEST_F(ClusterCardsTest, ACardIsInTheFirstStateThatFits) {
  // Eight nodes: 1 down, 2 half used, 3 drained, 4 in maintenance, 5 drained and in maintenance, the others ready.
  ClusterCalendar calendar = Calendar(R"(
    node_pools { name: 'h' gpu_type: 'h100' node_count: 8 node_names: 'n[1-8]'
      node_conditions { nodes: 'n1' state: DOWN }
      node_conditions { nodes: 'n3,n5' state: DRAINED }
      occupations { nodes: 'n1' } occupations { nodes: 'n2' gpus_per_node: 4 } }
    maintenance_windows { node_pool: 'h' nodes: 'n[4-5]' start_time { seconds: 0 } end_time { seconds: 1000 } })");
  EXPECT_EQ(At(calendar, 100), "down 8 used 4 booked 0 maintenance 16 drained 8 free 28");
  EXPECT_EQ(At(calendar, 1000), "down 8 used 4 booked 0 maintenance 0 drained 16 free 36");
  // Booked are nodes 1 (down), 2 (of which four cards are used), 3 (drained), 4 (in maintenance) and 6.
  calendar.Put("r", Reserved("n[1-4],n6", 5, 50, 200));
  EXPECT_EQ(At(calendar, 100), "down 8 used 4 booked 28 maintenance 8 drained 0 free 16");
  EXPECT_EQ(At(calendar, 49), At(calendar, 200));
  EXPECT_EQ(calendar.CardsAt(100 * kSecond).at("H100-SXM-80GB").total(), 64);
}

TEST_F(ClusterCardsTest, AJobOfAPlanIsBookedWhileItsReservationStandsForIt) {
  ClusterCalendar calendar =
      Calendar("node_pools { name: 'h' gpu_type: 'h100' node_count: 2 node_names: 'n[1-2]' occupations { nodes: 'n1' plan: 'plans/p' } }");
  EXPECT_EQ(At(calendar, 100), "down 0 used 8 booked 0 maintenance 0 drained 0 free 8");
  calendar.Put("r", Reserved("n1", 1, 0, 200, 8, "plans/p"));
  EXPECT_EQ(At(calendar, 100), "down 0 used 0 booked 8 maintenance 0 drained 0 free 8");
}

TEST_F(ClusterCardsTest, PoolsOfOneTypeAddUp) {
  const ClusterCalendar calendar = Calendar(R"(
    node_pools { name: 'h' gpu_type: 'h100' node_count: 2 } node_pools { name: 'i' gpu_type: 'h100' node_count: 1 gpus_per_node: 4 }
    node_pools { name: 'a' gpu_type: 'a100' node_count: 1 })");
  EXPECT_THAT(calendar.CardsAt(0), ElementsAre(Key("A100-SXM-80GB"), Key("H100-SXM-80GB")));
  EXPECT_EQ(At(calendar, 0), "down 0 used 0 booked 0 maintenance 0 drained 0 free 20");
}

TEST_F(ClusterCardsTest, BookedAheadIsAMeanOverTime) {
  ClusterCalendar calendar = Calendar(
      "node_pools { name: 'h' gpu_type: 'h100' node_count: 4 node_names: 'n[1-4]' } node_pools { name: 'a' gpu_type: 'a100' node_count: 1 }");
  // 16 cards until 150, of which 50 s are left at 100; 4 cards for 100 s from 180 on.
  calendar.Put("r1", Reserved("n[1-2]", 2, 0, 150));
  calendar.Put("r2", Reserved("n3", 1, 180, 280, 4));
  const std::vector<Micros> spans = {100 * kSecond, 1000 * kSecond};
  const auto booked = calendar.MeanBooked(100 * kSecond, spans);
  // 16 x 50 + 4 x 20 of 100 s; 16 x 50 + 4 x 100 of 1,000 s.
  EXPECT_THAT(booked.at("H100-SXM-80GB"), ElementsAre(DoubleEq(8.8), DoubleEq(1.2)));
  EXPECT_THAT(booked.at("A100-SXM-80GB"), ElementsAre(0, 0));
}

}  // namespace
}  // namespace planner::bookings
