// Runs: what a report, a scrape and a list cost with a thousand trainings at once. `bin/run_benchmark`.

#include <google/protobuf/text_format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "fmt/format.h"
#include "planner/v1/plan_service.pb.h"
#include "services/convert/time.h"
#include "services/server/fake_id_source.h"
#include "services/server/run_metrics.h"
#include "services/server/runs.h"
#include "services/storage/sqlite_store.h"
#include "services/telemetry/gzip.h"

namespace planner::server {
namespace {

constexpr int kActive = 1000;

/// 1,000,000 steps of a second.
v1::Plan LongPlan() {
  v1::Plan plan;
  google::protobuf::TextFormat::ParseFromString(R"pb(
    state: CONFIRMED
    estimate {
      model: "llama-7b" token_count: 4e9
      recommendations {
        cluster: "main" node_pool: "p" gpu_type: "H100-SXM-80GB" gpu_count: 64 step_count: 1000000 step_duration { seconds: 1 }
        total_duration { seconds: 1000000 } total_duration_low { seconds: 850000 } total_duration_high { seconds: 1176500 }
        tokens_per_second: 4000 model_flops_utilization: 0.4 gpu_hours: 17777 cost: 35555 currency: "USD"
      }
    })pb", &plan);
  return plan;
}

/// A thousand runs that have reported often enough to be thinned out.
struct Site {
  explicit Site(std::unique_ptr<store::Store> kept) : store(std::move(kept)) {
    (void)store->Create(store::Kind::kPlan, "p", LongPlan().SerializeAsString(), "");
  }
  std::string Start() {
    v1::StartRunRequest request;
    request.mutable_run()->set_plan("p");
    *request.mutable_run()->mutable_start_time() = convert::TimeToProto(begin);
    return runs.Start(request)->name().substr(5);
  }
  RunReport Report(const std::string& id, int64_t first, int64_t count) const {
    RunReport report{id, {}, 0};
    for (int64_t step = first; step < first + count; ++step) {
      v1::ProgressSample sample;
      *sample.mutable_time() = convert::TimeToProto(begin + absl::Seconds(1.1 * static_cast<double>(step)));
      sample.set_step(step);
      sample.set_loss(2.5);
      report.samples.push_back(std::move(sample));
    }
    return report;
  }

  base::FakeClock clock;
  const absl::Time begin = clock.Now();
  std::unique_ptr<store::Store> store;
  const hardware::GpuCatalog gpus = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings{*store, gpus, clock};
  RunIndex index{*store};
  FakeIdSource ids;
  Runs runs{*store, bookings, index, clock, ids};
  RunMetrics metrics{index, clock};
};

const base::FakeClock& StoresClock() {
  static const base::FakeClock clock;
  return clock;
}

std::unique_ptr<Site> MemorySite() {
  auto site = std::make_unique<Site>(std::make_unique<store::MemoryStore>(StoresClock()));
  site->clock.Advance(absl::Hours(10'000));
  return site;
}

/// One message of samples into a run that has 500 kept ones, in memory: arithmetic and bytes.
void ReportsOfOneRun(benchmark::State& state) {
  const std::unique_ptr<Site> site = MemorySite();
  const std::string id = site->Start();
  int64_t step = 0;
  for (int i = 0; i < 10; ++i, step += 1000) site->runs.Report({site->Report(id, step, 1000)});
  for (auto _ : state) {
    site->runs.Report({site->Report(id, step, state.range(0))});
    step += state.range(0);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["bytes"] = static_cast<double>(site->store->Get(store::Kind::kRunSamples, id)->value.size());
}
BENCHMARK(ReportsOfOneRun)->Arg(1)->Arg(1000)->Unit(benchmark::kMicrosecond);

/// 64 runs that report together, on a disk.
void ReportsOfManyRunsOnDisk(benchmark::State& state) {
  std::string folder = (std::filesystem::temp_directory_path() / "planner-runs-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return state.SkipWithError("no folder");
  {
    Site site(std::make_unique<storage::SqliteStore>(folder, StoresClock()));
    site.clock.Advance(absl::Hours(10'000));
    std::vector<std::string> ids;
    for (int i = 0; i < 64; ++i) ids.push_back(site.Start());
    int64_t step = 0;
    for (; step < 600; step += 600) {
      for (const std::string& id : ids) site.runs.Report({site.Report(id, step, 600)});
    }
    for (auto _ : state) {
      std::vector<RunReport> reports;
      for (const std::string& id : ids) reports.push_back(site.Report(id, step, 1));
      benchmark::DoNotOptimize(site.runs.Report(reports));
      ++step;
    }
  }
  state.SetItemsProcessed(state.iterations() * 64);
  std::filesystem::remove_all(folder);
}
BENCHMARK(ReportsOfManyRunsOnDisk)->Unit(benchmark::kMillisecond)->UseRealTime();

/// What a scrape of a thousand active runs costs, some of which have reported since the one before: the page, and its compression, as
/// MetricsServer does it. `bytes`: of the page; `sent`: to whoever takes gzip, as Prometheus does.
void Scrapes(benchmark::State& state) {
  const std::unique_ptr<Site> site = MemorySite();
  std::vector<std::string> ids;
  for (int i = 0; i < kActive; ++i) {
    ids.push_back(site->Start());
    site->runs.Report({site->Report(ids.back(), 0, 20)});
  }
  int64_t step = 20;
  telemetry::Page page;
  telemetry::Gzip gzip;
  size_t sent = 0;
  for (auto _ : state) {
    state.PauseTiming();
    for (int64_t i = 0; i < state.range(0); ++i) site->runs.Report({site->Report(ids[static_cast<size_t>(i)], step, 1)});
    ++step;
    state.ResumeTiming();
    page.Clear();
    site->metrics.Write(page);
    sent = gzip.Compress(page.text()).size();
  }
  state.counters["bytes"] = static_cast<double>(page.text().size());
  state.counters["sent"] = static_cast<double>(sent);
}
BENCHMARK(Scrapes)->Arg(0)->Arg(100)->Arg(kActive)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace planner::server
