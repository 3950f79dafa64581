#include <gtest/gtest.h>

#include <utility>

#include "core/base/status_macros.h"
#include "services/convert/cluster.h"
#include "services/server/fake_plan.h"
#include "services/server/reservations.h"
#include "services/server/runs_fixture.h"

namespace planner::server {
namespace {

using store::Kind;

/// Plans that hold cards of a cluster.
class RunReleaseTest : public RunsTest {
 protected:
  RunReleaseTest() {
    const auto cluster = convert::NormalizedCluster(
        "cluster", ParseText<v1::Cluster>("name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 1 }"), gpus_);
    EXPECT_TRUE(store_.Create(Kind::kCluster, "main", cluster->SerializeAsString(), "").ok());
    const absl::Status booked = bookings_.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
      ASSIGN_OR_RETURN(const bookings::ClusterCalendar* calendar, ledgers.Find("", "main"));
      bookings::Wish wish{.pool = "p", .gpu_count = 8, .start = cluster::ToMicros(begin_), .duration = cluster::ToMicros(begin_)};
      ASSIGN_OR_RETURN(v1::Reservation reservation, calendar->Find(wish));
      reservation.set_state(v1::Reservation::FIRM);
      reservation.set_plan("plans/holder");
      v1::Plan plan = FakePlan();
      ASSIGN_OR_RETURN(*plan.mutable_reservation(), StoreReservation("main", "holder", std::move(reservation), "", ledgers));
      return ledgers.Create(Kind::kPlan, "holder", plan.SerializeAsString(), "").status();
    });
    EXPECT_TRUE(booked.ok()) << booked;
  }
  bool Holds() { return store_.Get(Kind::kReservation, "main/holder").ok(); }
  v1::Reservation::State CopyState() {
    v1::Plan plan;
    EXPECT_TRUE(plan.ParseFromString(store_.Get(Kind::kPlan, "holder")->value));
    return plan.reservation().state();
  }

  // Another one on the same store.
  bookings::Bookings replica_bookings_{store_, gpus_, clock_};
  RunIndex replica_index_{store_};
  Runs replica_{store_, replica_bookings_, replica_index_, clock_, ids_};
};

TEST_F(RunReleaseTest, TheEndReleasesWhatThePlanHolds) {
  const v1::Run run = MustStart("run { plan: 'holder' }");
  EXPECT_TRUE(absl::IsAborted(Finish(run, "etag: 'old'").status()));
  EXPECT_TRUE(Holds());
  ASSERT_TRUE(Finish(run, "state: FAILED").ok());
  EXPECT_FALSE(Holds());
  EXPECT_EQ(CopyState(), v1::Reservation::RELEASED);
  // One more run of the plan holds nothing, and ends well.
  EXPECT_TRUE(Finish(MustStart("run { plan: 'holder' }")).ok());
}

TEST_F(RunReleaseTest, NotWhileAnotherRunCarriesItOut) {
  const v1::Run first = MustStart("run { plan: 'holder' }");
  const v1::Run second = MustStart("run { plan: 'holder' }");
  ASSERT_TRUE(Finish(first, "state: FAILED").ok());
  EXPECT_TRUE(Holds());
  ASSERT_TRUE(Finish(second).ok());
  EXPECT_FALSE(Holds());
}

TEST_F(RunReleaseTest, ARunThatBeginsAsTheLastOneEndsKeepsIt) {
  const v1::Run first = MustStart("run { plan: 'holder' }");
  v1::Run second;
  store_.before_next = [&] {
    const auto started = replica_.Start(ParseText<v1::StartRunRequest>("run { plan: 'holder' }"));
    ASSERT_TRUE(started.ok()) << started.status();
    second = *started;
  };
  ASSERT_TRUE(Finish(first).ok());
  EXPECT_TRUE(Holds());
  ASSERT_TRUE(Finish(second).ok());
  EXPECT_FALSE(Holds());
}

TEST_F(RunReleaseTest, OfTwoThatEndAtOnceTheSecondReleases) {
  const v1::Run first = MustStart("run { plan: 'holder' }");
  const v1::Run second = MustStart("run { plan: 'holder' }");
  store_.before_next = [&] { EXPECT_TRUE(replica_.Finish(ParseText<v1::FinishRunRequest>("name: '" + second.name() + "'")).ok()); };
  ASSERT_TRUE(Finish(first).ok());
  EXPECT_FALSE(Holds());
}

TEST_F(RunReleaseTest, APlanThatIsGoneReleasesNothing) {
  const v1::Run run = MustStart("run { plan: 'holder' }");
  ASSERT_TRUE(store_.Delete(Kind::kPlan, "holder", "").ok());
  EXPECT_TRUE(Finish(run).ok());
}

}  // namespace
}  // namespace planner::server
