#include "services/bookings/bookings.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "core/base/status_macros.h"
#include "core/store/memory_store.h"
#include "services/bookings/conflicts.h"
#include "services/convert/cluster.h"
#include "services/convert/time.h"

namespace planner::bookings {
namespace {

using store::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Micros kSecond = 1'000'000;

/// A store whose next transaction fails after its body has run, as one on a full disk does.
class FailingStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  absl::Status Transact(const store::Body& body) override {
    ++transactions;
    if (!fails.exchange(false)) return MemoryStore::Transact(body);
    return MemoryStore::Transact([&](store::Transaction& transaction) -> absl::Status {
      RETURN_IF_ERROR(body(transaction));
      return absl::ResourceExhaustedError("disk full");
    });
  }
  std::atomic<bool> fails = false;
  std::atomic<int> transactions = 0;
};

class BookingsTest : public ::testing::Test {
 protected:
  BookingsTest() { SetCluster("name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4 }"); }

  void SetCluster(const std::string& text) {
    v1::Cluster cluster;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &cluster));
    const auto normalized = convert::NormalizedCluster("cluster", cluster, gpus_);
    ASSERT_TRUE(normalized.ok()) << normalized.status();
    const std::string value = normalized->SerializeAsString();
    const auto set = [&](const store::Record&) -> absl::StatusOr<std::string> { return value; };
    if (!store_.Update(Kind::kCluster, "main", "", set).ok()) {
      ASSERT_TRUE(store_.Create(Kind::kCluster, "main", value, "").ok());
    }
  }

  Micros Now() { return cluster::ToMicros(clock_.Now()); }
  Wish Nodes(int64_t nodes, Micros seconds, Micros start_in = 0) {
    return {.pool = "p", .gpu_count = 8 * nodes, .start = Now() + start_in * kSecond, .duration = seconds * kSecond};
  }
  /// Books under a name; held for some seconds, or firm.
  static absl::Status Book(Bookings& bookings, const std::string& id, const Wish& wish, int hold_seconds = 0) {
    return bookings.Run([&](Ledgers& ledgers) -> absl::Status {
      ASSIGN_OR_RETURN(const ClusterCalendar* calendar, ledgers.Find("cluster", "main"));
      ASSIGN_OR_RETURN(v1::Reservation reservation, calendar->Find(wish));
      reservation.set_state(v1::Reservation::FIRM);
      if (hold_seconds > 0) {
        reservation.set_state(v1::Reservation::HELD);
        *reservation.mutable_expire_time() = convert::TimeToProto(ledgers.now() + absl::Seconds(hold_seconds));
      }
      return ledgers.Create(Kind::kReservation, "main/" + id, reservation.SerializeAsString(), "").status();
    });
  }
  std::vector<v1::Reservation> Stored() {
    std::vector<v1::Reservation> all;
    const auto changes = store_.ChangesSince({Kind::kReservation}, 0);
    for (const store::KindRecord& one : changes->written) {
      EXPECT_TRUE(all.emplace_back().ParseFromString(one.record.value));
    }
    return all;
  }
  /// The most GPUs that any node has in use at once, told by the stored reservations alone.
  int64_t MostOfANode() {
    const cluster::HostList names = cluster::HostList::Numbered("p", 4);
    const std::vector<v1::Reservation> all = Stored();
    int64_t most = 0;
    for (const v1::Reservation& one : all) {  // The use is highest where some reservation begins.
      for (int32_t node = 0; node < 4; ++node) {
        int64_t used = 0;
        for (const v1::Reservation& other : all) {
          const absl::Time start = convert::TimeFromProto(one.start_time());
          if (convert::TimeFromProto(other.start_time()) > start || convert::TimeFromProto(other.end_time()) <= start)
            continue;
          for (const cluster::NodeRange& range : names.FindKnown(other.nodes()).nodes) {
            if (range.first <= node && node <= range.last) used += other.gpu_count() / other.node_count();
          }
        }
        most = std::max(most, used);
      }
    }
    return most;
  }
  int64_t FreeNodesNow(Bookings& bookings) {
    const auto views = bookings.Current(clock_.Now());
    EXPECT_TRUE(views.ok()) << views.status();
    int64_t free = 0;
    for (const cluster::Opening& opening : views.value()->at(0).pools.at(0).calendar->by_start) {
      if (opening.start <= Now() && Now() < opening.end) free += opening.nodes;
    }
    return free;
  }

  base::FakeClock clock_;
  FailingStore store_{clock_};
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  Bookings bookings_{store_, gpus_, clock_};
};

