// Calendars at the size of a large site: 20,000 nodes of 8 GPUs and up to 50,000 reservations. `bin/calendar_benchmark`; the lines
// with BigO fit the cost to the number of reservations.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/fake_models.h"
#include "core/planning/planner.h"
#include "core/schedule/earliest_start.h"
#include "core/schedule/ledger.h"
#include "core/store/memory_store.h"
#include "services/bookings/bookings.h"
#include "services/convert/cluster.h"
#include "services/convert/time.h"
#include "services/storage/sqlite_store.h"

namespace planner::bookings {
namespace {

constexpr int64_t kNodes = 20'000;
constexpr int64_t kReservations = 50'000;
constexpr Micros kHour = int64_t{3600} * 1'000'000;

/// Jobs as sites have them: most of a few nodes, some of a hundred, some of less than a node; hours to weeks, over two years. 50,000 of
/// them have not quite half of all that there is.
struct Jobs {
  std::mt19937_64 random{1};
  int64_t Any(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); }
  int64_t Gpus() {
    const int64_t kind = Any(0, 9);
    if (kind < 2) return Any(1, 7);
    if (kind < 8) return 8 * (int64_t{1} << Any(0, 5));
    return 8 * Any(16, 128);
  }
  Micros Duration() { return Any(1, 300) * kHour + Any(0, 3'599'999'999); }
  Micros Start() { return Any(0, 2 * 365 * 24) * kHour; }
};

/// A ledger with so many reservations, each as early as it fits after a random moment.
schedule::Ledger& Filled(int64_t reservations) {
  static auto* ledgers = new std::map<int64_t, std::unique_ptr<schedule::Ledger>>();
  std::unique_ptr<schedule::Ledger>& ledger = (*ledgers)[reservations];
  if (ledger != nullptr) return *ledger;
  ledger = std::make_unique<schedule::Ledger>(kNodes, 8, 32);
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
schedule::Request AnyRequest(Jobs& jobs) {
  return {.shape = schedule::ShapeOf(jobs.Any(0, 3) == 0 ? 8 * jobs.Any(10'000, kNodes) : jobs.Gpus(), 8),
          .duration = jobs.Duration(),
          .not_before = jobs.Start() / 4};
}

void EarliestStarts(benchmark::State& state) {
  const auto calendar = Filled(state.range(0)).View();
  Jobs jobs;
  for (auto _ : state) benchmark::DoNotOptimize(schedule::EarliestStart(*calendar, AnyRequest(jobs)));
  state.SetComplexityN(state.range(0));
  state.counters["openings"] = static_cast<double>(calendar->by_start.size());
}
BENCHMARK(EarliestStarts)->RangeMultiplier(2)->Range(1'562, kReservations)->Unit(benchmark::kMicrosecond)->Complexity();

/// The longest walk: everything at once, for a year.
void EarliestStartOfAllNodes(benchmark::State& state) {
  const auto calendar = Filled(state.range(0)).View();
  const schedule::Request request{.shape = {kNodes, 8}, .duration = 365 * 24 * kHour};
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

double ResidentMegabytes() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

/// A site's store: a cluster of all the nodes, and its reservations.
class Site {
 public:
  explicit Site(store::Store& store) : store_(store) {
    v1::Cluster cluster;
    cluster.set_name("main");
    v1::NodePool& pool = *cluster.add_node_pools();
    pool.set_name("h100");
    pool.set_gpu_type("h100");
    pool.set_node_count(kNodes);
    pool.set_nodes_per_rack(32);
    const auto normalized = convert::NormalizedCluster("cluster", cluster, gpus_);
    store.Create(store::Kind::kCluster, "main", normalized->SerializeAsString(), "").IgnoreError();
  }

  /// Books one job after another, `count` in all, as early as each fits after a random moment.
  absl::Status Book(int64_t count, const std::string& prefix, Jobs& jobs) {
    for (int64_t made = 0; made < count;) {
      Wish wish{.pool = "h100", .gpu_count = jobs.Gpus()};
      const Micros from = cluster::ToMicros(base::Clock::Real().Now()) + kHour;
      wish.start = from + jobs.Start();
      wish.duration = jobs.Duration();
      const absl::Status status = bookings_.Run([&](Ledgers& ledgers) -> absl::Status {
        ASSIGN_OR_RETURN(const ClusterCalendar* calendar, ledgers.Find("cluster", "main"));
        ASSIGN_OR_RETURN(v1::Reservation reservation, calendar->Find(wish));
        reservation.set_state(v1::Reservation::FIRM);
        return ledgers
            .Create(store::Kind::kReservation, "main/" + prefix + std::to_string(made), reservation.SerializeAsString(),
                    "")
            .status();
      });
      if (absl::IsFailedPrecondition(status)) continue;  // Nothing is free for so long just then.
      RETURN_IF_ERROR(status);
      ++made;
    }
    return absl::OkStatus();
  }

  Bookings& bookings() { return bookings_; }

 private:
  store::Store& store_;
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  Bookings bookings_{store_, gpus_, base::Clock::Real()};
};

/// A plan on 50,000 reservations: counting, search and start times, with one booking before each fourth, so that calendars are made
/// anew. The memory is the process's, with the store in memory, too.
void PlanWithStartTimes(benchmark::State& state) {
  const double before = ResidentMegabytes();
  store::MemoryStore store(base::Clock::Real());
  Site site(store);
  Jobs jobs;
  if (const absl::Status filled = site.Book(state.range(0), "r", jobs); !filled.ok())
    return state.SkipWithError("not filled");
  const counting::AnalyticCounter counter;
  const planning::Planner planner(counter);
  planning::JobSpec job;
  job.model = planning::FakeLlama7B();
  job.token_count = 1e12;
  job.goal = planning::Goal::kFastest;
  std::vector<double> seconds;
  int64_t number = 0;
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
  std::sort(seconds.begin(), seconds.end());
  state.counters["p50_ms"] = 1e3 * seconds[seconds.size() / 2];
  state.counters["p99_ms"] = 1e3 * seconds[seconds.size() * 99 / 100];
  state.counters["memory_MB"] = ResidentMegabytes() - before;
  state.SetComplexityN(state.range(0));
}
BENCHMARK(PlanWithStartTimes)
    ->RangeMultiplier(4)
    ->Range(3'125, kReservations)
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2)
    ->Complexity();

/// Clients that book at once, on a disk: every booking is kept when it is acknowledged.
void BookOnSqlite(benchmark::State& state) {
  std::string folder = (std::filesystem::temp_directory_path() / "planner-calendar-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return state.SkipWithError("no folder");
  {
    storage::SqliteStore store(folder, base::Clock::Real());
    Site site(store);
    Jobs jobs;
    constexpr int64_t kEach = 25;
    int64_t round = 0;
    for (auto _ : state) {
      std::vector<std::thread> threads;
      for (int64_t i = 0; i < state.range(0); ++i) {
        threads.emplace_back([&site, i, round] {
          Jobs own;
          own.random.seed(static_cast<uint64_t>(1000 * round + i));
          site.Book(kEach, std::to_string(round) + "-" + std::to_string(i) + "-", own).IgnoreError();
        });
      }
      for (std::thread& thread : threads) thread.join();
      ++round;
    }
    state.SetItemsProcessed(state.iterations() * state.range(0) * kEach);
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(BookOnSqlite)->Arg(1)->Arg(8)->Arg(64)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace planner::bookings
