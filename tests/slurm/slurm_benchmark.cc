// What the plugin costs: so many sbatch in a row with and without it, turn by turn, each against a Slurm of its own. By hand: slurm_benchmark [COUNT].

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tests/slurm/slurm_cluster.h"

namespace planner::slurm {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int count) {
  struct Kind {
    const char* name;
    SlurmClusterOptions options;
    std::unique_ptr<SlurmCluster> slurm;
    std::vector<double> milliseconds, overhead;
  };
  std::vector<Kind> kinds;
  kinds.push_back({.name = "without", .options = {.nodes = 8, .asks_planner = false, .gives_advice = false}});
  kinds.push_back({.name = "job_submit.lua", .options = {.nodes = 8, .gives_advice = false}});
  kinds.push_back({.name = "and cli_filter.lua", .options = {.nodes = 8}});
  for (Kind& kind : kinds) {
    kind.slurm = std::make_unique<SlurmCluster>(kind.options);
    if (!kind.slurm->failure().empty()) {
      std::fprintf(stderr, "%s\n", kind.slurm->failure().c_str());
      return 1;
    }
  }
  int planned = 0;
  for (int i = 0; i < count; ++i) {
    for (Kind& kind : kinds) {
      kind.slurm->Use();
      const Said said =
          kind.slurm->Submit({"--hold", "--gres=gpu:a100:8", "--comment=planner:model=llama-3-8b,tokens=100M"});
      if (said.exit_code != 0) {
        std::fprintf(stderr, "%s\n", said.text.c_str());
        return 1;
      }
      if (said.text.find("time limit set to") != std::string::npos) ++planned;
      kind.milliseconds.push_back(absl::ToDoubleMilliseconds(said.took));
      kind.overhead.push_back(kind.milliseconds.back() - kinds[0].milliseconds.back());
    }
  }
  std::printf("%d sbatch each, turn by turn; %d of %d were planned\n", count, planned, 2 * count);
  for (Kind& kind : kinds) {
    std::printf("%-20s median %6.1f ms, median overhead %5.1f ms\n", kind.name, Median(kind.milliseconds),
                Median(kind.overhead));
  }
  return planned == 2 * count ? 0 : 1;
}

}  // namespace
}  // namespace planner::slurm

int main(int argc, char** argv) { return planner::slurm::Main(argc > 1 ? std::atoi(argv[1]) : 500); }
