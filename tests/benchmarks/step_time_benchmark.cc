// One evaluation of the step-time model, which the search makes for every layout. `bin/step_time_benchmark`.

#include "benchmark/benchmark.h"
#include "core/hardware/gpu_catalog.h"
#include "core/perf/step_time.h"

namespace planner::perf {
namespace {

void Run(benchmark::State& state, const model::TransformerShape& shape, Layout layout) {
  const auto gpus = *hardware::GpuCatalog::Create();
  const StepTimeConstants& constants = BuiltInStepTimeConstants();
  const Machine machine = *MakeMachine(**gpus.Find("h100"), **hardware::FindPrecision("bf16"), constants);
  StepJob job;
  job.shape = shape;
  job.recipe = {.weight_bytes = 2, .gradient_bytes = 4, .optimizer_bytes = 12};
  job.framework = constants.Framework("megatron-core");
  for (auto _ : state) {
    layout.micro_batch_size = 1 + (layout.micro_batch_size & 3);
    benchmark::DoNotOptimize(EstimateStepTime(job, machine, constants.shared, layout, 64));
  }
  state.SetItemsProcessed(state.iterations());
}

void BM_Gpt3(benchmark::State& state) {
  Run(state,
      {.layers = 96,
       .hidden = 12288,
       .heads = 96,
       .kv_heads = 96,
       .qk_dim = 128,
       .v_dim = 128,
       .ffn = 49152,
       .vocab = 51200},
      {.data_parallel = 8, .tensor_parallel = 8, .pipeline_parallel = 8, .virtual_pipeline = 3});
}
BENCHMARK(BM_Gpt3);

void BM_Experts(benchmark::State& state) {
  Run(state,
      {.layers = 61,
       .hidden = 7168,
       .heads = 128,
       .kv_heads = 128,
       .qk_dim = 192,
       .v_dim = 128,
       .ffn = 18432,
       .gated = true,
       .vocab = 129280,
       .experts = 256,
       .experts_per_token = 8,
       .expert_ffn = 2048,
       .shared_expert_ffn = 2048,
       .moe_layers = 58},
      {.data_parallel = 64,
       .tensor_parallel = 2,
       .pipeline_parallel = 8,
       .context_parallel = 2,
       .expert_parallel = 32});
}
BENCHMARK(BM_Experts);

}  // namespace
}  // namespace planner::perf
