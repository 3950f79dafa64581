// A warm plan, counting included: what plannerd spends on an Estimate beside gRPC. `bin/planning_benchmark`.

#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/model/hugging_face.h"
#include "core/planning/planner.h"

namespace planner::planning {
namespace {

constexpr char kLlama70B[] =
    R"({"model_type": "llama", "hidden_size": 8192, "num_hidden_layers": 80, "num_attention_heads": 64,
  "num_key_value_heads": 8, "intermediate_size": 28672, "vocab_size": 128256, "max_position_embeddings": 8192,
  "tie_word_embeddings": false})";
constexpr char kMixtral8x7B[] =
    R"({"model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
  "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 32000, "max_position_embeddings": 32768,
  "num_local_experts": 8, "num_experts_per_tok": 2, "tie_word_embeddings": false})";
constexpr char kDeepSeekV3[] =
    R"({"model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128,
  "num_key_value_heads": 128, "intermediate_size": 18432, "moe_intermediate_size": 2048, "n_routed_experts": 256,
  "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3, "moe_layer_freq": 1,
  "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
  "vocab_size": 129280, "max_position_embeddings": 163840, "tie_word_embeddings": false})";
constexpr char kKimiK2[] =
    R"({"model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 64,
  "num_key_value_heads": 64, "intermediate_size": 18432, "moe_intermediate_size": 2048, "n_routed_experts": 384,
  "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 1, "moe_layer_freq": 1,
  "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
  "vocab_size": 163840, "max_position_embeddings": 131072, "tie_word_embeddings": false})";
constexpr char kGpt3[] =
    R"({"model_type": "gpt2", "n_embd": 12288, "n_layer": 96, "n_head": 96, "n_positions": 2048, "vocab_size": 51200})";
constexpr char kGpt2[] =
    R"({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257})";

/// The cards that are planned on where the caller names none.
cluster::Snapshot DefaultInventory() {
  const auto catalog = *hardware::GpuCatalog::Create();
  cluster::Snapshot snapshot{absl::UnixEpoch(), {}, {}};
  for (const char* name : {"a100", "h100", "h200", "b200"}) {
    cluster::Pool pool;
    pool.gpu = **catalog.Find(name);
    snapshot.pools.push_back(pool);
  }
  return snapshot;
}

JobSpec JobOf(const char* config) {
  JobSpec job;
  job.model = *model::ParseHuggingFaceConfig(config);
  job.token_count = 1e12;
  return job;
}

void Run(benchmark::State& state, const JobSpec& job, const calibration::Calibration* learned = nullptr) {
  const counting::AnalyticCounter counter;
  const Planner planner(counter);
  const cluster::Snapshot inventory = DefaultInventory();
  for (auto _ : state) {
    auto plan = planner.MakePlan(job, inventory, absl::InfiniteFuture(), {}, learned);
    if (!plan.ok() || plan->recommendations.empty()) state.SkipWithError("no plan");
    benchmark::DoNotOptimize(plan);
  }
}

void DefaultRequest(benchmark::State& state, const char* config) { Run(state, JobOf(config)); }
BENCHMARK_CAPTURE(DefaultRequest, gpt2, kGpt2)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(DefaultRequest, llama_70b, kLlama70B)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(DefaultRequest, mixtral_8x7b, kMixtral8x7B)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(DefaultRequest, deepseek_v3, kDeepSeekV3)->Unit(benchmark::kMicrosecond);

void Deadline(benchmark::State& state) {
  JobSpec job = JobOf(kLlama70B);
  job.deadline = absl::Hours(24 * 60);
  Run(state, job);
}
BENCHMARK(Deadline)->Unit(benchmark::kMicrosecond);

/// Corrected by runs of the very model: 40 layouts on each of 5 numbers of H100 with two recomputations, and as many of other models; 1.05 to
/// 1.25 times as long as predicted.
calibration::Calibration Learned(const JobSpec& job) {
  const Planner planner{*new counting::AnalyticCounter};
  calibration::Calibration learned;
  const auto plan = planner.MakePlan(job, DefaultInventory());
  for (const Recommendation& one : plan->recommendations) {
    if (one.gpu_type.find("H100") == std::string::npos) continue;
    for (int i = 0; i < 400; ++i) {
      calibration::Kind kind = one.calibrated->kind;
      kind.tensor_parallel = 1 << i % 4;
      kind.pipeline_parallel = 1 << i / 4 % 5;
      kind.micro_batch = 1 << i / 20 % 2;
      kind.gpus = 64 << i / 40 % 5;
      kind.recompute = i < 200 ? "none" : "selective";
      learned.Learn({kind, 0.05 + 0.02 * (i % 11), absl::UnixEpoch()}).IgnoreError();
      kind.hidden += 128 * (1 + i % 7);
      learned.Learn({kind, 0.05, absl::UnixEpoch()}).IgnoreError();
    }
    break;
  }
  return learned;
}

void WithRunsOfTheModel(benchmark::State& state, const char* config) {
  const JobSpec job = JobOf(config);
  const calibration::Calibration learned = Learned(job);
  Run(state, job, &learned);
}
BENCHMARK_CAPTURE(WithRunsOfTheModel, llama_70b, kLlama70B)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(WithRunsOfTheModel, deepseek_v3, kDeepSeekV3)->Unit(benchmark::kMicrosecond);

void FixedCards(benchmark::State& state) {
  JobSpec job = JobOf(kLlama70B);
  job.min_gpus = job.max_gpus = 1024;
  Run(state, job);
}
BENCHMARK(FixedCards)->Unit(benchmark::kMicrosecond);

/// Every layout of every number of cards by doublings up to `most`, over four GPU types: the fastest, and the Pareto front.
void FullSearch(benchmark::State& state, const char* config, int64_t most) {
  JobSpec job = JobOf(config);
  job.min_gpus = 1;
  job.max_gpus = most;
  job.with_pareto_front = true;
  Run(state, job);
}
BENCHMARK_CAPTURE(FullSearch, gpt3_175b_4096, kGpt3, 4096)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(FullSearch, moe_1t_16384, kKimiK2, 16384)->Unit(benchmark::kMillisecond);

/// The same for the cheapest: numbers that are no doublings, too.
void FullSearchForTheCheapest(benchmark::State& state, const char* config, int64_t most) {
  JobSpec job = JobOf(config);
  job.min_gpus = 1;
  job.max_gpus = most;
  job.goal = Goal::kCheapest;
  job.with_pareto_front = true;
  Run(state, job);
}
BENCHMARK_CAPTURE(FullSearchForTheCheapest, gpt3_175b_4096, kGpt3, 4096)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(FullSearchForTheCheapest, moe_1t_16384, kKimiK2, 16384)->Unit(benchmark::kMillisecond);

void CountAlone(benchmark::State& state) {
  const JobSpec job = JobOf(kLlama70B);
  const counting::AnalyticCounter counter;
  for (auto _ : state) {
    auto report = counter.Count({.model = job.model, .with_modules = false});
    benchmark::DoNotOptimize(report);
  }
}
BENCHMARK(CountAlone)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace planner::planning
