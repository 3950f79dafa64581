#include "core/counting/cached_counter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/base/fake_clock.h"

namespace planner::counting {
namespace {

/// Answers with what it is asked; by default a report whose parameters are the number of the call.
class ScriptedCounter : public Counter {
 public:
  CounterInfo Info() const override { return {.name = "scripted", .version = version}; }
  absl::StatusOr<CostReport> Count(const CountRequest& request) const override {
    const int call = ++calls;
    if (answer) return answer(request);
    CostReport report{.parameters = call};
    if (request.with_modules) report.modules.push_back({.path = std::string(1000, 'm')});
    return report;
  }

  std::string version = "1";
  std::function<absl::StatusOr<CostReport>(const CountRequest&)> answer;
  mutable std::atomic<int> calls = 0;
};

model::ModelDescription ModelOf(model::SourceFormat format, const std::string& sha256) {
  model::ModelDescription model{.kind = model::ModelKind::kModule};
  model.source = std::make_shared<const model::ModelSource>(
      model::ModelSource{.format = format, .text = {}, .file = {.sha256 = sha256, .size_bytes = 1, .path = {}}});
  return model;
}

class CachedCounterTest : public ::testing::Test {
 protected:
  base::FakeClock clock_;
  ScriptedCounter counter_;
  CachedCounter cache_{counter_, clock_};
  const model::ModelDescription model_ = ModelOf(model::SourceFormat::kTorchScript, "a");
};

TEST_F(CachedCounterTest, ASecondCountIsTheFirst) {
  const auto first = cache_.Count({.model = model_});
  const auto second = cache_.Count({.model = model_});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(first->cached);
  EXPECT_TRUE(second->cached);
  EXPECT_EQ(second->parameters, first->parameters);
  EXPECT_EQ(second->modules.size(), 1U);
  EXPECT_EQ(counter_.calls, 1);
}

TEST_F(CachedCounterTest, PlanningSharesTheCountOfTheTree) {
  EXPECT_THAT(cache_.Count({.model = model_, .with_modules = false})->modules, ::testing::IsEmpty());
  EXPECT_EQ(cache_.Count({.model = model_, .with_modules = true})->modules.size(), 1U);
  EXPECT_EQ(counter_.calls, 1);
}

TEST_F(CachedCounterTest, EverythingThatMattersIsPartOfTheKey) {
  const model::ModelDescription other = ModelOf(model::SourceFormat::kTorchScript, "b");
  model::TensorInput typed{1, 3};
  typed.dtype = "int64";
  model::TensorInput named{1, 3};
  named.name = "int64";
  const std::vector<CountRequest> requests = {
      {.model = model_},
      {.model = other},
      {.model = model_, .mode = Mode::kInference},
      {.model = model_, .activation_element_bytes = 4},
      {.model = model_, .batch = {.batch = 2}},
      {.model = model_, .batch = {.seq_len = 2}},
      {.model = model_, .batch = {.inputs = {{1, 3}}}},
      {.model = model_, .batch = {.inputs = {{1}, {3}}}},
      {.model = model_, .batch = {.inputs = {{13}}}},
      {.model = model_, .batch = {.inputs = {typed}}},
      {.model = model_, .batch = {.inputs = {named}}},
  };
  for (const CountRequest& request : requests) EXPECT_FALSE(cache_.Count(request)->cached);
  for (const CountRequest& request : requests) EXPECT_TRUE(cache_.Count(request)->cached);
  counter_.version = "2";
  EXPECT_FALSE(cache_.Count(requests[0])->cached);
}

TEST_F(CachedCounterTest, ACountThatNobodyWaitsForIsCancelled) {
  counter_.answer = [](const CountRequest& request) -> absl::StatusOr<CostReport> {
    return base::IsCancelled(request.cancelled) ? absl::CancelledError("cancelled")
                                                : absl::StatusOr<CostReport>(CostReport());
  };
  EXPECT_TRUE(absl::IsCancelled(cache_.Count({.model = model_, .cancelled = [] { return true; }}).status()));
  EXPECT_TRUE(cache_.Count({.model = model_, .cancelled = [] { return false; }}).ok());
}

TEST_F(CachedCounterTest, ACountThatAnotherWaitsForGoesOn) {
  std::atomic<bool> at_work = false;
  counter_.answer = [&](const CountRequest& request) -> absl::StatusOr<CostReport> {
    at_work = true;
    while (base::IsCancelled(request.cancelled)) std::this_thread::yield();  // Until the other has come.
    return CostReport{.parameters = 7};
  };
  std::thread gone([&] { EXPECT_TRUE(cache_.Count({.model = model_, .cancelled = [] { return true; }}).ok()); });
  while (!at_work) std::this_thread::yield();
  const auto report = cache_.Count({.model = model_});
  gone.join();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, 7);
  EXPECT_EQ(counter_.calls, 1);
}

TEST_F(CachedCounterTest, OneThatWaitsForAnotherLeavesWhenItIsCancelled) {
  std::atomic<bool> at_work = false;
  std::atomic<bool> go_on = false;
  counter_.answer = [&](const CountRequest&) -> absl::StatusOr<CostReport> {
    at_work = true;
    while (!go_on) std::this_thread::yield();
    return CostReport();
  };
  std::thread first([&] { EXPECT_TRUE(cache_.Count({.model = model_}).ok()); });
  while (!at_work) std::this_thread::yield();
  EXPECT_TRUE(absl::IsCancelled(cache_.Count({.model = model_, .cancelled = [] { return true; }}).status()));
  go_on = true;
  first.join();
}

TEST_F(CachedCounterTest, DescriptionsAndErrorsAreNotKept) {
  const model::ModelDescription config = ModelOf(model::SourceFormat::kHuggingFaceConfig, "");
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(cache_.Count({.model = config})->cached);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(cache_.Count({.model = model::ModelDescription()})->cached);
  counter_.calls = 0;
  counter_.answer = [](const CountRequest&) { return absl::InvalidArgumentError("broken"); };
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(absl::IsInvalidArgument(cache_.Count({.model = model_}).status()));
  EXPECT_EQ(counter_.calls, 2);
}

TEST_F(CachedCounterTest, TheOnesUsedLongestAgoMakeRoom) {
  CachedCounter small(counter_, clock_, 4000);  // Two reports of about 1.7 kB.
  const model::ModelDescription b = ModelOf(model::SourceFormat::kTorchScript, "b");
  const model::ModelDescription c = ModelOf(model::SourceFormat::kTorchScript, "c");
  small.Count({.model = model_}).IgnoreError();
  small.Count({.model = b}).IgnoreError();
  EXPECT_TRUE(small.Count({.model = model_})->cached);
  small.Count({.model = c}).IgnoreError();
  EXPECT_TRUE(small.Count({.model = model_})->cached);
  EXPECT_TRUE(small.Count({.model = c})->cached);
  EXPECT_FALSE(small.Count({.model = b})->cached);
  CachedCounter tiny(counter_, clock_, 100);
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(tiny.Count({.model = model_})->cached);
}

/// A gate that a counting thread waits at.
class Gate {
 public:
  void Pass() {
    base::MutexLock lock(mutex_);
    arrived_ = true;
    changed_.WakeAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void WaitForArrival() {
    base::MutexLock lock(mutex_);
    while (!arrived_) changed_.Wait(mutex_);
  }
  void Open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    changed_.WakeAll();
  }

