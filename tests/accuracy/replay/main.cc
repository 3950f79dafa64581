// Predicts, corrects and learns a table of measured runs row by row, and prints the errors with and without what was
// learned: see tests/accuracy/README.md.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"
#include "tests/accuracy/replay/components.h"
#include "tests/accuracy/replay/replay.h"

namespace planner::replay {
namespace {

constexpr size_t kLeastRows = 10;

void Print(const Summary& s) {
  fmt::print(
      "{:58.58} {:5} {:8} {:6.1f} % {:6.1f} % {:+6.0f} % {:6.1f} % {:6.1f} % {:6.1f} % {:6.1f} % {:6.1f} % {:7.2f}\n",
      s.source, s.rows, s.measured, 100 * s.median_before, 100 * s.median_after, 100 * s.change(), 100 * s.median_again,
      100 * s.mean_before, 100 * s.mean_after, 100 * s.coverage_before, 100 * s.coverage_after, s.narrowed);
}

void Print(const std::vector<Outcome>& outcomes, Sites sites) {
  fmt::print("\n{}\n",
             sites == Sites::kOne ? "One planner learns from all sources" : "Each source has a planner of its own");
  fmt::print("{:58} {:>5} {:>8} {:>17} {:>8} {:>8} {:>17} {:>17} {:>7}\n", "SOURCE", "ROWS", "MEASURED", "MEDIAN ERROR",
             "CHANGE", "AGAIN", "MEAN ERROR", "WITHIN INTERVAL", "WIDTH");
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
}

/// By the id of the row: ln(measured / predicted) by constants that were fitted without its publication, of accuracy_fit's
/// --residuals. Ids hold neither commas nor quotes; cells of sources do, so the columns are counted from the end.
std::map<std::string, double> LeftOut(std::istream& in) {
  std::map<std::string, double> ratios;
  std::string line;
  std::getline(in, line);
  const std::vector<std::string> names = absl::StrSplit(line, ',');
  const auto column = names.end() - std::find(names.begin(), names.end(), "crossed");
  while (std::getline(in, line)) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    double ratio = 0;
    if (std::ssize(cells) >= column && absl::SimpleAtod(*(cells.end() - column), &ratio) && ratio > 0)
      ratios[cells[0]] = -std::log(ratio);
  }
  return ratios;
}

void PrintComponents(const std::vector<fitting::Row>& rows, const perf::StepTimeConstants& constants,
                     const std::map<std::string, double>& left_out) {
  std::vector<Residual> residuals;
  for (const fitting::Row& row : rows) {
    const auto known = left_out.find(row.id);
    residuals.push_back({calibration::PathOf(KindOf(row, constants)), fitting::Publication(row.source),
                         known == left_out.end() ? -fitting::LogRatio(row, constants) : known->second});
  }
  const auto all = ScatterByLevel(residuals, Pairs::kAll);
  const auto own = ScatterByLevel(residuals, Pairs::kOfOnePublication);
  fmt::print("SCATTER of runs that agree down to a level, and of those of one publication:\n");
  for (size_t level = 0; level < all.size(); ++level)
    fmt::print("  {:10} {:.3f} {:.3f}\n", calibration::NameOf(static_cast<calibration::Level>(level)), all[level],
               own[level]);
}

int Main(int argc, char** argv) {
  std::vector<std::string> paths;
  std::string part = "values", left_out;
  bool components = false, usable = true;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--priors") {
      part = "priors";
    } else if (flag == "--components") {
      components = true;
    } else if (flag == "--left-out" && i + 1 < argc) {
      left_out = argv[++i];
    } else if (flag == "--runs" && i + 1 < argc) {
      paths.emplace_back(argv[++i]);
    } else {
      usable = false;
    }
  }
  if (paths.empty() || !usable) {
    std::cerr << "usage: accuracy_replay --runs FILE.csv... [--priors | --left-out FILE.csv] [--components]\n"
                 "  --priors      predict by the constants from before any run was seen, as on cards of a new kind\n"
                 "  --left-out    predict by constants that were fitted without a row's publication: accuracy_fit's "
                 "--residuals\n"
                 "  --components  print what core/calibration's constants are from\n";
    return 2;
  }
  auto constants = *perf::ReadStepTimeConstants(perf::StepTimeConstantsFile(), part);
  constants.intervals = perf::BuiltInStepTimeConstants().intervals;
  std::vector<fitting::Row> rows;
  for (const std::string& path : paths) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream csv;
    csv << in.rdbuf();
    const auto of_path = RowsOf(csv.str(), constants);
    if (!in || !of_path.ok()) {
      std::cerr << path << ": " << (in ? of_path.status().message() : "cannot be read") << "\n";
      return 2;
    }
    rows.insert(rows.end(), of_path->begin(), of_path->end());
  }
  if (components) {
    std::ifstream in(left_out);
    PrintComponents(rows, constants, LeftOut(in));
    return 0;
  }
  std::vector<double> log_ratios = LogRatiosOf(rows, constants);
  if (!left_out.empty()) {
    std::ifstream in(left_out);
    const auto known = LeftOut(in);
    size_t count = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto found = known.find(rows[i].id);
      if (found == known.end()) continue;
      log_ratios[i] = -found->second;
      ++count;
    }
    fmt::print("{} of {} rows are predicted by constants that were fitted without their publication\n", count,
               rows.size());
  }
  for (const Sites sites : {Sites::kOne, Sites::kEachOwn}) Print(Replay(rows, log_ratios, constants, sites), sites);
  return 0;
}

}  // namespace
}  // namespace planner::replay

int main(int argc, char** argv) { return planner::replay::Main(argc, argv); }
