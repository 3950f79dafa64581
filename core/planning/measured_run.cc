#include "core/planning/measured_run.h"

#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::planning {
namespace {

constexpr double kUnknownGpus = 1024;
constexpr double kUnknownBatchTokens = 4e6;

struct Record {
  int line = 0;
  std::vector<std::string> cells;
};

absl::Status InvalidLine(int line, std::string_view message) {
  return base::InvalidField(fmt::format("line {}", line), message, "INVALID_TABLE");
}

/// One record a line, but for line breaks within quotes.
absl::StatusOr<std::vector<Record>> SplitRecords(std::string_view csv) {
  std::vector<Record> records;
  Record record{.line = 1, .cells = {""}};
  int line = 1;
  bool quoted = false;
  bool was_quoted = false;
  const auto end_record = [&] {
    const bool blank = record.cells.size() == 1 && record.cells[0].empty() && !was_quoted;
    if (!blank) records.push_back(std::move(record));
    was_quoted = false;
  };
  if (csv.starts_with("\xEF\xBB\xBF")) csv.remove_prefix(3);
  for (size_t at = 0; at < csv.size(); ++at) {
    const char c = csv[at];
    if (c == '\n') ++line;
    std::string& cell = record.cells.back();
    if (quoted) {
      if (c != '"') {
        cell += c;
      } else if (at + 1 < csv.size() && csv[at + 1] == '"') {
        cell += '"';
        ++at;
      } else {
        quoted = false;
      }
    } else if (c == '"' && cell.empty()) {
      quoted = was_quoted = true;
    } else if (c == ',') {
      record.cells.emplace_back();
    } else if (c == '\n') {
      end_record();
      record = Record{.line = line, .cells = {""}};
    } else if (c != '\r' || (at + 1 < csv.size() && csv[at + 1] != '\n')) {
      cell += c;
    }
  }
  if (quoted) return InvalidLine(record.line, "a quote is not closed before the end of the table");
  end_record();
  return records;
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

using Setter = std::function<bool(MeasuredRun&, const std::string&)>;

Setter Text(std::string MeasuredRun::*member) {
  return [member](MeasuredRun& run, const std::string& cell) {
    run.*member = cell;
    return true;
  };
}

Setter Number(std::optional<double> MeasuredRun::*member) {
  return [member](MeasuredRun& run, const std::string& cell) {
    run.*member = ParseNumber(cell);
    if (run.*member < 0.0) (run.*member).reset();
    return (run.*member).has_value();
  };
}

Setter Flag(std::optional<bool> MeasuredRun::*member) {
  return [member](MeasuredRun& run, const std::string& cell) {
    if (cell == "0" || cell == "false" || cell == "False") run.*member = false;
    if (cell == "1" || cell == "true" || cell == "True") run.*member = true;
    return (run.*member).has_value();
  };
}

const std::map<std::string, Setter, std::less<>>& Setters() {
  using Run = MeasuredRun;
  static const auto* setters = new std::map<std::string, Setter, std::less<>>{
      {"id", Text(&Run::id)},
      {"source", Text(&Run::source)},
      {"status", Text(&Run::status)},
      {"model", Text(&Run::model)},
      {"gpu_type", Text(&Run::gpu_type)},
      {"precision", Text(&Run::precision)},
      {"recompute", Text(&Run::recompute)},
      {"task", Text(&Run::task)},
      {"framework", Text(&Run::framework)},
      {"attention", Text(&Run::attention)},
      {"mem_unit", Text(&Run::memory_unit)},
      {"n_params", Number(&Run::parameters)},
      {"n_layers", Number(&Run::layers)},
      {"hidden", Number(&Run::hidden)},
      {"ffn_hidden", Number(&Run::ffn_hidden)},
      {"heads", Number(&Run::heads)},
      {"kv_heads", Number(&Run::kv_heads)},
      {"vocab", Number(&Run::vocab)},
      {"seq_len", Number(&Run::seq_len)},
      {"moe_experts", Number(&Run::moe_experts)},
      {"moe_topk", Number(&Run::moe_topk)},
      {"gated_mlp", Flag(&Run::gated_mlp)},
      {"n_gpus", Number(&Run::gpus)},
      {"tp", Number(&Run::tensor_parallel)},
      {"pp", Number(&Run::pipeline_parallel)},
      {"dp", Number(&Run::data_parallel)},
      {"cp", Number(&Run::context_parallel)},
      {"ep", Number(&Run::expert_parallel)},
      {"etp", Number(&Run::expert_tensor_parallel)},
      {"vpp", Number(&Run::virtual_pipeline)},
      {"microbatch", Number(&Run::micro_batch)},
      {"global_batch", Number(&Run::global_batch)},
      {"zero_stage", Number(&Run::zero_stage)},
      {"shard_group", Number(&Run::shard_group)},
      {"sequence_parallel", Flag(&Run::sequence_parallel)},
      {"nic_gbps_per_gpu", Number(&Run::nic_gbps_per_gpu)},
      {"node_size", Number(&Run::node_size)},
      {"tokens_total", Number(&Run::tokens_total)},
      {"iteration_time_s", Number(&Run::iteration_seconds)},
      {"gpu_hours", Number(&Run::gpu_hours)},
      {"tokens_per_s_per_gpu", Number(&Run::tokens_per_second_per_gpu)},
      {"peak_mem_gib", Number(&Run::peak_memory)},
  };
  return *setters;
}

bool Positive(const std::optional<double>& value) { return value.value_or(0) > 0; }

}  // namespace

absl::StatusOr<std::vector<MeasuredRun>> ParseMeasuredRuns(std::string_view csv) {
  ASSIGN_OR_RETURN(const std::vector<Record> records, SplitRecords(csv));
  if (records.empty()) return InvalidLine(1, "the table is empty: its first line names the columns");
  const std::vector<std::string>& header = records[0].cells;
  std::vector<const Setter*> setters(header.size(), nullptr);
  bool has_id = false;
  for (size_t column = 0; column < header.size(); ++column) {
    for (size_t other = 0; other < column; ++other) {
      if (header[other] == header[column]) {
        return InvalidLine(1, fmt::format("column \"{}\" is there twice", header[column]));
      }
    }
    const auto found = Setters().find(header[column]);
    if (found != Setters().end()) setters[column] = &found->second;
    has_id = has_id || header[column] == "id";
  }
  if (!has_id) return InvalidLine(1, "no column is named \"id\": the first line names the columns");

  std::vector<MeasuredRun> runs;
  runs.reserve(records.size() - 1);
  for (size_t row = 1; row < records.size(); ++row) {
    const Record& record = records[row];
    MeasuredRun& run = runs.emplace_back();
    run.line = record.line;
    const size_t columns = std::min(record.cells.size(), header.size());
    for (size_t column = 0; column < columns; ++column) {
      const std::string& cell = record.cells[column];
      if (cell.empty() || setters[column] == nullptr) continue;
      if (!(*setters[column])(run, cell) && run.problem.empty()) {
        run.problem = fmt::format("line {}, column \"{}\": {}: {}", record.line, header[column],
                                  ParseNumber(cell) ? "must not be negative" : "not a number", cell.substr(0, 40));
      }
    }
    if (record.cells.size() != header.size()) {
      run.problem = fmt::format("line {}: {} cells, the header has {}", record.line, record.cells.size(), header.size());
    }
  }
  return runs;
}

std::optional<double> MeasuredStepSeconds(const MeasuredRun& run) {
  if (Positive(run.iteration_seconds)) return run.iteration_seconds;
  const bool batch_known = Positive(run.global_batch) && Positive(run.seq_len);
  const double batch_tokens = batch_known ? *run.global_batch * *run.seq_len : kUnknownBatchTokens;
  if (batch_known && Positive(run.tokens_per_second_per_gpu) && Positive(run.gpus)) {
    return batch_tokens / (*run.tokens_per_second_per_gpu * *run.gpus);
  }
  if (Positive(run.gpu_hours) && Positive(run.tokens_total)) {
    const double gpus = Positive(run.gpus) ? *run.gpus : kUnknownGpus;
    return *run.gpu_hours * 3600 / gpus / (*run.tokens_total / batch_tokens);
  }
  return {};
}

std::optional<double> MeasuredPeakMemoryGib(const MeasuredRun& run) {
  if (!Positive(run.peak_memory) || run.memory_unit != "GiB") return {};
  return run.peak_memory;
}

bool IsComparable(const MeasuredRun& run) { return run.status != "suspect" && run.status != "analytic"; }

}  // namespace planner::planning
