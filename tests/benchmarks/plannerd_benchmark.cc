// A plannerd of its own process, on SQLite, with the calendar of a large site (large_site.h): what clients wait for, how much is booked in
// a second, and what memory that takes. `bin/plannerd_benchmark`. A booking before each call of the first three makes views anew.

#include <grpcpp/create_channel.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "benchmark/benchmark.h"
#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "planner/v1/plan_service.grpc.pb.h"
#include "services/convert/time.h"
#include "services/storage/sqlite_store.h"
#include "tests/behaviour/daemon_process.h"
#include "tests/benchmarks/large_site.h"

namespace planner::benchmarks {
namespace {

/// A client with a connection of its own.
struct Client {
  explicit Client(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    estimation = v1::EstimationService::NewStub(channel);
    plans = v1::PlanService::NewStub(channel);
    clusters = v1::ClusterService::NewStub(channel);
  }

  grpc::Status Reserve(Jobs& jobs) const {
    v1::CreateReservationRequest request;
    request.set_parent("main");
    request.mutable_reservation()->set_gpu_count(jobs.Gpus());
    const absl::Time start = base::Clock::Real().Now() + absl::Hours(1) + absl::Microseconds(jobs.Start());
    *request.mutable_reservation()->mutable_start_time() = convert::TimeToProto(start);
    *request.mutable_reservation()->mutable_end_time() = convert::TimeToProto(start + absl::Microseconds(jobs.Duration()));
    grpc::ClientContext context;
    v1::Reservation reservation;
    return clusters->CreateReservation(&context, request, &reservation);
  }

  std::unique_ptr<v1::EstimationService::Stub> estimation;
  std::unique_ptr<v1::PlanService::Stub> plans;
  std::unique_ptr<v1::ClusterService::Stub> clusters;
};

/// A plannerd with so many reservations, started once.
class Daemon {
 public:
  static Daemon& With(int64_t reservations) {
    static std::map<int64_t, std::unique_ptr<Daemon>> daemons;
    std::unique_ptr<Daemon>& daemon = daemons[reservations];
    if (daemon == nullptr) daemon.reset(new Daemon(reservations));
    return *daemon;
  }

  bool ready() const { return process_->ready(); }
  const std::string& address() const { return address_; }
  double megabytes() const { return ResidentMegabytes(std::to_string(process_->pid())); }

 private:
  explicit Daemon(int64_t reservations) : address_("unix:" + folder_.path() + "/plannerd.sock") {
    {
      storage::SqliteStore store(folder_.path() + "/state", base::Clock::Real());
      Site(store).Fill(reservations).IgnoreError();
    }
    process_ = std::make_unique<behaviour::DaemonProcess>(
        std::vector<std::string>{"--listen", address_, "--metrics_listen", "off", "--state_dir", folder_.path() + "/state"});
  }

  Folder folder_;
  std::string address_;
  std::unique_ptr<behaviour::DaemonProcess> process_;
};

v1::EstimateRequest TrainingOf(Jobs& jobs) {
  v1::EstimateRequest request;
  request.mutable_model()->set_preset("llama-2-7b");
  request.mutable_data_set()->set_token_count(1e12);
  request.mutable_resources()->set_cluster("main");
  request.mutable_resources()->set_max_gpus(8 * (int64_t{1} << jobs.Any(3, 14)));
  return request;
}

/// The time that one client waits for a call, beside bookings of others.
template <typename Call>
void Measure(benchmark::State& state, const Call& call) {
  Daemon& daemon = Daemon::With(state.range(0));
  if (!daemon.ready()) return state.SkipWithError("plannerd does not start");
  const Client client(daemon.address());
  static Jobs jobs;
  std::vector<double> milliseconds;
  bool is_warm = false;
  for (auto _ : state) {
    state.PauseTiming();
    client.Reserve(jobs);
    state.ResumeTiming();
    const absl::Time start = base::Clock::Real().Now();
    const grpc::Status status = call(client, jobs);
    const double duration = absl::ToDoubleMilliseconds(base::Clock::Real().Now() - start);
    if (!status.ok()) return state.SkipWithError(status.error_message().c_str());
    if (is_warm) milliseconds.push_back(duration);
    is_warm = true;
  }
  state.counters["p50_ms"] = Quantile(milliseconds, 0.5);
  state.counters["p99_ms"] = Quantile(milliseconds, 0.99);
  state.counters["plannerd_MB"] = daemon.megabytes();
}

void Estimate(benchmark::State& state) {
  Measure(state, [](const Client& client, Jobs& jobs) {
    grpc::ClientContext context;
    v1::EstimateResponse response;
    return client.estimation->Estimate(&context, TrainingOf(jobs), &response);
  });
}

void CreatePlan(benchmark::State& state, bool holds) {
  Measure(state, [holds](const Client& client, Jobs& jobs) {
    v1::CreatePlanRequest request;
    *request.mutable_plan()->mutable_request() = TrainingOf(jobs);
    if (holds) request.mutable_hold();
    grpc::ClientContext context;
    v1::Plan plan;
    return client.plans->CreatePlan(&context, request, &plan);
  });
}

void AtSizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1'562)->Arg(kReservations)->UseRealTime()->Unit(benchmark::kMillisecond)->MinTime(2);
}
BENCHMARK(Estimate)->Apply(AtSizes);
BENCHMARK_CAPTURE(CreatePlan, without_hold, false)->Apply(AtSizes);
BENCHMARK_CAPTURE(CreatePlan, with_hold, true)->Apply(AtSizes);

/// Reservations of clients that book at once.
void Book(benchmark::State& state) {
  Daemon& daemon = Daemon::With(state.range(0));
  if (!daemon.ready()) return state.SkipWithError("plannerd does not start");
  const int64_t clients = state.range(1);
  constexpr int kEach = 25;
  std::atomic<int64_t> booked = 0;
  uint64_t seed = 0;
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (int64_t i = 0; i < clients; ++i) {
      threads.emplace_back([&, number = ++seed] {
        const Client client(daemon.address());
        Jobs jobs;
        jobs.random.seed(number);
        for (int one = 0; one < kEach; ++one) booked += client.Reserve(jobs).ok() ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  state.SetItemsProcessed(booked);
  state.counters["plannerd_MB"] = daemon.megabytes();
}
BENCHMARK(Book)
    ->ArgNames({"", "clients"})
    ->ArgsProduct({{1'562, kReservations}, {8, 48}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);

}  // namespace
}  // namespace planner::benchmarks
