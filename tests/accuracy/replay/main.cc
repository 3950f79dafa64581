// Predicts, corrects and learns a table of measured runs row by row, and prints the errors with and without what was
// learned: see tests/accuracy/README.md.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "fmt/format.h"
#include "tests/accuracy/replay/replay.h"

namespace planner::replay {
namespace {

constexpr size_t kLeastRows = 10;

void Print(const Summary& s) {
  fmt::print("{:58.58} {:5} {:8} {:6.1f} % {:6.1f} % {:+6.0f} % {:6.1f} % {:6.1f} % {:6.1f} % {:6.1f} % {:7.2f}\n",
             s.source, s.rows, s.measured, 100 * s.median_before, 100 * s.median_after, 100 * s.change(),
             100 * s.mean_before, 100 * s.mean_after, 100 * s.coverage_before, 100 * s.coverage_after, s.narrowed);
}

int Main(int argc, char** argv) {
  std::string path, part = "values";
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--priors") {
      part = "priors";
    } else if (flag == "--runs" && i + 1 < argc && path.empty()) {
      path = argv[++i];
    } else {
      path.clear();
      break;
    }
  }
  std::ifstream in(path, std::ios::binary);
  if (path.empty() || !in) {
    std::cerr << "usage: accuracy_replay --runs FILE.csv [--priors]\n"
                 "  --priors  predict by the constants from before any run was seen, as on cards of a new kind\n";
    return 2;
  }
  std::stringstream csv;
  csv << in.rdbuf();
  auto constants = *perf::ReadStepTimeConstants(perf::StepTimeConstantsFile(), part);
  constants.intervals = perf::BuiltInStepTimeConstants().intervals;
  const auto rows = RowsOf(csv.str(), constants);
  if (!rows.ok()) {
    std::cerr << path << ": " << rows.status().message() << "\n";
    return 2;
  }
  const std::vector<Outcome> outcomes = Replay(*rows, constants);
  fmt::print("{:58} {:>5} {:>8} {:>17} {:>8} {:>17} {:>17} {:>7}\n", "SOURCE", "ROWS", "MEASURED", "MEDIAN ERROR",
             "CHANGE", "MEAN ERROR", "WITHIN INTERVAL", "WIDTH");
  const std::vector<Summary> sources = SummariesBySource(outcomes, kLeastRows);
  size_t lower = 0, higher = 0;
  for (const Summary& source : sources) {
    Print(source);
    lower += source.change() <= -0.3 ? 1 : 0;
    higher += source.change() > 0 ? 1 : 0;
  }
  std::vector<Outcome> large;
  for (const Outcome& outcome : outcomes) {
    for (const Summary& source : sources) {
      if (source.source == outcome.source) large.push_back(outcome);
    }
  }
  Print(SummaryOf("these sources", large));
  Print(SummaryOf("all rows", outcomes));
  fmt::print("{} sources of {} rows or more: the median error is at least 30 % lower on {}, higher on {}\n",
             sources.size(), kLeastRows, lower, higher);
  return 0;
}

}  // namespace
}  // namespace planner::replay

int main(int argc, char** argv) { return planner::replay::Main(argc, argv); }
