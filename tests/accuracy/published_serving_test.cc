// How far served models are from what was published: a first version, to bounds.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "absl/strings/str_split.h"
#include "core/counting/analytic_counter.h"
#include "core/hardware/gpu_catalog.h"
#include "core/planning/inference.h"
#include "services/catalog/catalog.h"

namespace planner::accuracy {
namespace {

using Row = std::map<std::string, std::string>;

std::vector<Row> ReadRows() {
  std::ifstream file(PUBLISHED_SERVING);
  std::vector<Row> rows;
  std::vector<std::string> header;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    if (header.empty()) {
      header = cells;
      continue;
    }
    Row& row = rows.emplace_back();
    for (size_t i = 0; i < header.size(); ++i) row[header[i]] = cells.at(i);
  }
  return rows;
}

class PublishedServingTest : public ::testing::Test {
 protected:
  /// The option of the row's own degree.
  planning::InferenceOption Predict(const Row& row) const {
    planning::InferenceJob job;
    job.model = (*models_.Find(row.at("model")))->description;
    job.prompt = std::stoll(row.at("prompt"));
    job.output = std::stoll(row.at("output"));
    job.batch = std::stoll(row.at("batch"));
    job.precision = row.at("precision");
    job.cache_precision = row.at("kv_precision");
    job.tensor_parallel = std::stoll(row.at("tp"));
    cluster::Pool pool;
    pool.gpu = **gpus_->Find(row.at("gpu_type"));
    pool.gpus_per_node = pool.gpu.gpus_per_node;
    const auto plan = planning::PlanInference(job, counter_, {absl::UnixEpoch(), {pool}, {}});
    EXPECT_TRUE(plan.ok()) << plan.status();
    // What was published did fit.
    EXPECT_EQ(plan->options.size(), 1u) << row.at("source") << " batch " << row.at("batch") << ": "
                                        << (plan->infeasible_reasons.empty() ? "" : plan->infeasible_reasons[0]);
    return plan->options.empty() ? planning::InferenceOption{} : plan->options[0];
  }

  const absl::StatusOr<hardware::GpuCatalog> gpus_ = hardware::GpuCatalog::Create();
  const catalog::ModelCatalog models_;
  const counting::AnalyticCounter counter_;
};

TEST_F(PublishedServingTest, ThroughputAndFirstTokens) {
  double throughput_error = 0, prefill_error = 0;
  int throughputs = 0, prefills = 0;
  for (const Row& row : ReadRows()) {
    const planning::InferenceOption option = Predict(row);
    const auto report = [&](const char* what, double predicted, double measured, double& sum, int& count) {
      std::cout << row.at("source") << ", " << row.at("model") << " x " << row.at("tp") << ", batch " << row.at("batch")
                << ", " << row.at("prompt") << " + " << row.at("output") << ": " << what << " " << predicted
                << ", published " << measured << ", ratio " << predicted / measured << "\n";
      // That release's kernels read the cache of grouped heads once for each query head.
      const bool old_kernels = row.at("notes").find("query head") != std::string::npos;
      EXPECT_LT(std::abs(std::log(predicted / measured)), std::log(old_kernels ? 3.2 : 1.7)) << what;
      if (old_kernels) return;
      sum += std::abs(predicted / measured - 1);
      ++count;
    };
    if (!row.at("tokens_per_s").empty()) {
      report("tokens/s", option.tokens_per_second, std::stod(row.at("tokens_per_s")), throughput_error, throughputs);
    }
    if (!row.at("first_token_ms").empty()) {
      report("first token ms", option.prefill_seconds * 1e3, std::stod(row.at("first_token_ms")), prefill_error,
             prefills);
    }
  }
  ASSERT_GE(throughputs, 14);
  ASSERT_GE(prefills, 10);
  std::cout << "throughput: mean error " << throughput_error / throughputs << " of " << throughputs
            << "; first token: " << prefill_error / prefills << " of " << prefills << "\n";
  EXPECT_LT(throughput_error / throughputs, 0.2);
  EXPECT_LT(prefill_error / prefills, 0.17);
}

}  // namespace
}  // namespace planner::accuracy
