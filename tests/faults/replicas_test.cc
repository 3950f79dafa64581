// Replicas of plannerd on one database, and clients that all want the same few GPUs, while one after the other is killed: replicas, and the
// database itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "core/base/clock.h"
#include "tests/faults/booking_clients.h"
#include "tests/faults/replica.h"
#include "tests/faults/scratch_folder.h"
#include "tests/support/private_postgresql.h"

namespace planner::faults {
namespace {

using ::testing::IsEmpty;

constexpr int kReplicas = 3;
constexpr int kClients = 64;
constexpr int64_t kGpusPerNode = 8;

absl::Time Now() { return base::Clock::Real().Now(); }

/// 60 s; PLANNER_FAULTS_SECONDS for a quick look.
absl::Duration HowLong() {
  const char* seconds = std::getenv("PLANNER_FAULTS_SECONDS");
  return absl::Seconds(seconds == nullptr ? 60 : std::atoi(seconds));
}

std::vector<v1::Reservation> AllReservations(const std::shared_ptr<grpc::Channel>& channel) {
  v1::ClusterService::Stub stub(channel);
  std::vector<v1::Reservation> all;
  v1::ListReservationsRequest request;
  request.set_parent("main");
  request.set_page_size(1000);
  do {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    v1::ListReservationsResponse page;
    const grpc::Status status = stub.ListReservations(&context, request, &page);
    EXPECT_TRUE(status.ok()) << status.error_message();
    all.insert(all.end(), page.reservations().begin(), page.reservations().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

Hold HoldOf(const v1::Reservation& reservation) {
  return {reservation.name(),
          reservation.node_pool(),
          reservation.gpu_count(),
          reservation.start_time().seconds(),
          reservation.end_time().seconds(),
          absl::InfinitePast()};
}

std::string Words(const Hold& hold) {
  return hold.name + " " + hold.pool + " " + std::to_string(hold.gpus) + " " + std::to_string(hold.start) + " " +
         std::to_string(hold.end);
}

class ReplicasTest : public ::testing::Test {
 protected:
  ReplicasTest() {
    for (int i = 0; i < kReplicas; ++i) {
      const std::string folder = (folder_.path() / std::to_string(i)).string();
      std::filesystem::create_directory(folder);
      replicas_.push_back(
          std::make_unique<Replica>(folder, std::vector<std::string>{"--postgresql", database_.ConnectionString()}));
    }
  }

  BookingClients::Site MakeSite() {
    v1::ClusterService::Stub stub(replicas_[0]->channel());
    v1::CreateClusterRequest request;
    request.mutable_cluster()->set_name("main");
    BookingClients::Site site{
        .cluster = "main", .gpus_per_node = kGpusPerNode, .first_hour = absl::ToUnixSeconds(Now()) / 3600 + 24};
    for (int i = 0; i < 4; ++i) {
      v1::NodePool& pool = *request.mutable_cluster()->add_node_pools();
      pool.set_name("pool" + std::to_string(i));
      pool.set_gpu_type("h100");
      pool.set_node_count(1);
      pool.set_gpus_per_node(kGpusPerNode);
      site.pools.push_back(pool.name());
    }
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    v1::Cluster made;
    const grpc::Status status = stub.CreateCluster(&context, request, &made);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return site;
  }

  ScratchFolder folder_;
  support::PrivatePostgresql database_{support::PrivatePostgresql::Disk::kSafe};
  std::vector<std::unique_ptr<Replica>> replicas_;
};

TEST_F(ReplicasTest, NothingIsBookedTwiceOrLostWhenReplicasAndTheDatabaseAreKilled) {
  ASSERT_TRUE(database_.is_running()) << database_.output();
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (auto& replica : replicas_) {
    ASSERT_TRUE(replica->Start()) << replica->output();
    channels.push_back(replica->channel());
  }
  BookingClients clients(channels, MakeSite());
  clients.Start(kClients);

  // After each death life goes on before the next one: of that many answers the last ones are far from it.
  constexpr int64_t kAnswers = 4 * kClients;
  constexpr absl::Duration kStuck = absl::Seconds(30);
  std::vector<int> kills(kReplicas + 1, 0);
  const absl::Time end = Now() + HowLong();
  for (size_t victim = 0; Now() < end; victim = (victim + 1) % kills.size()) {
    ASSERT_TRUE(clients.WaitForAnswers(kAnswers, kStuck)) << "after " << ::testing::PrintToString(kills);
    ++kills[victim];
    if (victim == kReplicas) {
      database_.Kill();
      ASSERT_TRUE(database_.Start()) << database_.output();
      clients.CountFromNow();
      continue;
    }
    replicas_[victim]->Kill();
    // The others go on without it.
    ASSERT_TRUE(clients.WaitForAnswers(kClients, kStuck)) << "without " << victim;
    ASSERT_TRUE(replicas_[victim]->Start()) << replicas_[victim]->output();
  }
  ASSERT_TRUE(clients.WaitForAnswers(kAnswers, kStuck));
  clients.Stop();

  std::set<std::string> acknowledged;
  for (const Hold& hold : clients.holds()) {
    if (hold.given_back == absl::InfiniteFuture()) acknowledged.insert(Words(hold));
  }
  std::cout << "kills of replicas and of the database: " << ::testing::PrintToString(kills)
            << "; bookings: " << clients.holds().size() << "; refusals: " << clients.refusals()
            << "; calls made again: " << clients.repetitions()
            << "; longest wait for an answer: " << absl::FormatDuration(clients.longest_wait()) << "\n";
  EXPECT_THAT(clients.errors(), IsEmpty());
  EXPECT_EQ(DoubleBooking(clients.holds(), kGpusPerNode), "");
  for (auto& replica : replicas_) {
    std::set<std::string> stored;
    std::vector<Hold> holds;
    for (const v1::Reservation& reservation : AllReservations(replica->channel())) {
      holds.push_back(HoldOf(reservation));
      EXPECT_TRUE(stored.insert(Words(holds.back())).second);
    }
    EXPECT_EQ(stored, acknowledged);  // None is lost, and there is none that nobody was told of.
    EXPECT_EQ(DoubleBooking(holds, kGpusPerNode), "");
    EXPECT_EQ(replica->Stop(), 0);
  }
  EXPECT_LE(clients.longest_wait(), absl::Seconds(5));
  // It was a fight, and there were deaths.
  EXPECT_GT(clients.refusals(), kClients);
  EXPECT_GT(clients.holds().size(), 2u * kClients);
  for (const int count : kills) EXPECT_GE(count, 2);
}

/// What the test above finds with.
TEST(DoubleBookingTest, IsWhereMoreIsReliedOnAtOnceThanThereIs) {
  const auto hold = [](int64_t gpus, int64_t start, int64_t end, int64_t from, int64_t until) {
    return Hold{"r", "pool", gpus, start, end, absl::FromUnixSeconds(from), absl::FromUnixSeconds(until)};
  };
  EXPECT_EQ(DoubleBooking({hold(4, 0, 10, 1, 9), hold(4, 5, 15, 2, 9)}, 8), "");
  EXPECT_NE(DoubleBooking({hold(4, 0, 10, 1, 9), hold(5, 5, 15, 2, 9)}, 8), "");
  EXPECT_NE(DoubleBooking({hold(4, 5, 15, 1, 9), hold(5, 0, 10, 2, 9)}, 8), "");
  EXPECT_EQ(DoubleBooking({hold(8, 0, 10, 1, 9), hold(8, 10, 15, 2, 9)}, 8), "");  // One after the other.
  EXPECT_EQ(DoubleBooking({hold(8, 0, 10, 1, 2), hold(8, 0, 10, 2, 9)}, 8), "");   // Given back before.
  EXPECT_NE(DoubleBooking({hold(8, 0, 10, 1, 3), hold(1, 9, 10, 2, 9)}, 8), "");
}

}  // namespace
}  // namespace planner::faults