TEST_F(BookingsTest, WhatIsBookedIsNotFree) {
  EXPECT_EQ(FreeNodesNow(bookings_), 4);
  ASSERT_TRUE(Book(bookings_, "a", Nodes(3, 100)).ok());
  EXPECT_EQ(FreeNodesNow(bookings_), 1);
  const absl::Status refused = Book(bookings_, "b", Nodes(2, 10));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_EQ(base::DetailOf(refused).reason, "NOT_FREE");
  EXPECT_EQ(base::DetailOf(refused).metadata["earliest_start_time"], "2026-01-01T00:01:40Z");
  EXPECT_EQ(refused.message(), "main/p: 16 GPUs (on 2 of 4 nodes) are not free from 2026-01-01T00:00:00Z to 2026-01-01T00:00:10Z; the earliest start is "
                               "2026-01-01T00:01:40Z");
  EXPECT_THAT(std::string(Book(bookings_, "b", Nodes(5, 10)).message()), HasSubstr("on 5 of 4 nodes"));
  Wish waits = Nodes(2, 10);
  waits.may_wait = true;
  ASSERT_TRUE(Book(bookings_, "b", waits).ok());
  EXPECT_EQ(convert::TimeFromProto(Stored()[1].start_time()), clock_.Now() + absl::Seconds(100));
}

TEST_F(BookingsTest, ReadersHaveTheSameValueUntilSomethingChangesOrPasses) {
  ASSERT_TRUE(Book(bookings_, "a", Nodes(3, 100), /*hold_seconds=*/10).ok());
  const auto first = *bookings_.Current(clock_.Now());
  clock_.Advance(absl::Seconds(9));
  EXPECT_EQ(*bookings_.Current(clock_.Now()), first);
  clock_.Advance(absl::Seconds(1));
  EXPECT_NE(*bookings_.Current(clock_.Now()), first);
  EXPECT_EQ(FreeNodesNow(bookings_), 4);
  EXPECT_EQ(first->at(0).pools[0].calendar->by_start.size(), 3u) << "what was read stays as it was";
}

TEST_F(BookingsTest, AnExpiredHoldIsGoneBeforeItsGpusAreGivenToOthers) {
  Bookings other(store_, gpus_, clock_);
  ASSERT_TRUE(Book(bookings_, "a", Nodes(4, 100), /*hold_seconds=*/10).ok());
  EXPECT_FALSE(Book(other, "b", Nodes(4, 100)).ok());
  clock_.Advance(absl::Seconds(10));
  ASSERT_TRUE(Book(other, "b", Nodes(4, 100)).ok());
  EXPECT_TRUE(absl::IsNotFound(store_.Get(Kind::kReservation, "main/a").status()));
  EXPECT_EQ(MostOfANode(), 8);
}

TEST_F(BookingsTest, WhatHasEndedIsDeleted) {
  ASSERT_TRUE(Book(bookings_, "a", Nodes(4, 100)).ok());
  clock_.Advance(absl::Seconds(100));
  ASSERT_TRUE(Book(bookings_, "b", Nodes(1, 1)).ok());
  EXPECT_THAT(Stored(), SizeIs(1));
}

TEST_F(BookingsTest, ManyClientsOfTwoReplicasNeverGetTheSameGpus) {
  Bookings other(store_, gpus_, clock_);
  constexpr int kThreads = 16;
  constexpr int kTries = 12;
  std::atomic<int> booked = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Bookings& mine = i % 2 == 0 ? bookings_ : other;
      for (int j = 0; j < kTries; ++j) {
        // Some take GPUs of a node, some two nodes, at times that overlap.
        Wish wish = Nodes(1 + i % 2, 10, 5 * (j % 8));
        if (i % 3 == 0) wish.gpu_count = 3;
        const absl::Status status = Book(mine, std::to_string(i) + "-" + std::to_string(j), wish);
        EXPECT_TRUE(status.ok() || base::DetailOf(status).reason == "NOT_FREE") << status;
        if (status.ok()) ++booked;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Stored(), SizeIs(booked.load()));
  EXPECT_GT(booked, 4);
  EXPECT_LE(MostOfANode(), 8);
}

