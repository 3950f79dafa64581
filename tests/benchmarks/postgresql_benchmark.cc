// Bookings on PostgreSQL: a server of the benchmark's own, on this machine's disk, as safe as a server should be; 20,000 nodes.
// `bin/postgresql_benchmark`.

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/hardware/gpu_catalog.h"
#include "services/bookings/bookings.h"
#include "services/convert/cluster.h"
#include "services/storage/make_store.h"
#include "tests/support/private_postgresql.h"

namespace planner::bookings {
namespace {

constexpr int64_t kNodes = 20'000;
constexpr Micros kHour = int64_t{3600} * 1'000'000;

/// One plannerd of several: a store and calendars of its own.
struct Replica {
  explicit Replica(const std::string& database)
      : store(*storage::MakeStore({.postgresql = database}, base::Clock::Real())) {}

  /// Books one job, as early as it fits after a random moment in two years.
  absl::Status Book(const std::string& name, std::mt19937_64& random) {
    const auto any = [&](int64_t low, int64_t high) {
      return std::uniform_int_distribution<int64_t>(low, high)(random);
    };
    const Wish wish{.pool = "h100",
                    .gpu_count = 8 * any(1, 32),
                    .start = cluster::ToMicros(base::Clock::Real().Now()) + any(1, 2 * 365 * 24) * kHour,
                    .duration = any(1, 300) * kHour};
    return bookings.Run([&](Ledgers& ledgers) -> absl::Status {
      ASSIGN_OR_RETURN(const ClusterCalendar* calendar, ledgers.Find("cluster", "main"));
      ASSIGN_OR_RETURN(v1::Reservation reservation, calendar->Find(wish));
      reservation.set_state(v1::Reservation::FIRM);
      // With a request id, as calls have them that are made again.
      return ledgers.Create(store::Kind::kReservation, "main/" + name, reservation.SerializeAsString(), name).status();
    });
  }

  const hardware::GpuCatalog gpus = *hardware::GpuCatalog::Create();
  const std::unique_ptr<store::Store> store;
  Bookings bookings{*store, gpus, base::Clock::Real()};
};

absl::Status CreateCluster(Replica& replica) {
  v1::Cluster cluster;
  cluster.set_name("main");
  v1::NodePool& pool = *cluster.add_node_pools();
  pool.set_name("h100");
  pool.set_gpu_type("h100");
  pool.set_node_count(kNodes);
  ASSIGN_OR_RETURN(const v1::Cluster normalized, convert::NormalizedCluster("cluster", cluster, replica.gpus));
  return replica.store->Create(store::Kind::kCluster, "main", normalized.SerializeAsString(), "").status();
}

/// So many clients of so many replicas at once: every booking is on the disk when it is acknowledged.
void BookOnPostgresql(benchmark::State& state) {
  support::PrivatePostgresql database(support::PrivatePostgresql::Disk::kSafe);
  if (!database.is_running()) return state.SkipWithError(database.output().c_str());
  std::vector<std::unique_ptr<Replica>> replicas;
  for (int64_t i = 0; i < state.range(1); ++i)
    replicas.push_back(std::make_unique<Replica>(database.ConnectionString()));
  if (!CreateCluster(*replicas[0]).ok()) return state.SkipWithError("no cluster");
  constexpr int64_t kEach = 25;
  int64_t round = 0;
  std::atomic<bool> failed = false;
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (int64_t i = 0; i < state.range(0); ++i) {
      threads.emplace_back([&, i] {
        std::mt19937_64 random(static_cast<uint64_t>(1000 * round + i));
        const std::string prefix = std::to_string(round) + "-" + std::to_string(i) + "-";
        Replica& replica = *replicas[static_cast<size_t>(i) % replicas.size()];
        for (int64_t made = 0; made < kEach; ++made) {
          if (!replica.Book(prefix + std::to_string(made), random).ok()) failed = true;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ++round;
  }
  if (failed) return state.SkipWithError("a booking failed");
  state.SetItemsProcessed(state.iterations() * state.range(0) * kEach);
}
BENCHMARK(BookOnPostgresql)
    ->ArgNames({"clients", "replicas"})
    ->Args({1, 1})
    ->Args({8, 1})
    ->Args({64, 1})
    ->Args({64, 3})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace planner::bookings
