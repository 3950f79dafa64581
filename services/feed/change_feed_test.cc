#include "services/feed/change_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"

namespace planner::feed {
namespace {

using store::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A store that may be away, and counts how often it is looked at.
class FlakyStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  absl::StatusOr<int64_t> Version() override {
    ++looks;
    if (is_away) return absl::UnavailableError("the store is away");
    return MemoryStore::Version();
  }
  absl::StatusOr<store::Changes> ChangesSince(const std::vector<Kind>& kinds, int64_t version) override {
    ++reads;
    return MemoryStore::ChangesSince(kinds, version);
  }
  int looks = 0;
  int reads = 0;
  bool is_away = false;
};

/// Writes down what it is told.
class Recorder : public Subscriber {
 public:
  void Begin(absl::Time) override {
    told.emplace_back("begin");
    if (on_begin) on_begin();
  }
  void Fail(const absl::Status& status) override { told.push_back("fail: " + std::string(status.message())); }
  void OnChanges(const store::Changes& changes, absl::Time) override {
    for (const store::KindRecord& one : changes.written) told.push_back(one.record.name + "=" + one.record.value);
    for (const auto& [kind, name] : changes.deleted) told.push_back("-" + name);
  }
  absl::Time NextTime() const override { return next; }
  void OnTime(absl::Time) override {
    told.emplace_back("time");
    next = absl::InfiniteFuture();
  }
  std::vector<std::string> Told() { return std::exchange(told, {}); }

  std::vector<std::string> told;
  absl::Time next = absl::InfiniteFuture();
  std::function<void()> on_begin;
};

class ChangeFeedTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& value, Kind kind = Kind::kPlan) {
    const auto change = [&](const store::Record&) -> absl::StatusOr<std::string> { return value; };
    if (!store_.Update(kind, name, "", change).ok()) {
      ASSERT_TRUE(store_.Create(kind, name, value, "").ok());
    }
  }
  std::shared_ptr<Recorder> Joined() {
    auto recorder = std::make_shared<Recorder>();
    feed_.Subscribe(recorder);
    return recorder;
  }

  base::FakeClock clock_;
  FlakyStore store_{clock_};
  ChangeFeed feed_{store_, clock_, {.interval = absl::Milliseconds(250), .has_thread = false}};
};

TEST_F(ChangeFeedTest, TellsEveryChangeOnceAndTheLatestState) {
  Write("old", "1");
  const auto recorder = Joined();
  feed_.Turn();
  EXPECT_THAT(recorder->Told(), ElementsAre("begin")) << "what was there before is read by Begin";
  feed_.Turn();
  EXPECT_THAT(recorder->Told(), IsEmpty());
  Write("a", "1");
  Write("a", "2");
  Write("run", "x", Kind::kRun);
  EXPECT_TRUE(store_.Delete(Kind::kPlan, "old", "").ok());
  feed_.Turn();
  EXPECT_THAT(recorder->Told(), ElementsAre("a=2", "-old")) << "of the kinds that it is for";
  feed_.Turn();
  EXPECT_THAT(recorder->Told(), IsEmpty());
}

TEST_F(ChangeFeedTest, ReadsNothingWhileNothingChanges) {
  const auto recorder = Joined();
  Write("a", "1");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(feed_.Turn(), absl::Milliseconds(250));
  EXPECT_EQ(store_.looks, 10);
  EXPECT_EQ(store_.reads, 0);
}

TEST_F(ChangeFeedTest, DoesNotLookWhileNobodyListens) {
  EXPECT_EQ(feed_.Turn(), absl::InfiniteDuration());
  const auto recorder = Joined();
  feed_.Turn();
  feed_.Unsubscribe(recorder.get());
  Write("a", "1");
  EXPECT_EQ(feed_.Turn(), absl::InfiniteDuration());
  EXPECT_EQ(store_.looks, 1);
  const auto later = Joined();
  feed_.Turn();
  EXPECT_THAT(later->Told(), ElementsAre("begin"));
  EXPECT_THAT(recorder->Told(), ElementsAre("begin"));
}

TEST_F(ChangeFeedTest, WhatIsWrittenDuringBeginIsTold) {
  const auto recorder = std::make_shared<Recorder>();
  recorder->on_begin = [this] { Write("a", "1"); };
  feed_.Subscribe(recorder);
  feed_.Turn();
  feed_.Turn();
  EXPECT_THAT(recorder->Told(), ElementsAre("begin", "a=1"));
}