TEST_F(BookingsTest, ThoseThatWaitTogetherShareATransaction) {
  ASSERT_TRUE(bookings_.Current(clock_.Now()).ok());
  // The first operation holds the place until all others wait.
  constexpr int kOthers = 20;
  base::Mutex mutex;
  base::Condition changed;
  int waiting = 0;
  store_.transactions = 0;
  std::vector<std::thread> threads;
  std::thread first([&] {
    EXPECT_TRUE(bookings_
                    .Run([&](Ledgers&) {
                      base::MutexLock lock(mutex);
                      while (waiting < kOthers) changed.Wait(mutex);
                      return absl::OkStatus();
                    })
                    .ok());
  });
  for (int i = 0; i < kOthers; ++i) {
    threads.emplace_back([&, i] {
      {
        base::MutexLock lock(mutex);
        ++waiting;
        changed.WakeAll();
      }
      EXPECT_TRUE(Book(bookings_, std::to_string(i), Nodes(1, 1, 10 * i)).ok());
    });
  }
  first.join();
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Stored(), SizeIs(kOthers));
  EXPECT_LE(store_.transactions, kOthers) << "beside the first one";
}

TEST_F(BookingsTest, OneThatFailsAfterItHasWrittenLeavesNothing) {
  const absl::Status refused = absl::FailedPreconditionError("no");
  EXPECT_EQ(bookings_.Run([&](Ledgers& ledgers) -> absl::Status {
    v1::Reservation reservation;
    ASSIGN_OR_RETURN(const ClusterCalendar* calendar, ledgers.Find("cluster", "main"));
    ASSIGN_OR_RETURN(reservation, calendar->Find(Nodes(4, 100)));
    RETURN_IF_ERROR(ledgers.Create(Kind::kReservation, "main/x", reservation.SerializeAsString(), "").status());
    return refused;
  }),
            refused);
  EXPECT_THAT(Stored(), IsEmpty());
  EXPECT_EQ(FreeNodesNow(bookings_), 4);
}

TEST_F(BookingsTest, AStoreThatFailsLeavesNothingInTheCalendars) {
  store_.fails = true;
  EXPECT_TRUE(absl::IsResourceExhausted(Book(bookings_, "a", Nodes(4, 100))));
  EXPECT_EQ(FreeNodesNow(bookings_), 4);
  EXPECT_TRUE(Book(bookings_, "a", Nodes(4, 100)).ok());
}

TEST_F(BookingsTest, WhatIsNotReadyIsNotFree) {
  SetCluster(
      "name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4 node_names: 'n[1-4]'"
      "  node_conditions { nodes: 'n1' state: DOWN reason: 'fan' }"
      "  node_conditions { node_count: 1 state: DRAINED until_time { seconds: 1767225700 } }"  // In 100 s; n4.
      "  occupations { nodes: 'n2' gpus_per_node: 6 release_time { seconds: 1767225650 } description: 'job 7' } }"
      "maintenance_windows { node_pool: 'p' nodes: 'n3' start_time { seconds: 1767225660 } end_time { seconds: "
      "1767225670 } }");
  EXPECT_EQ(FreeNodesNow(bookings_), 1);
  Wish wish = Nodes(1, 60);
  ASSERT_TRUE(Book(bookings_, "a", wish).ok());
  EXPECT_EQ(Stored()[0].nodes(), "n[3]");
  wish.may_wait = true;
  wish.gpu_count = 2;
  ASSERT_TRUE(Book(bookings_, "b", wish).ok());
  EXPECT_EQ(Stored()[1].nodes(), "n[2]") << "shared with the job that is there";
  wish.gpu_count = 8;
  ASSERT_TRUE(Book(bookings_, "c", wish).ok());
  EXPECT_EQ(Stored()[2].nodes(), "n[2]");
  EXPECT_EQ(cluster::ToMicros(convert::TimeFromProto(Stored()[2].start_time())), Now() + 60 * kSecond);
  wish.gpu_count = 24;
  ASSERT_TRUE(Book(bookings_, "d", wish).ok());
  EXPECT_EQ(cluster::ToMicros(convert::TimeFromProto(Stored()[3].start_time())), Now() + 120 * kSecond)
      << "n2, n3 and n4";
  wish.gpu_count = 32;
  EXPECT_EQ(base::DetailOf(Book(bookings_, "e", wish)).reason, "NOT_FREE");
}

