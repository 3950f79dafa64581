#include "tests/accuracy/fitting/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "core/parallel/memory.h"
#include "fmt/format.h"

namespace planner::fitting {

using planning::MeasuredRun;

namespace {

struct Errors {
  int rows = 0;
  double sum = 0;
  std::vector<double> ratios;
  int covered = 0;

  void Add(double log_ratio, bool within = false) {
    covered += within;
    ++rows;
    sum += std::abs(std::exp(log_ratio) - 1);
    ratios.push_back(std::exp(log_ratio));
  }
  double mape() const { return rows > 0 ? 100 * sum / rows : 0; }
  double median() {
    if (ratios.empty()) return 1;
    std::sort(ratios.begin(), ratios.end());
    return ratios[ratios.size() / 2];
  }
};

}  // namespace

void PrintErrors(const std::vector<Row>& rows, const perf::StepTimeConstants& constants,
                 const std::optional<CrossValidation>& crossed) {
  std::map<std::string, Errors> sources, families, frameworks, tables_left_out, publications_left_out;
  Errors all, all_by_table, all_by_publication;
  for (size_t r = 0; r < rows.size(); ++r) {
    const Row& row = rows[r];
    const double ratio = LogRatio(row, constants);
    const bool within =
        std::abs(ratio) <= constants.HalfWidth(row.description.framework, row.description.gpu->architecture,
                                               row.description.memory.parameters);
    for (Errors* errors : {&sources[row.source], &families[row.family], &frameworks[row.framework], &all})
      errors->Add(ratio, within);
    if (!crossed) continue;
    for (Errors* errors : {&tables_left_out[row.source], &all_by_table}) errors->Add(crossed->by_table[r]);
    for (Errors* errors : {&publications_left_out[row.source], &all_by_publication})
      errors->Add(crossed->by_publication[r]);
  }
  std::printf("%6s %8s %8s %8s %8s %8s  %s\n", "rows", "MAPE %", "table", "publ.", "median", "within %", "source");
  const auto print = [&](const std::string& name, Errors& errors, double by_table, double by_publication) {
    std::printf("%6d %8.2f %8.2f %8.2f %8.3f %8.1f  %s\n", errors.rows, errors.mape(), by_table, by_publication,
                errors.median(), 100.0 * errors.covered / std::max(1, errors.rows), name.c_str());
  };
  for (auto& [source, errors] : sources)
    print(source, errors, tables_left_out[source].mape(), publications_left_out[source].mape());
  for (auto& [family, errors] : families) print("family " + family, errors, 0, 0);
  for (auto& [framework, errors] : frameworks) print("framework " + framework, errors, 0, 0);
  print("all", all, all_by_table.mape(), all_by_publication.mape());
  // Publications as equals: what a new one may expect is the mean of those that were left out.
  std::map<std::string, std::pair<Errors, Errors>> publications;
  for (size_t r = 0; r < rows.size(); ++r) {
    auto& [fitted, left_out] = publications[Publication(rows[r].source)];
    fitted.Add(LogRatio(rows[r], constants));
    if (crossed) left_out.Add(crossed->by_publication[r]);
  }
  double fitted_sum = 0, left_out_sum = 0;
  for (const auto& [name, errors] : publications) {
    fitted_sum += errors.first.mape();
    left_out_sum += errors.second.mape();
  }
  const double count = static_cast<double>(std::max<size_t>(1, publications.size()));
  std::printf("%zu publications: mean of their errors %.2f %%, left out %.2f %%\n", publications.size(),
              fitted_sum / count, left_out_sum / count);
}

void PrintMemory(const std::vector<MeasuredRun>& runs, const planning::RunCatalogs& catalogs, bool each) {
  constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
  std::map<std::string, Errors> by_source;
  Errors all;
  int ok_rows = 0, ok_wrong = 0, oom_rows = 0, oom_wrong = 0;
  for (const MeasuredRun& run : runs) {
    const planning::RunPrediction prediction = planning::Predict(run, catalogs);
    if (!prediction.fits) continue;
    const auto measured = planning::MeasuredPeakMemoryGib(run);
    const bool oom = run.status == "oom";
    (oom ? oom_rows : ok_rows) += 1;
    const bool wrong = oom == *prediction.fits;
    if (wrong) (oom ? oom_wrong : ok_wrong) += 1;
    if (measured) {
      by_source[run.source].Add(std::log(*prediction.peak_memory_gib / *measured));
      all.Add(std::log(*prediction.peak_memory_gib / *measured));
    }
    if (each && (measured || wrong || oom)) {
      const auto d = planning::DescribeRun(run, catalogs.gpus, catalogs.models);
      const auto m = parallel::PeakMemory(d->memory, d->layout, d->micro_batches);
      const auto gib = [](int64_t bytes) { return static_cast<double>(bytes) / kGib; };
      std::printf(
          "%s %-22.22s %-9.9s t%ld p%ld d%ld v%ld e%ld mb%ld z%d rc%d %s %s %s | measured %.1f predicted %.1f of %.0f: "
          "w %.1f g %.1f o %.1f act %.1f over %.1f%s\n",
          run.id.c_str(), run.model.c_str(), run.gpu_type.c_str(), d->layout.tensor_parallel,
          d->layout.pipeline_parallel, d->layout.data_parallel, d->layout.virtual_pipeline, d->layout.expert_parallel,
          d->layout.micro_batch_size, d->layout.zero_stage, static_cast<int>(d->layout.recompute),
          run.precision.c_str(), run.framework.c_str(), run.task.c_str(), measured.value_or(0),
          *prediction.peak_memory_gib, d->capacity_bytes / kGib, gib(m.parameter_bytes), gib(m.gradient_bytes),
          gib(m.optimizer_bytes), gib(m.activation_bytes), gib(m.overhead_bytes),
          wrong ? (oom ? "  OOM ROW FITS" : "  OK ROW DOES NOT FIT") : "");
    }
  }
  for (auto& [source, errors] : by_source)
    std::printf("memory %4d %8.2f %8.3f  %s\n", errors.rows, errors.mape(), errors.median(), source.c_str());
  std::printf("memory %4d %8.2f %8.3f  all; oom rows that fit: %d of %d; ok rows that do not: %d of %d\n", all.rows,
              all.mape(), all.median(), oom_wrong, oom_rows, ok_wrong, ok_rows);
}

void WriteResiduals(const std::vector<Row>& rows, const perf::StepTimeConstants& constants,
                    const std::optional<CrossValidation>& crossed, std::ostream& out) {
  out << "id,source,family,framework,measured,predicted,ratio,crossed";
  for (const perf::StepTerm& term : perf::StepTerms()) out << ',' << term.name;
  out << '\n';
  for (size_t r = 0; r < rows.size(); ++r) {
    const auto step = planning::StepTimeOf(rows[r].description, constants);
    if (!step.ok()) continue;
    const double total = step->total();
    out << fmt::format("{},\"{}\",{},{},{:.5g},{:.5g},{:.3f},{:.3f}", rows[r].id, rows[r].source, rows[r].family,
                       rows[r].framework, rows[r].measured, total, total / rows[r].measured,
                       crossed ? std::exp(crossed->by_publication[r]) : 1);
    for (const perf::StepTerm& term : perf::StepTerms()) out << fmt::format(",{:.3f}", (*step).*term.seconds / total);
    out << '\n';
  }
}

}  // namespace planner::fitting