 private:
  base::Mutex mutex_;
  base::Condition changed_;
  bool arrived_ ABSL_GUARDED_BY(mutex_) = false;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST_F(CachedCounterTest, EqualRequestsAtOnceAreCountedOnce) {
  Gate gate;
  counter_.answer = [&](const CountRequest&) -> absl::StatusOr<CostReport> {
    gate.Pass();
    return CostReport{.parameters = 7};
  };
  std::atomic<int> cached = 0;
  const auto count = [&] {
    const auto report = cache_.Count({.model = model_});
    EXPECT_EQ(report->parameters, 7);
    if (report->cached) ++cached;
  };
  std::thread first(count);
  gate.WaitForArrival();
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) others.emplace_back(count);
  // Another model is not held up, and whoever has no time left does not wait.
  EXPECT_TRUE(absl::IsDeadlineExceeded(cache_.Count({.model = model_, .deadline = clock_.Now()}).status()));
  gate.Open();
  first.join();
  for (std::thread& other : others) other.join();
  EXPECT_EQ(counter_.calls, 1);
  EXPECT_EQ(cached, 4);
}

TEST_F(CachedCounterTest, WhoWaitedForAFailureOfItsOwnDeadlineTriesItself) {
  Gate gate;
  counter_.answer = [&](const CountRequest&) -> absl::StatusOr<CostReport> {
    if (counter_.calls > 1) return CostReport{.parameters = 7};
    gate.Pass();
    return absl::DeadlineExceededError("late");
  };
  std::thread first([&] { EXPECT_TRUE(absl::IsDeadlineExceeded(cache_.Count({.model = model_}).status())); });
  gate.WaitForArrival();
  std::thread second([&] { EXPECT_EQ(cache_.Count({.model = model_})->parameters, 7); });
  gate.Open();
  first.join();
  second.join();
}

TEST_F(CachedCounterTest, AnExceptionLeavesNobodyWaiting) {
  counter_.answer = [](const CountRequest&) -> absl::StatusOr<CostReport> { throw std::runtime_error("lost"); };
  EXPECT_THROW(cache_.Count({.model = model_}).IgnoreError(), std::runtime_error);
  counter_.answer = nullptr;
  EXPECT_TRUE(cache_.Count({.model = model_, .deadline = clock_.Now()}).ok());
}

}  // namespace
}  // namespace planner::counting
