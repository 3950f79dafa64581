// ValidateRuns answers any text with a Status or with a row for each row; the rows know nothing of one another.

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "planner/v1/estimation_service.grpc.pb.h"
#include "services/app/app.h"

namespace planner {
namespace {

grpc::Status Validate(const std::string& csv, v1::ValidateRunsResponse& response) {
  static const auto* app = new std::unique_ptr<app::App>(*app::App::Create({}));
  static const auto* stub =
      new std::unique_ptr<v1::EstimationService::Stub>(v1::EstimationService::NewStub((*app)->InProcessChannel()));
  v1::ValidateRunsRequest request;
  request.set_runs_csv(csv);
  grpc::ClientContext context;
  return (*stub)->ValidateRuns(&context, request, &response);
}

/// What every answer holds to, whatever the table was.
void CheckAnswer(const v1::ValidateRunsResponse& response) {
  const v1::RunGroup& overall = response.overall();
  RC_ASSERT(overall.row_count() == response.rows_size());
  RC_ASSERT(overall.predicted_count() + overall.skipped_count() == overall.row_count());
  RC_ASSERT(overall.oom_count() + overall.ran_count() == overall.predicted_count());
  for (const v1::RunPrediction& row : response.rows()) {
    RC_ASSERT(row.has_fits() == row.skipped().empty());
    for (const double value : {row.measured_step_seconds(), row.predicted_step_seconds(), row.low_step_seconds(),
                               row.high_step_seconds(), row.predicted_peak_memory_gib()}) {
      RC_ASSERT(std::isfinite(value));
      RC_ASSERT(value >= 0);
    }
    RC_ASSERT((row.predicted_step_seconds() > 0) == row.skipped().empty());
    RC_ASSERT(row.low_step_seconds() <= row.predicted_step_seconds());
    RC_ASSERT(row.predicted_step_seconds() <= row.high_step_seconds());
  }
  for (const auto* groups : {&response.groups(), &response.publications(), &response.gpu_families()}) {
    int rows = 0;
    for (const v1::RunGroup& group : *groups) {
      rows += group.row_count();
      RC_ASSERT(std::isfinite(group.time_mape()));
      RC_ASSERT(group.time_coverage90() >= 0 && group.time_coverage90() <= 1);
    }
    RC_ASSERT(rows == response.rows_size());
  }
}

void CheckAny(const std::string& csv) {
  v1::ValidateRunsResponse response;
  const grpc::Status status = Validate(csv, response);
  if (status.ok()) {
    CheckAnswer(response);
  } else {
    RC_ASSERT(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
    RC_ASSERT(status.error_message().rfind("runs_csv: ", 0) == 0);
  }
}

/// Columns with values that make sense, and values that make none.
struct Column {
  const char* name;
  std::vector<std::string> values;
};

const std::vector<Column>& Columns() {
  static const auto* columns = new std::vector<Column>{
      {"source", {"a", "a / 1", "b", ""}},
      {"model", {"llama-7b", "GPT 22B", "deepseek-v3", "mixtral-8x7b", "nonsense", ""}},
      {"n_layers", {"1", "24", "61", "128", "", "0", "-1", "1e9", "1e300", "2.5", "x"}},
      {"hidden", {"64", "1024", "7168", "25600", "", "0", "1", "1e18"}},
      {"ffn_hidden", {"128", "4096", "", "0", "1e200"}},
      {"heads", {"1", "16", "128", "7", "", "0"}},
      {"kv_heads", {"1", "8", "", "0", "1000"}},
      {"vocab", {"100", "50257", "250880", "", "0"}},
      {"seq_len", {"1", "2048", "131072", "", "0", "1e12"}},
      {"gated_mlp", {"0", "1", "", "2"}},
      {"moe_experts", {"0", "8", "256", "", "1", "1e10"}},
      {"moe_topk", {"0", "2", "8", "", "1000"}},
      {"gpu_type", {"a100", "h100", "b200", "v100", "tpu-v4", "mi300x", "gb200", "abacus", ""}},
      {"n_gpus", {"1", "8", "64", "1000", "12288", "", "0", "7", "1e15"}},
      {"tp", {"1", "8", "", "0", "3", "64"}},
      {"pp", {"1", "8", "", "0", "5", "128"}},
      {"dp", {"1", "8", "", "0"}},
      {"cp", {"1", "2", "", "0"}},
      {"ep", {"1", "8", "", "0", "64"}},
      {"vpp", {"1", "3", "", "0", "100"}},
      {"microbatch", {"1", "4", "", "0", "1e9"}},
      {"global_batch", {"1", "512", "1536", "", "0", "1e12"}},
      {"precision", {"bf16", "fp16", "fp8", "pure-bf16+nf4", "", "fp7"}},
      {"recompute", {"none", "selective", "full", "", "some"}},
      {"zero_stage", {"0", "1", "3", "", "9"}},
      {"shard_group", {"", "1", "8", "0", "3"}},
      {"iteration_time_s", {"1.5", "", "0", "1e-300", "1e300"}},
      {"tokens_per_s_per_gpu", {"1000", "", "1e-300"}},
      {"gpu_hours", {"1000", "", "1e300"}},
      {"tokens_total", {"1e12", "", "1e-300"}},
      {"peak_mem_gib", {"40", "", "1e-300"}},
      {"mem_unit", {"GiB", "GB", ""}},
      {"task", {"pretrain", "lora", "qlora", "full_ft", "full_run", "", "magic"}},
      {"status", {"ok", "oom", "suspect", "analytic", "", "odd"}},
      {"framework", {"megatron-core", "fsdp", "torchtitan", "ddp", "jax", "", "none of these"}},
      {"attention", {"flash", "eager", "", "x"}},
      {"sequence_parallel", {"0", "1", ""}},
      {"nic_gbps_per_gpu", {"400", "25", "", "0", "1e300"}},
      {"node_size", {"8", "4", "", "0", "1", "1e9"}},
  };
  return *columns;
}

std::string AnyRow(int id) {
  std::string row = std::to_string(id);
  // Mostly values that make sense, so that most rows get as far as the models of time and memory.
  const int oddity = *rc::gen::element(0, 0, 5, 30);
  for (const Column& column : Columns()) {
    const bool odd = *rc::gen::inRange(0, 100) < oddity;
    row += "," + column.values[*rc::gen::inRange<size_t>(0, odd ? column.values.size() : 2)];
  }
  return row + "\n";
}

std::string Header() {
  std::string header = "id";
  for (const Column& column : Columns()) header += std::string(",") + column.name;
  return header + "\n";
}

std::vector<std::string> AnyRows(int count) {
  std::vector<std::string> rows;
  for (int i = 0; i < count; ++i) rows.push_back(AnyRow(i));
  return rows;
}

std::string Table(const std::vector<std::string>& rows) { return std::accumulate(rows.begin(), rows.end(), Header()); }

RC_GTEST_PROP(ValidationLaws, AnyBytesAreAnsweredOrRefused, ()) { CheckAny(*rc::gen::arbitrary<std::string>()); }

RC_GTEST_PROP(ValidationLaws, AnyTextOfTablesIsAnsweredOrRefused, ()) {
  const auto character = rc::gen::element<char>('"', ',', '\n', '\r', '1', 'e', '-', 'a', ' ', '\0', '\xff');
  CheckAny("id,tp\n" + *rc::gen::container<std::string>(character));
}

RC_GTEST_PROP(ValidationLaws, AnyDescriptionIsPredictedOrSkipped, ()) {
  v1::ValidateRunsResponse response;
  const grpc::Status status = Validate(Table(AnyRows(20)), response);
  if (!status.ok()) RC_FAIL(status.error_message());
  RC_ASSERT(response.rows_size() == 20);
  CheckAnswer(response);
}

RC_GTEST_PROP(ValidationLaws, DamagedTablesAreAnsweredOrRefused, ()) {
  std::string csv = Table(AnyRows(3));
  const int damages = *rc::gen::inRange(1, 5);
  for (int i = 0; i < damages; ++i) {
    csv[*rc::gen::inRange<size_t>(0, csv.size())] = *rc::gen::element<char>('"', ',', '\n', '\0', '9', '.', '\x80');
  }
  CheckAny(csv);
}

RC_GTEST_PROP(ValidationLaws, RowsKnowNothingOfOneAnother, ()) {
  const std::vector<std::string> rows = AnyRows(6);
  v1::ValidateRunsResponse together;
  RC_ASSERT(Validate(Table(rows), together).ok());
  for (size_t i = 0; i < rows.size(); ++i) {
    v1::ValidateRunsResponse alone;
    RC_ASSERT(Validate(Table({rows[i]}), alone).ok());
    v1::RunPrediction expected = together.rows(static_cast<int>(i));
    expected.set_line(2);
    if (!expected.skipped().empty()) expected.set_skipped(alone.rows(0).skipped());  // It may name the line.
    RC_ASSERT(alone.rows(0).SerializeAsString() == expected.SerializeAsString());
  }
}

}  // namespace
}  // namespace planner
