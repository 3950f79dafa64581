// What a round of questions to a Prometheus costs, for clusters of up to 160,000 GPUs, whose answers are there at once. `bin/collector_benchmark`.

#include <google/protobuf/text_format.h>

#include <array>
#include <memory>
#include <string>

#include "benchmark/benchmark.h"
#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "fmt/format.h"
#include "services/collector/collector.h"
#include "services/collector/fake_http_client.h"
#include "services/convert/cluster.h"

namespace planner::collector {
namespace {

/// What dcgm-exporter says of so many nodes, eight GPUs each, scraped now; the labels are as long as in Kubernetes.
std::string AnswerOf(int64_t nodes, absl::Time now) {
  std::string series;
  for (int64_t node = 0; node < nodes; ++node) {
    for (int gpu = 0; gpu < 8; ++gpu) {
      series += fmt::format(
          "{}{{\"metric\":{{\"__name__\":\"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE\",\"gpu\":\"{}\",\"UUID\":\"GPU-{:08x}-0000-0000-0000-{:012x}\","
          "\"device\":\"nvidia{}\","
          "\"modelName\":\"NVIDIA H100 80GB HBM3\",\"Hostname\":\"gpu{:05}\",\"instance\":\"10.0.{}.{}:9400\",\"job\":\"dcgm-exporter\"}},"
          "\"values\":[[{},\"0.51\"],[{},\"0.53\"]]}}",
          series.empty() ? "" : ",", gpu, node, gpu, gpu, node, node / 256, node % 256, absl::ToUnixSeconds(now) - 15,
          absl::ToUnixSeconds(now));
    }
  }
  return "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[" + series + "]}}";
}

void Round(benchmark::State& state) {
  const int64_t nodes = state.range(0);
  base::FakeClock clock;
  store::MemoryStore store(clock);
  const hardware::GpuCatalog gpus = *hardware::GpuCatalog::Create();
  v1::Cluster cluster;
  google::protobuf::TextFormat::ParseFromString(
      fmt::format("name: 'main' node_pools {{ name: 'h' gpu_type: 'h100' node_count: {} node_names: 'gpu[00000-{:05}]' }}", nodes,
                  nodes - 1),
      &cluster);
  (void)store.Create(store::Kind::kCluster, "main", convert::NormalizedCluster("cluster", cluster, gpus)->SerializeAsString(), "");
  bookings::Bookings bookings(store, gpus, clock);
  utilization::Utilization utilization(store, bookings, clock, {.has_thread = false});
  config::v1::UtilizationSource source;
  google::protobuf::TextFormat::ParseFromString("cluster: 'main' url: 'http://h' max_answer_bytes: 1000000000", &source);
  Collector collector({*MakeSource("s", source)}, utilization, clock, nullptr);
  std::string body;
  FakeHttpClient prometheus([&](const HttpRequest& request) {
    // Of busy it is in percent: half a percent. It is the work that counts.
    (void)request;
    return HttpAnswer{.outcome = HttpAnswer::Outcome::kAnswered, .status = 200, .body = body};
  });
  for (auto _ : state) {
    state.PauseTiming();
    clock.Advance(absl::Seconds(30));
    body = AnswerOf(nodes, clock.Now());
    prometheus.requests.clear();
    state.ResumeTiming();
    collector.Collect(0, prometheus);
  }
  if (utilization.accepted_count() != state.iterations() * nodes * 8) return state.SkipWithError("not all was taken");
  state.counters["answer_bytes"] = static_cast<double>(body.size());
  state.counters["gpus"] = static_cast<double>(nodes * 8);
}
BENCHMARK(Round)->Arg(64)->Arg(1250)->Arg(20'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace planner::collector
