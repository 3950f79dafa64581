#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "benchmark/benchmark.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "services/app/app.h"

namespace planner {
namespace {

/// A whole Estimate of a preset over the in-process channel of a warm planner, on the default inventory of four GPU types: an upper bound of
/// the server's own time, which plannerd logs and exports as planner_rpc_duration_seconds.
void EstimatePreset(benchmark::State& state, const char* preset) {
  auto app = app::App::Create({});
  if (!app.ok()) {
    state.SkipWithError("the planner does not start");
    return;
  }
  const auto stub = v1::EstimationService::NewStub((*app)->InProcessChannel());
  v1::EstimateRequest request;
  request.mutable_model()->set_preset(preset);
  request.mutable_data_set()->set_token_count(300e9);
  for (auto _ : state) {
    grpc::ClientContext context;
    v1::EstimateResponse response;
    if (!stub->Estimate(&context, request, &response).ok()) state.SkipWithError("Estimate failed");
    benchmark::DoNotOptimize(response);
  }
}
BENCHMARK_CAPTURE(EstimatePreset, gpt2, "gpt2")->UseRealTime();
BENCHMARK_CAPTURE(EstimatePreset, llama_3_8b, "llama-3-8b")->UseRealTime();
BENCHMARK_CAPTURE(EstimatePreset, llama_2_70b, "llama-2-70b")->UseRealTime();
BENCHMARK_CAPTURE(EstimatePreset, mixtral_8x7b, "mixtral-8x7b")->UseRealTime();
BENCHMARK_CAPTURE(EstimatePreset, deepseek_v3, "deepseek-v3")->UseRealTime();

/// From nothing to a planner that answers: what plannerctl does before its first call.
void StartInProcess(benchmark::State& state) {
  for (auto _ : state) {
    auto app = app::App::Create({});
    benchmark::DoNotOptimize((*app)->InProcessChannel());
  }
}
BENCHMARK(StartInProcess)->UseRealTime();

}  // namespace
}  // namespace planner
