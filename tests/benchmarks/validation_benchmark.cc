#include <grpcpp/grpcpp.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "benchmark/benchmark.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "services/app/app.h"

namespace planner {
namespace {

/// The table of published figures, its rows repeated to the number of a large collection.
std::string Table(int64_t rows) {
  std::ifstream file(PUBLISHED_RUNS);
  std::string header;
  std::getline(file, header);
  std::stringstream body;
  body << file.rdbuf();
  std::string table = header + "\n";
  for (int64_t count = 0; count < rows;) {
    for (std::string line; count < rows && std::getline(body, line); ++count) table += line + "\n";
    body.clear();
    body.seekg(0);
  }
  return table;
}

/// A whole ValidateRuns over the in-process channel: reading, predicting, summing up, the answer.
void ValidateRuns(benchmark::State& state) {
  const auto app = app::App::Create({});
  const auto stub = v1::EstimationService::NewStub((*app)->InProcessChannel());
  v1::ValidateRunsRequest request;
  request.set_runs_csv(Table(state.range(0)));
  for (auto _ : state) {
    grpc::ClientContext context;
    v1::ValidateRunsResponse response;
    if (!stub->ValidateRuns(&context, request, &response).ok() || response.rows_size() != state.range(0)) {
      state.SkipWithError("ValidateRuns failed");
    }
    benchmark::DoNotOptimize(response);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ValidateRuns)->Arg(87)->Arg(1409)->Arg(20'000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace planner
