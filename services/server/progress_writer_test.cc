#include "services/server/progress_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "core/base/condition.h"
#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "fmt/format.h"
#include "services/convert/time.h"
#include "services/server/fake_id_source.h"
#include "services/server/fake_plan.h"

namespace planner::server {
namespace {

/// Counts transactions, the first of which waits to be let go; can be made to fail or to throw.
class SlowStore : public store::MemoryStore {
 public:
  using MemoryStore::MemoryStore;
  absl::Status Transact(const store::Body& body) override {
    ++transactions;
    if (throws) throw std::bad_alloc();
    base::MutexLock lock(mutex_);
    has_begun_ = true;
    changed_.WakeAll();
    while (is_held_) changed_.Wait(mutex_);
    return fails ? absl::ResourceExhaustedError("disk full") : MemoryStore::Transact(body);
  }
  void Hold() {
    base::MutexLock lock(mutex_);
    is_held_ = true;
    has_begun_ = false;
  }
  void WaitUntilBegun() {
    base::MutexLock lock(mutex_);
    while (!has_begun_) changed_.Wait(mutex_);
  }
  void LetGo() {
    base::MutexLock lock(mutex_);
    is_held_ = false;
    changed_.WakeAll();
  }
  std::atomic<int> transactions = 0;
  std::atomic<bool> fails = false, throws = false;

 private:
  base::Mutex mutex_;
  base::Condition changed_;
  bool is_held_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_begun_ ABSL_GUARDED_BY(mutex_) = false;
};

class ProgressWriterTest : public ::testing::Test {
 protected:
  ProgressWriterTest() { EXPECT_TRUE(store_.Create(store::Kind::kPlan, "p1", FakePlan().SerializeAsString(), "").ok()); }

  std::string Start() {
    v1::StartRunRequest request;
    request.mutable_run()->set_plan("p1");
    return runs_.Start(request)->name().substr(5);
  }
  RunReport Report(const std::string& id, int64_t step) const {
    v1::ProgressSample sample;
    *sample.mutable_time() = convert::TimeToProto(clock_.Now() + absl::Milliseconds(step));
    sample.set_step(step);
    return {id, {sample}, 0};
  }

  base::FakeClock clock_;
  SlowStore store_{clock_};
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings_{store_, gpus_, clock_};
  RunIndex index_{store_};
  FakeIdSource ids_;
  Runs runs_{store_, bookings_, index_, clock_, ids_};
};

TEST_F(ProgressWriterTest, WhatComesWhileItWritesIsWrittenTogether) {
  std::vector<std::string> ids;
  for (int i = 0; i < 100; ++i) ids.push_back(Start());
  store_.transactions = 0;
  store_.Hold();
  std::atomic<int> accepted = 0;
  {
    ProgressWriter writer(runs_);
    const auto done = [&](const absl::StatusOr<ReportOutcome>& outcome) {
      EXPECT_TRUE(outcome.ok()) << outcome.status();
      if (outcome.ok()) accepted += static_cast<int>(outcome->accepted);
    };
    writer.Write(Report(ids[0], 1), done);
    store_.WaitUntilBegun();
    for (int i = 0; i < 100; ++i) writer.Write(Report(ids[static_cast<size_t>(i)], 2 + i), done);
    store_.LetGo();
  }  // What was asked for is done before it ends.
  EXPECT_EQ(accepted, 101);
  EXPECT_EQ(store_.transactions, 3);  // One, 64 and 36.
}

TEST_F(ProgressWriterTest, AFailureIsToldToAllAndTheNextOnesAreWritten) {
  const std::string id = Start();
  std::atomic<int> failed = 0, written = 0, exhausted = 0;
  ProgressWriter writer(runs_);
  base::Mutex mutex;
  base::Condition changed;
  const auto wait_for = [&](int all) {
    base::MutexLock lock(mutex);
    while (failed + written < all) changed.Wait(mutex);
  };
  const auto done = [&](const absl::StatusOr<ReportOutcome>& outcome) {
    base::MutexLock lock(mutex);
    ++(outcome.ok() ? written : failed);
    if (absl::IsResourceExhausted(outcome.status())) ++exhausted;
    changed.WakeAll();
  };
  store_.fails = true;
  writer.Write(Report(id, 1), done);
  wait_for(1);
  store_.fails = false;
  store_.throws = true;
  writer.Write(Report(id, 2), done);
  wait_for(2);
  store_.throws = false;
  writer.Write(Report(id, 3), done);
  wait_for(3);
  EXPECT_EQ(failed, 2);
  EXPECT_EQ(exhausted, 2);
  EXPECT_EQ(written, 1);
}

}  // namespace
}  // namespace planner::server