TEST_F(BookingsTest, QuotasCountReservationsAndJobs) {
  SetCluster(
      "name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4"
      "  occupations { node_count: 1 tenant: 't' release_time { seconds: 1767225610 } } }"  // For 10 s.
      "quotas { tenant: 't' max_gpus: 16 }");
  Wish wish = Nodes(1, 100);
  wish.tenant = "t";
  ASSERT_TRUE(Book(bookings_, "a", wish).ok());
  const absl::Status refused = Book(bookings_, "b", wish);
  EXPECT_EQ(base::DetailOf(refused).reason, "QUOTA_EXCEEDED") << refused;
  wish.may_wait = true;
  ASSERT_TRUE(Book(bookings_, "b", wish).ok());
  EXPECT_EQ(cluster::ToMicros(convert::TimeFromProto(Stored()[1].start_time())), Now() + 10 * kSecond);
  wish.tenant = "someone";
  wish.may_wait = false;
  EXPECT_TRUE(Book(bookings_, "c", wish).ok()) << "who has no quota has all";
}

TEST_F(BookingsTest, WhatIsReadAtOnceIsWhatWasBookedOneByOne) {
  SetCluster("name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4 } quotas { tenant: 't' max_gpus: 64 }");
  for (int i = 0; i < 40; ++i) {
    Wish wish = Nodes(1 + i % 3, 50 + 7 * (i % 11), 13 * (i % 5));
    if (i % 4 == 0) wish.gpu_count = 1 + i % 7;
    if (i % 2 == 0) wish.tenant = "t";
    wish.may_wait = true;
    ASSERT_TRUE(Book(bookings_, std::to_string(i), wish).ok());
    ASSERT_TRUE(bookings_.Current(clock_.Now()).ok()) << "a view in between, whose parts the next one may use";
  }
  Bookings other(store_, gpus_, clock_);
  const cluster::Pool ours = bookings_.Current(clock_.Now()).value()->at(0).pools.at(0);
  const cluster::Pool theirs = other.Current(clock_.Now()).value()->at(0).pools.at(0);
  EXPECT_EQ(ours.calendar->by_start, theirs.calendar->by_start);
  EXPECT_EQ(ours.calendar->by_end, theirs.calendar->by_end);
  ASSERT_EQ(ours.calendar->shared_nodes.size(), theirs.calendar->shared_nodes.size());
  for (size_t i = 0; i < ours.calendar->shared_nodes.size(); ++i) {
    EXPECT_EQ(*ours.calendar->shared_nodes[i], *theirs.calendar->shared_nodes[i]);
  }
  EXPECT_EQ(ours.quotas.at(0)->used, theirs.quotas.at(0)->used);
}

TEST_F(BookingsTest, SaysWhatCanNoLongerBeKept) {
  ASSERT_TRUE(Book(bookings_, "a", Nodes(2, 100, 10)).ok());
  const auto conflict = [&] {
    std::string text;
    EXPECT_TRUE(bookings_
                    .Look(clock_.Now(),
                          [&](Calendars& calendars) {
                            ClusterCalendar& main = *calendars.Find("main");
                            text = main.ConflictOf(main.Find("a")->reservation, Now());
                            return absl::OkStatus();
                          })
                    .ok());
    return text;
  };
  EXPECT_EQ(conflict(), "");
  const std::string pool = "name: 'main' node_pools { name: 'p' gpu_type: 'h100' ";
  SetCluster(pool + "node_count: 4 node_conditions { nodes: 'p-1' state: DOWN reason: 'fan' } }");
  EXPECT_EQ(conflict(), "1 of its 2 nodes are DOWN (fan): p-[1]");
  SetCluster(pool + "node_count: 4 node_conditions { nodes: 'p-1' state: DOWN until_time { seconds: 1767225605 } } }");
  EXPECT_EQ(conflict(), "") << "back before it starts";
  SetCluster(pool + "node_count: 1 }");
  EXPECT_EQ(conflict(), "1 of its 2 nodes are not in the pool any more");
  SetCluster(pool + "node_count: 4 node_conditions { nodes: 'p-[0-1]' state: DRAINED } }");
  EXPECT_THAT(conflict(), HasSubstr("2 of its 2 nodes are DRAINED"));
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(conflict(), "") << "what runs there goes on";
  SetCluster("name: 'main'");
  EXPECT_EQ(conflict(), "the cluster has no pool \"p\" any more");
}

TEST_F(BookingsTest, AClusterThatComesBackHasItsReservations) {
  ASSERT_TRUE(Book(bookings_, "a", Nodes(3, 100)).ok());
  const std::string value = store_.Get(Kind::kCluster, "main")->value;
  ASSERT_TRUE(store_.Delete(Kind::kCluster, "main", "").ok());
  EXPECT_THAT(**bookings_.Current(clock_.Now()), IsEmpty());
  ASSERT_TRUE(store_.Create(Kind::kCluster, "main", value, "").ok());
  EXPECT_EQ(FreeNodesNow(bookings_), 1);
}