TEST_F(ChangeFeedTest, WhoJoinsIsNotToldWhatItHasSeen) {
  const auto first = Joined();
  feed_.Turn();
  Write("a", "1");
  const auto second = Joined();
  feed_.Turn();
  EXPECT_THAT(first->Told(), ElementsAre("begin", "a=1"));
  EXPECT_THAT(second->Told(), ElementsAre("begin"));
}

TEST_F(ChangeFeedTest, TimePassesWithoutAWrite) {
  const auto recorder = Joined();
  recorder->next = clock_.Now() + absl::Milliseconds(100);
  EXPECT_EQ(feed_.Turn(), absl::Milliseconds(100)) << "sooner than the interval";
  EXPECT_THAT(recorder->Told(), ElementsAre("begin"));
  clock_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(feed_.Turn(), absl::Milliseconds(250));
  EXPECT_THAT(recorder->Told(), ElementsAre("time"));
}

TEST_F(ChangeFeedTest, AStoreThatComesBackHasLostNothing) {
  const auto recorder = Joined();
  feed_.Turn();
  recorder->Told();
  store_.is_away = true;
  EXPECT_EQ(feed_.Turn(), absl::Milliseconds(500)) << "less and less often";
  EXPECT_EQ(feed_.Turn(), absl::Seconds(1));
  for (int i = 0; i < 10; ++i) feed_.Turn();
  EXPECT_EQ(feed_.Turn(), absl::Seconds(5));
  const auto joined_then = Joined();
  feed_.Turn();
  EXPECT_THAT(joined_then->Told(), ElementsAre("fail: the store is away"));
  Write("a", "1");
  store_.is_away = false;
  EXPECT_EQ(feed_.Turn(), absl::Milliseconds(250));
  EXPECT_THAT(recorder->Told(), ElementsAre("a=1"));
  EXPECT_THAT(joined_then->Told(), IsEmpty());
}

/// Lets another thread wait for what it is told.
class Signal : public Subscriber {
 public:
  void Begin(absl::Time) override { Count(); }
  void Fail(const absl::Status&) override {}
  void OnChanges(const store::Changes&, absl::Time) override { Count(); }
  void WaitFor(int calls) {
    base::MutexLock lock(mutex_);
    while (calls_ < calls) changed_.Wait(mutex_);
  }

 private:
  void Count() {
    base::MutexLock lock(mutex_);
    ++calls_;
    changed_.WakeAll();
  }
  base::Mutex mutex_;
  base::Condition changed_;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

// These wait for what must happen: a feed that sleeps on would time out.

TEST(ChangeFeedThreadTest, IsWokenByThisProcess) {
  base::FakeClock clock;
  store::MemoryStore store(clock);
  ChangeFeed feed(store, clock, {.interval = absl::Hours(1)});
  const auto signal = std::make_shared<Signal>();
  feed.Subscribe(signal);
  signal->WaitFor(1);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(store.Create(Kind::kPlan, std::to_string(i), "x", "").ok());
    feed.Wake();
    signal->WaitFor(2 + i);
  }
}

TEST(ChangeFeedThreadTest, IsWokenByTheDatabase) {
  base::FakeClock clock;
  store::MemoryStore store(clock);
  ChangeFeed feed(store, clock, {.interval = absl::Hours(1), .wait = [](absl::Duration) {}});
  const auto signal = std::make_shared<Signal>();
  feed.Subscribe(signal);
  signal->WaitFor(1);
  ASSERT_TRUE(store.Create(Kind::kPlan, "a", "x", "").ok());
  signal->WaitFor(2);
  feed.Unsubscribe(signal.get());
}

TEST(ChangeFeedThreadTest, LooksByItselfForOtherProcesses) {
  base::FakeClock clock;
  store::MemoryStore store(clock);
  ChangeFeed feed(store, clock, {.interval = absl::Milliseconds(1), .shortest_interval = absl::ZeroDuration()});
  const auto signal = std::make_shared<Signal>();
  feed.Subscribe(signal);
  signal->WaitFor(1);
  ASSERT_TRUE(store.Create(Kind::kPlan, "a", "x", "").ok());
  signal->WaitFor(2);
}

}  // namespace
}  // namespace planner::feed
