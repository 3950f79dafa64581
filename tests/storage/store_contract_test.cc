#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "core/store/store.h"
#include "tests/storage/store_contract.h"

namespace planner::store {
namespace {

using ::testing::ElementsAre;

class StoreContractTest : public ::testing::TestWithParam<Implementation> {
 protected:
  static Change To(std::string value) {
    return [value](const Record&) -> absl::StatusOr<std::string> { return value; };
  }
  Record MustCreate(const std::string& name, Kind kind = Kind::kCluster, const std::string& request_id = "") {
    const absl::StatusOr<Record> record = store_->Create(kind, name, "value of " + name, request_id);
    EXPECT_TRUE(record.ok()) << record.status();
    return record.value_or(Record());
  }
  /// Names of all pages; `between` runs after each page.
  std::vector<std::string> Names(
      Kind kind, ListOptions options, const std::function<void()>& between = [] {}) {
    std::vector<std::string> names;
    do {
      const absl::StatusOr<Page> page = store_->List(kind, options);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(page->records.size(), static_cast<size_t>(options.page_size));
      for (const Record& record : page->records) names.push_back(record.name);
      options.page_token = page->next_page_token;
      between();
    } while (!options.page_token.empty());
    return names;
  }

  ScratchFolder folder_;
  base::FakeClock clock_;
  std::unique_ptr<Store> store_ = GetParam().make(folder_, clock_);
};

TEST_P(StoreContractTest, KeepsWhatWasCreated) {
  const std::string bytes("a\0b\xff", 4);
  const Record created = *store_->Create(Kind::kPlan, "p", bytes, "");
  const Record read = *store_->Get(Kind::kPlan, "p");
  EXPECT_EQ(read.name, "p");
  EXPECT_EQ(read.value, bytes);
  EXPECT_EQ(read.etag, created.etag);
  EXPECT_NE(read.etag, "");
  EXPECT_EQ(read.create_time, clock_.Now());
  EXPECT_EQ(read.update_time, clock_.Now());
  EXPECT_EQ(store_->Create(Kind::kPlan, "empty", "", "")->value, "");
  EXPECT_EQ(store_->Get(Kind::kPlan, "empty")->value, "");
}

TEST_P(StoreContractTest, Rule1NamesAreUniqueWithinAKind) {
  MustCreate("main");
  EXPECT_TRUE(absl::IsAlreadyExists(store_->Create(Kind::kCluster, "main", "other", "").status()));
  EXPECT_EQ(store_->Get(Kind::kCluster, "main")->value, "value of main");
  EXPECT_TRUE(store_->Create(Kind::kPlan, "main", "a plan", "").ok());
}

TEST_P(StoreContractTest, Rule2ARequestIdIsAnsweredWithItsRecord) {
  const Record first = MustCreate("a", Kind::kPlan, "request-1");
  const Record again = *store_->Create(Kind::kPlan, "b", "another value", "request-1");
  EXPECT_EQ(again.name, "a");
  EXPECT_EQ(again.etag, first.etag);
  EXPECT_TRUE(absl::IsNotFound(store_->Get(Kind::kPlan, "b").status()));
  EXPECT_EQ(store_->GetByRequestId(Kind::kPlan, "request-1")->name, "a");
  // As it is now.
  ASSERT_TRUE(store_->Update(Kind::kPlan, "a", "", To("newer")).ok());
  EXPECT_EQ(store_->Create(Kind::kPlan, "b", "x", "request-1")->value, "newer");
  // Of this kind only, and only while it exists.
  EXPECT_TRUE(absl::IsNotFound(store_->GetByRequestId(Kind::kCluster, "request-1").status()));
  ASSERT_TRUE(store_->Delete(Kind::kPlan, "a", "").ok());
  EXPECT_TRUE(absl::IsNotFound(store_->GetByRequestId(Kind::kPlan, "request-1").status()));
  EXPECT_EQ(store_->Create(Kind::kPlan, "b", "x", "request-1")->name, "b");
}

TEST_P(StoreContractTest, Rule2AnEmptyRequestIdBelongsToNone) {
  MustCreate("a");
  EXPECT_EQ(MustCreate("b").name, "b");
  EXPECT_TRUE(absl::IsNotFound(store_->GetByRequestId(Kind::kCluster, "").status()));
}

TEST_P(StoreContractTest, Rule3EveryChangeGivesANewEtag) {
  std::set<std::string> etags{MustCreate("a").etag, MustCreate("b").etag};
  clock_.Advance(absl::Seconds(1));
  const Record updated = *store_->Update(Kind::kCluster, "a", "", To("2"));
  etags.insert(updated.etag);
  EXPECT_EQ(updated.update_time, clock_.Now());
  EXPECT_EQ(updated.create_time, clock_.Now() - absl::Seconds(1));
  // Back to an earlier value, and made anew under an earlier name: still new versions.
  etags.insert(store_->Update(Kind::kCluster, "a", "", To("value of a"))->etag);
  ASSERT_TRUE(store_->Delete(Kind::kCluster, "a", "").ok());
  etags.insert(MustCreate("a").etag);
  EXPECT_EQ(etags.size(), 5u);
}

TEST_P(StoreContractTest, Rule3TheSameValueIsNoChange) {
  const Record created = MustCreate("a");
  const int64_t version = *store_->Version();
  clock_.Advance(absl::Seconds(1));
  const Record same = *store_->Update(Kind::kCluster, "a", "", To("value of a"));
  EXPECT_EQ(same.etag, created.etag);
  EXPECT_EQ(same.update_time, created.update_time);
  EXPECT_EQ(*store_->Version(), version);
}

TEST_P(StoreContractTest, Rule4AnOldEtagIsAborted) {
  const std::string old = MustCreate("a").etag;
  const std::string current = store_->Update(Kind::kCluster, "a", old, To("2"))->etag;
  EXPECT_TRUE(absl::IsAborted(store_->Update(Kind::kCluster, "a", old, To("3")).status()));
  EXPECT_TRUE(absl::IsAborted(store_->Delete(Kind::kCluster, "a", old)));
  EXPECT_EQ(store_->Get(Kind::kCluster, "a")->value, "2");
  EXPECT_TRUE(store_->Delete(Kind::kCluster, "a", current).ok());
}

TEST_P(StoreContractTest, Rule5MissingNamesAreNotFound) {
  EXPECT_TRUE(absl::IsNotFound(store_->Get(Kind::kPlan, "x").status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Update(Kind::kPlan, "x", "", To("2")).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Delete(Kind::kPlan, "x", "")));
  EXPECT_EQ(base::DetailOf(store_->Get(Kind::kPlan, "x").status()).reason, "UNKNOWN_PLAN");
  MustCreate("x");
  ASSERT_TRUE(store_->Delete(Kind::kCluster, "x", "").ok());
  EXPECT_TRUE(absl::IsNotFound(store_->Get(Kind::kCluster, "x").status()));
}

TEST_P(StoreContractTest, Rule6AFailedChangeStoresNothing) {
  const Record created = MustCreate("a");
  const absl::Status refused = absl::FailedPreconditionError("no");
  const auto result =
      store_->Update(Kind::kCluster, "a", "", [&](const Record&) -> absl::StatusOr<std::string> { return refused; });
  EXPECT_EQ(result.status(), refused);
  EXPECT_EQ(store_->Get(Kind::kCluster, "a")->etag, created.etag);
  // The store still takes writes: no transaction was left open.
  EXPECT_TRUE(store_->Update(Kind::kCluster, "a", "", To("2")).ok());
}

TEST_P(StoreContractTest, Rule6And10ChangesOfManyThreadsAreAllSeen) {
  constexpr int kThreads = 4;
  constexpr int kChanges = 25;
  ASSERT_TRUE(store_->Create(Kind::kCluster, "counter", "0", "").ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kChanges; ++j) {
        const auto increment = [](const Record& record) -> absl::StatusOr<std::string> {
          return std::to_string(std::stoi(record.value) + 1);
        };
        EXPECT_TRUE(store_->Update(Kind::kCluster, "counter", "", increment).ok());
        EXPECT_TRUE(store_->Get(Kind::kCluster, "counter").ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->Get(Kind::kCluster, "counter")->value, std::to_string(kThreads * kChanges));
}

TEST_P(StoreContractTest, Rule7ListsByNameAndByAge) {
  for (const char* name : {"b", "c", "a", "B"}) MustCreate(name);
  MustCreate("plan", Kind::kPlan);
  for (const int page_size : {1, 2, 3, 4, 100}) {
    EXPECT_THAT(Names(Kind::kCluster, {Order::kByName, page_size, ""}), ElementsAre("B", "a", "b", "c"));
    EXPECT_THAT(Names(Kind::kCluster, {Order::kNewestFirst, page_size, ""}), ElementsAre("B", "a", "c", "b"));
  }
  EXPECT_THAT(Names(Kind::kPlan, {}), ElementsAre("plan"));
}

TEST_P(StoreContractTest, Rule7AnEmptyListIsOnePage) {
  EXPECT_THAT(Names(Kind::kCluster, {}), ElementsAre());
  EXPECT_THAT(Names(Kind::kPlan, {Order::kNewestFirst, 10, ""}), ElementsAre());
}

TEST_P(StoreContractTest, Rule7WritesBetweenPagesNeitherHideNorRepeat) {
  for (const char* name : {"a", "c", "e", "g"}) MustCreate(name);
  int round = 0;
  const auto disturb = [&] {
    if (round++ > 0) return;
    ASSERT_TRUE(store_->Delete(Kind::kCluster, "a", "").ok());
    MustCreate("b");
    ASSERT_TRUE(store_->Update(Kind::kCluster, "e", "", To("2")).ok());
  };
  EXPECT_THAT(Names(Kind::kCluster, {Order::kByName, 2, ""}, disturb), ElementsAre("a", "c", "e", "g"));
  round = 0;
  const auto disturb_again = [&] {
    if (round++ > 0) return;
    MustCreate("z");
    ASSERT_TRUE(store_->Delete(Kind::kCluster, "c", "").ok());
  };
  EXPECT_THAT(Names(Kind::kCluster, {Order::kNewestFirst, 2, ""}, disturb_again), ElementsAre("b", "g", "e"));
}

TEST_P(StoreContractTest, Rule7ForeignTokensAreInvalid) {
  MustCreate("a");
  MustCreate("b");
  const std::string token = store_->List(Kind::kCluster, {Order::kByName, 1, ""})->next_page_token;
  for (const absl::StatusOr<Page>& page : {store_->List(Kind::kPlan, {Order::kByName, 1, token}),
                                           store_->List(Kind::kCluster, {Order::kNewestFirst, 1, token}),
                                           store_->List(Kind::kCluster, {Order::kByName, 1, "nonsense"})}) {
    EXPECT_TRUE(absl::IsInvalidArgument(page.status()));
    EXPECT_EQ(base::DetailOf(page.status()).field, "page_token");
  }
}

TEST_P(StoreContractTest, Rule9VersionChangesWithEveryWrite) {
  std::set<int64_t> versions{*store_->Version()};
  MustCreate("a");
  versions.insert(*store_->Version());
  ASSERT_TRUE(store_->Update(Kind::kCluster, "a", "", To("2")).ok());
  versions.insert(*store_->Version());
  ASSERT_TRUE(store_->Get(Kind::kCluster, "a").ok());
  versions.insert(*store_->Version());
  ASSERT_TRUE(store_->Delete(Kind::kCluster, "a", "").ok());
  versions.insert(*store_->Version());
  EXPECT_EQ(versions.size(), 4u);
}

/// Names of what was written and, with a minus before, of what was deleted.
std::vector<std::string> NamesOf(const Changes& changes) {
  std::vector<std::string> names;
  for (const KindRecord& one : changes.written) names.push_back(one.record.name);
  for (const auto& [kind, name] : changes.deleted) names.push_back("-" + name);
  return names;
}

TEST_P(StoreContractTest, Rule11ATransactionIsAllOrNothing) {
  MustCreate("a");
  const absl::Status refused = absl::FailedPreconditionError("no");
  const auto work = [&](const absl::Status& end) {
    return [&, end](Transaction& transaction) -> absl::Status {
      EXPECT_TRUE(transaction.Create(Kind::kReservation, "r", "1", "id").ok());
      EXPECT_TRUE(transaction.Update(Kind::kCluster, "a", "", "changed").ok());
      // It sees its own writes.
      EXPECT_EQ(transaction.Get(Kind::kReservation, "r")->value, "1");
      EXPECT_EQ(transaction.GetByRequestId(Kind::kReservation, "id")->name, "r");
      EXPECT_EQ(transaction.Get(Kind::kCluster, "a")->value, "changed");
      EXPECT_TRUE(transaction.Create(Kind::kPlan, "p", "1", "").ok());
      EXPECT_TRUE(transaction.Delete(Kind::kPlan, "p", "").ok());
      EXPECT_TRUE(absl::IsNotFound(transaction.Get(Kind::kPlan, "p").status()));
      return end;
    };
  };
  EXPECT_EQ(store_->Transact(work(refused)), refused);
  EXPECT_TRUE(absl::IsNotFound(store_->Get(Kind::kReservation, "r").status()));
  EXPECT_TRUE(absl::IsNotFound(store_->GetByRequestId(Kind::kReservation, "id").status()));
  EXPECT_EQ(store_->Get(Kind::kCluster, "a")->value, "value of a");
  EXPECT_TRUE(store_->Transact(work(absl::OkStatus())).ok());
  EXPECT_EQ(store_->Get(Kind::kReservation, "r")->value, "1");
  EXPECT_EQ(store_->Get(Kind::kCluster, "a")->value, "changed");
}

TEST_P(StoreContractTest, Rule11ADeletionThatIsTakenBackLeavesItsRecord) {
  const Record created = MustCreate("a", Kind::kPlan, "id");
  const absl::Status refused = absl::FailedPreconditionError("no");
  EXPECT_EQ(store_->Transact([&](Transaction& transaction) -> absl::Status {
    EXPECT_TRUE(transaction.Delete(Kind::kPlan, "a", created.etag).ok());
    EXPECT_TRUE(transaction.Create(Kind::kPlan, "a", "another", "").ok());
    return refused;
  }),
            refused);
  EXPECT_EQ(store_->Get(Kind::kPlan, "a")->value, created.value);
  EXPECT_EQ(store_->GetByRequestId(Kind::kPlan, "id")->etag, created.etag);
  EXPECT_THAT(Names(Kind::kPlan, {Order::kNewestFirst, 10, ""}), ElementsAre("a"));
}

TEST_P(StoreContractTest, Rule11TransactionsOfManyThreadsDoNotMix) {
  // Each takes what is left only if it sees that it is: one that decides on what another one is changing would take too much.
  constexpr int kThreads = 4;
  constexpr int kRounds = 25;
  ASSERT_TRUE(store_->Create(Kind::kCluster, "left", std::to_string(kThreads * kRounds / 2), "").ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < kRounds; ++j) {
        const absl::Status status = store_->Transact([&](Transaction& transaction) -> absl::Status {
          const int left = std::stoi(transaction.Get(Kind::kCluster, "left")->value);
          if (left == 0) return absl::ResourceExhaustedError("none is left");
          EXPECT_TRUE(transaction.Update(Kind::kCluster, "left", "", std::to_string(left - 1)).ok());
          return transaction.Create(Kind::kReservation, std::to_string(i) + "-" + std::to_string(j), "1", "").status();
        });
        EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->Get(Kind::kCluster, "left")->value, "0");
  EXPECT_EQ(Names(Kind::kReservation, {}).size(), size_t{kThreads * kRounds / 2});
}

TEST_P(StoreContractTest, Rule12ChangesAreToldOnceEach) {
  EXPECT_THAT(NamesOf(*store_->ChangesSince({Kind::kCluster}, 0)), ElementsAre());
  MustCreate("a");
  MustCreate("b");
  MustCreate("p", Kind::kPlan);
  const Changes all = *store_->ChangesSince({Kind::kCluster}, 0);
  EXPECT_TRUE(all.is_all);
  EXPECT_EQ(all.version, *store_->Version());
  EXPECT_THAT(NamesOf(all), ElementsAre("a", "b"));
  EXPECT_EQ(all.written[0].record.value, "value of a");
  EXPECT_THAT(NamesOf(*store_->ChangesSince({Kind::kCluster}, all.version)), ElementsAre());
  ASSERT_TRUE(store_->Update(Kind::kCluster, "a", "", To("2")).ok());
  MustCreate("c");
  ASSERT_TRUE(store_->Update(Kind::kCluster, "a", "", To("3")).ok());
  ASSERT_TRUE(store_->Delete(Kind::kCluster, "b", "").ok());
  const Changes some = *store_->ChangesSince({Kind::kCluster}, all.version);
  EXPECT_FALSE(some.is_all);
  EXPECT_THAT(NamesOf(some), ElementsAre("c", "a", "-b"));
  EXPECT_EQ(some.written[1].record.value, "3");
  // Made anew: written and not deleted. Of other kinds only where they are asked for.
  MustCreate("b");
  ASSERT_TRUE(store_->Delete(Kind::kPlan, "p", "").ok());
  EXPECT_THAT(NamesOf(*store_->ChangesSince({Kind::kCluster}, some.version)), ElementsAre("b"));
  EXPECT_THAT(NamesOf(*store_->ChangesSince({Kind::kPlan, Kind::kCluster}, some.version)), ElementsAre("b", "-p"));
  EXPECT_THAT(NamesOf(*store_->ChangesSince({Kind::kCluster}, all.version)), ElementsAre("c", "a", "b"));
}

TEST_P(StoreContractTest, Rule12ATransactionIsToldItsOwnChangesToo) {
  MustCreate("a");
  const int64_t version = store_->ChangesSince({Kind::kCluster}, 0)->version;
  int64_t inside = 0;
  const absl::Status status = store_->Transact([&](Transaction& transaction) -> absl::Status {
    EXPECT_TRUE(transaction.Create(Kind::kCluster, "b", "1", "").ok());
    const Changes changes = *transaction.ChangesSince({Kind::kCluster}, version);
    EXPECT_THAT(NamesOf(changes), ElementsAre("b"));
    inside = changes.version;
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(NamesOf(*store_->ChangesSince({Kind::kCluster}, inside)), ElementsAre());
}

/// Everything of a store but etags.
std::vector<std::string> Everything(Store& store) {
  std::vector<std::string> all;
  const absl::Status status = store.Export([&](const KeptRecord& one) {
    all.push_back(std::string(KindName(one.kind)) + " " + one.record.name + " " + one.record.value + " " +
                  one.request_id + " " + absl::FormatTime(one.record.create_time) + " " +
                  absl::FormatTime(one.record.update_time));
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return all;
}

TEST_P(StoreContractTest, Rule13ExportGivesAllOfOneMoment) {
  for (const char* name : {"b", "a", "c"}) MustCreate(name);
  MustCreate("p", Kind::kPlan, "id");
  ASSERT_TRUE(store_->Delete(Kind::kCluster, "c", "").ok());
  ASSERT_TRUE(store_->Update(Kind::kCluster, "b", "", To("2")).ok());
  std::vector<std::string> names;
  ASSERT_TRUE(store_
                  ->Export([&](const KeptRecord& one) {
                    if (names.empty()) MustCreate("late");
                    names.push_back(one.record.name + ":" + one.record.value + ":" + one.request_id);
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_THAT(names, ElementsAre("b:2:", "a:value of a:", "p:value of p:id"));
  // An error of whoever takes them ends it, and the store goes on.
  const absl::Status enough = absl::CancelledError("enough");
  EXPECT_EQ(store_->Export([&](const KeptRecord&) { return enough; }), enough);
  EXPECT_EQ(Everything(*store_).size(), 4u);
}

TEST_P(StoreContractTest, Rule13ImportMakesAllAnew) {
  MemoryStore source(clock_);
  ASSERT_TRUE(source.Create(Kind::kReservation, "z", std::string("\0\xff", 2), "").ok());
  clock_.Advance(absl::Nanoseconds(1));
  ASSERT_TRUE(source.Create(Kind::kPlan, "a", "", "id").ok());
  ASSERT_TRUE(source.Create(Kind::kPlan, "b", "1", "").ok());
  ASSERT_TRUE(source.Update(Kind::kReservation, "z", "", To("3")).ok());
  clock_.Advance(absl::Hours(1));
  const Source all = [&](const Take& take) { return source.Export(take); };
  // What breaks off leaves nothing.
  const absl::Status broken = absl::DataLossError("broken");
  EXPECT_EQ(
      store_->Import([&](const Take& take) -> absl::Status { return all(take).ok() ? broken : absl::OkStatus(); }),
      broken);
  EXPECT_THAT(Everything(*store_), ElementsAre());
  ASSERT_TRUE(store_->Import(all).ok());
  EXPECT_EQ(Everything(*store_), Everything(source));
  EXPECT_THAT(Names(Kind::kPlan, {Order::kNewestFirst, 10, ""}), ElementsAre("b", "a"));
  EXPECT_EQ(store_->Create(Kind::kPlan, "other", "", "id")->name, "a");
  EXPECT_EQ(store_->ChangesSince({Kind::kPlan, Kind::kReservation}, 0)->written.size(), 3u);
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->Import(all)));
  EXPECT_TRUE(store_->Update(Kind::kReservation, "z", store_->Get(Kind::kReservation, "z")->etag, To("4")).ok());
}

TEST_P(StoreContractTest, Rule14AWaitEndsWithAChangeOrWithItsTime) {
  MustCreate("a");
  const int64_t version = *store_->Version();
  EXPECT_EQ(*store_->WaitForChange(version, absl::Milliseconds(1)), version);
  EXPECT_EQ(*store_->WaitForChange(version - 1, absl::Minutes(1)), version);
  std::thread writer([&] { MustCreate("b"); });
  int64_t now = version;
  for (int i = 0; i < 10 && now == version; ++i) now = *store_->WaitForChange(version, absl::Minutes(1));
  writer.join();
  EXPECT_EQ(now, *store_->Version());
  EXPECT_NE(now, version);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContractTest, ::testing::ValuesIn(Implementations()),
                         [](const ::testing::TestParamInfo<Implementation>& implementation) {
                           return implementation.param.name;
                         });

}  // namespace
}  // namespace planner::store
