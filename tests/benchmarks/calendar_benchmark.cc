// Calendars at the size of a large site (large_site.h). `bin/calendar_benchmark`; the lines with BigO fit the cost to the number of
// reservations, and calendar_growth.py draws it. The site has nodes by its reservations, 20,000 for 50,000: smaller ones are as full. (Of
// 20,000 nodes with few reservations most stand idle: every job starts at once, and what grows is how many have to wait.)

#include <malloc.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "core/base/clock.h"
#include "core/counting/analytic_counter.h"
#include "core/planning/fake_models.h"
#include "core/planning/planner.h"
#include "core/schedule/earliest_start.h"
#include "core/schedule/ledger.h"
#include "services/storage/sqlite_store.h"
#include "tests/benchmarks/large_site.h"

namespace planner::benchmarks {
namespace {

int64_t NodesFor(int64_t reservations) { return kNodes * reservations / kReservations; }

/// Bytes that are allocated, whatever the process has from the system, in megabytes.
double AllocatedMegabytes() {
  const struct mallinfo2 all = mallinfo2();
  return static_cast<double>(all.uordblks + all.hblkhd) / 1e6;
}

/// A ledger with so many reservations, each at a random moment.
schedule::Ledger& Filled(int64_t reservations) {
  static auto* ledgers = new std::map<int64_t, std::unique_ptr<schedule::Ledger>>();
  std::unique_ptr<schedule::Ledger>& ledger = (*ledgers)[reservations];
  if (ledger != nullptr) return *ledger;
  ledger = std::make_unique<schedule::Ledger>(NodesFor(reservations), 8, 32);
  Jobs jobs;
  for (int64_t made = 0; made < reservations;) {
    const schedule::Shape shape = schedule::ShapeOf(jobs.Gpus(), 8);
    const Micros start = jobs.Start();
    const Micros end = start + jobs.Duration();
    std::vector<cluster::NodeRange> nodes = ledger->Place(shape, start, end);
    if (nodes.empty()) continue;
    ledger->Add({std::move(nodes), shape.gpus_per_node, start, end});
    ++made;
  }
  return *ledger;
}

/// Requests of all sizes, some of which have to wait for long.
schedule::Request AnyRequest(Jobs& jobs, int64_t nodes) {
  return {.shape = schedule::ShapeOf(jobs.Any(0, 3) == 0 ? 8 * jobs.Any(nodes / 2, nodes) : jobs.Gpus(), 8),
          .duration = jobs.Duration(),
          .not_before = jobs.Start() / 4};
}

void EarliestStarts(benchmark::State& state) {
  const auto calendar = Filled(state.range(0)).View();
  Jobs jobs;
  for (auto _ : state)
    benchmark::DoNotOptimize(schedule::EarliestStart(*calendar, AnyRequest(jobs, calendar->node_count)));
  state.SetComplexityN(state.range(0));
  state.counters["openings"] = static_cast<double>(calendar->by_start.size());
}
BENCHMARK(EarliestStarts)->RangeMultiplier(2)->Range(1'562, kReservations)->Unit(benchmark::kMicrosecond)->Complexity();

/// The longest walk: everything at once, for a year.
void EarliestStartOfAllNodes(benchmark::State& state) {
  const auto calendar = Filled(state.range(0)).View();
  const schedule::Request request{.shape = {calendar->node_count, 8}, .duration = 365 * 24 * kHour};
  for (auto _ : state) benchmark::DoNotOptimize(schedule::EarliestStart(*calendar, request));
  state.SetComplexityN(state.range(0));
}
BENCHMARK(EarliestStartOfAllNodes)
    ->RangeMultiplier(2)
    ->Range(1'562, kReservations)
    ->Unit(benchmark::kMicrosecond)
    ->Complexity();

void BookAndGiveBack(benchmark::State& state) {
  schedule::Ledger& ledger = Filled(state.range(0));
  Jobs jobs;
  for (auto _ : state) {
    const schedule::Shape shape = schedule::ShapeOf(jobs.Gpus(), 8);
    const Micros start = jobs.Start();
    const schedule::Use use{ledger.Place(shape, start, start + 50 * kHour), shape.gpus_per_node, start,
                            start + 50 * kHour};
    ledger.Add(use);
    ledger.Remove(use);
  }
  state.SetComplexityN(state.range(0));
}
BENCHMARK(BookAndGiveBack)
    ->RangeMultiplier(2)
    ->Range(1'562, kReservations)
    ->Unit(benchmark::kMicrosecond)
    ->Complexity();

void ViewAfterAChange(benchmark::State& state) {
  schedule::Ledger& ledger = Filled(state.range(0));
  const schedule::Use use{{{0, 0}}, 8, 0, kHour};
  for (auto _ : state) {
    ledger.Add(use);
    benchmark::DoNotOptimize(ledger.View());
    ledger.Remove(use);
  }
  state.SetComplexityN(state.range(0));
}
BENCHMARK(ViewAfterAChange)
    ->RangeMultiplier(2)
    ->Range(1'562, kReservations)
    ->Unit(benchmark::kMicrosecond)
    ->Complexity();

/// Reservations on SQLite, with the store: filled once, and used by several benchmarks, each of which adds little.
struct FilledSite {
  explicit FilledSite(int64_t nodes) : site(std::make_unique<Site>(*store, nodes)) {}

  Folder folder;
  std::unique_ptr<storage::SqliteStore> store =
      std::make_unique<storage::SqliteStore>(folder.path(), base::Clock::Real());
  std::unique_ptr<Site> site;
  double seconds = 0;  ///< That the filling has taken.
};

FilledSite& OnSqlite(int64_t reservations) {
  static std::map<int64_t, std::unique_ptr<FilledSite>> sites;
  std::unique_ptr<FilledSite>& site = sites[reservations];
  if (site == nullptr) {
    site = std::make_unique<FilledSite>(NodesFor(reservations));
    const absl::Time start = base::Clock::Real().Now();
    site->site->Fill(reservations).IgnoreError();
    site->seconds = absl::ToDoubleSeconds(base::Clock::Real().Now() - start);
  }
  return *site;
}

/// All reservations, one after another, in transactions of 500. (Once: it is what the other benchmarks work on.)
void FillOnSqlite(benchmark::State& state) {
  for (auto _ : state) state.SetIterationTime(OnSqlite(state.range(0)).seconds);
  state.SetComplexityN(state.range(0));
  state.counters["a_second"] = static_cast<double>(state.range(0)) / OnSqlite(state.range(0)).seconds;
}
BENCHMARK(FillOnSqlite)
    ->RangeMultiplier(2)
    ->Range(1'562, kReservations)
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Complexity();

/// From a file to the first view, as after a restart: memory comes from the system anew. The memory is what the calendars have then,
/// with their view.
void Load(benchmark::State& state) {
  FilledSite& filled = OnSqlite(state.range(0));
  double memory = 0;
  for (auto _ : state) {
    state.PauseTiming();
    malloc_trim(0);
    const double before = AllocatedMegabytes();
    auto site = std::make_unique<Site>(*filled.store, NodesFor(state.range(0)));
    state.ResumeTiming();
    auto views = site->bookings().Current(base::Clock::Real().Now());
    benchmark::DoNotOptimize(views);
    state.PauseTiming();
    memory = AllocatedMegabytes() - before;
    views = absl::UnknownError("given back");
    site.reset();
    state.ResumeTiming();
  }
  state.SetComplexityN(state.range(0));
  state.counters["memory_MB"] = memory;
}
BENCHMARK(Load)
    ->RangeMultiplier(2)
    ->Range(1'562, kReservations)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Complexity();

/// A plan with start times: counting and search, with one booking before each fourth, so that views are made anew.
void PlanWithStartTimes(benchmark::State& state) {
  Site& site = *OnSqlite(state.range(0)).site;
  Jobs jobs;
  const counting::AnalyticCounter counter;
  const planning::Planner planner(counter);
  planning::JobSpec job;
  job.model = planning::FakeLlama7B();
  job.token_count = 1e12;
  job.goal = planning::Goal::kFastest;
  std::vector<double> seconds;
  static int64_t number = 0;
  for (auto _ : state) {
    state.PauseTiming();
    if (number++ % 4 == 0) site.Book(1, "x" + std::to_string(number), jobs).IgnoreError();
    job.max_gpus = 8 * (int64_t{1} << jobs.Any(3, 14));
    state.ResumeTiming();
    const absl::Time start = base::Clock::Real().Now();
    const auto views = site.bookings().Current(start);
    const auto plan = planner.MakePlan(job, {start, views.value()->at(0).pools, {}});
    benchmark::DoNotOptimize(plan);
    seconds.push_back(absl::ToDoubleSeconds(base::Clock::Real().Now() - start));
  }
  state.counters["p50_ms"] = 1e3 * Quantile(seconds, 0.5);
  state.counters["p99_ms"] = 1e3 * Quantile(seconds, 0.99);
  state.SetComplexityN(state.range(0));
}
BENCHMARK(PlanWithStartTimes)
    ->RangeMultiplier(2)
    ->Range(1'562, kReservations)
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2)
    ->Complexity();

/// Clients that book at once, on a disk, beside what is booked already: every booking is kept when it is acknowledged.
void BookOnSqlite(benchmark::State& state) {
  Site& site = *OnSqlite(state.range(0)).site;
  const int64_t clients = state.range(1);
  constexpr int64_t kEach = 25;
  static int64_t round = 0;
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (int64_t i = 0; i < clients; ++i) {
      threads.emplace_back([&site, i] {
        Jobs own;
        own.random.seed(static_cast<uint64_t>(1000 * round + i));
        site.Book(kEach, "b" + std::to_string(round) + "-" + std::to_string(i) + "-", own).IgnoreError();
      });
    }
    for (std::thread& thread : threads) thread.join();
    ++round;
  }
  state.SetItemsProcessed(state.iterations() * clients * kEach);
}
BENCHMARK(BookOnSqlite)
    ->ArgNames({"", "clients"})
    ->ArgsProduct({{1'562, 3'125, 6'250, 12'500, 25'000, kReservations}, {1, 8, 64}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace planner::benchmarks