TEST_F(BookingsTest, UnreadableRecordsStopEverything) {
  ASSERT_TRUE(store_.Create(Kind::kReservation, "main/x", "\xff", "").ok());
  EXPECT_EQ(bookings_.Current(clock_.Now()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Book(bookings_, "a", Nodes(1, 1)).code(), absl::StatusCode::kDataLoss);
}

TEST_F(BookingsTest, TheMarkOfAPairGoesWhenTheOthersHoldExpires) {
  // Two on the same nodes, as after the nodes have become smaller; one is only held.
  ASSERT_TRUE(Book(bookings_, "firm", Nodes(4, 3600)).ok());
  ASSERT_TRUE(bookings_
                  .Run([&](Ledgers& ledgers) -> absl::Status {
                    v1::Reservation copy = ledgers.calendars().Find("main")->Find("firm")->reservation;
                    copy.set_state(v1::Reservation::HELD);
                    *copy.mutable_expire_time() = convert::TimeToProto(ledgers.now() + absl::Seconds(60));
                    RETURN_IF_ERROR(
                        ledgers.Create(Kind::kReservation, "main/held", copy.SerializeAsString(), "").status());
                    return MarkConflicts("main", /*gone=*/false, ledgers).status();
                  })
                  .ok());
  const auto conflicts = [&] {
    std::vector<std::string> all;
    for (const v1::Reservation& one : Stored()) all.push_back(one.conflict());
    return all;
  };
  EXPECT_THAT(conflicts(), ElementsAre(HasSubstr("more GPUs"), HasSubstr("more GPUs")));
  clock_.Advance(absl::Seconds(60));
  const auto nothing = [](Ledgers&) { return absl::OkStatus(); };
  ASSERT_TRUE(bookings_.Run(nothing).ok());
  EXPECT_THAT(conflicts(), ElementsAre(""));
}

TEST_F(BookingsTest, WritesAreTold) {
  int writes = 0;
  bookings_.OnWrite([&] { ++writes; });
  ASSERT_TRUE(bookings_.Run([](Ledgers&) { return absl::OkStatus(); }).ok());
  EXPECT_EQ(writes, 0);
  ASSERT_TRUE(Book(bookings_, "a", Nodes(1, 60)).ok());
  EXPECT_EQ(writes, 1);
  store_.fails = true;
  EXPECT_FALSE(Book(bookings_, "b", Nodes(1, 60)).ok());
  EXPECT_EQ(writes, 1);
}

TEST_F(BookingsTest, QuotasGoToWhatRunsThenToTheFirmThenToTheOldest) {
  SetCluster(
      "name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4 } quotas { tenant: 't' max_gpus: 16 }");
  const auto book = [&](const std::string& id, Micros start_in, int hold_seconds) {
    Wish wish = Nodes(1, 3600, start_in);
    wish.tenant = "t";
    ASSERT_TRUE(Book(bookings_, id, wish, hold_seconds).ok());
    clock_.Advance(absl::Seconds(1));
  };
  book("held", 100, 3000);
  book("firm", 100, 0);
  SetCluster("name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4 } quotas { tenant: 't' max_gpus: 8 }");
  const auto over = [&] {
    std::vector<std::string> ids;
    EXPECT_TRUE(bookings_
                    .Look(clock_.Now(),
                          [&](Calendars& calendars) {
                            for (const auto& [id, why] : calendars.Find("main")->OverQuota(Now())) ids.push_back(id);
                            return absl::OkStatus();
                          })
                    .ok());
    return ids;
  };
  EXPECT_THAT(over(), ElementsAre("held"));
  // What its occupations use comes before all.
  SetCluster(
      "name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4 occupations { nodes: 'p-3' tenant: 't' "
      "gpus_per_node: 1 } } "
      "quotas { tenant: 't' max_gpus: 8 }");
  EXPECT_THAT(over(), ElementsAre("firm", "held"));
  SetCluster(
      "name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4 } quotas { tenant: 't' node_pool: 'p' "
      "max_gpus: 8 }");
  EXPECT_THAT(over(), ElementsAre("held"));
  SetCluster("name: 'main' node_pools { name: 'p' gpu_type: 'h100' node_count: 4 }");
  EXPECT_THAT(over(), IsEmpty());
}

}  // namespace
}  // namespace planner::bookings
