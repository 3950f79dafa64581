#include "clients/plannerctl/flag_names.h"

#include <array>
#include <utility>

#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

using FieldAndFlag = std::pair<std::string_view, std::string_view>;

/// Fields whose names cannot be anything else, wherever they stand in a text.
constexpr std::array<FieldAndFlag, 50> kPaths = {{
    {"batch_shape.batch", "--batch"},
    {"batch_shape.seq_len", "--seq-len"},
    {"batch_shape.inputs", "--input"},
    {"data_set.token_count", "--tokens"},
    {"data_set.sample_count", "--samples"},
    {"data_set.epoch_count", "--epochs"},
    {"data_set.seq_len", "--seq-len"},
    {"data_set.inputs", "--input"},
    {"training.global_batch", "--global-batch"},
    {"training.precision", "--precision"},
    {"training.optimizer", "--optimizer"},
    {"training.recompute", "--recompute"},
    {"training.finetune", "--finetune"},
    {"training.framework", "--framework"},
    {"training.attention", "--attention"},
    {"training.lora_rank", "--lora-rank"},
    {"layout.tensor_parallel", "--tp"},
    {"layout.pipeline_parallel", "--pp"},
    {"layout.virtual_pipeline", "--vpp"},
    {"layout.data_parallel", "--dp"},
    {"layout.context_parallel", "--cp"},
    {"layout.expert_parallel", "--ep"},
    {"layout.micro_batch_size", "--micro-batch"},
    {"layout.zero_stage", "--zero"},
    {"layout.shard_group", "--shard-group"},
    {"layout.sequence_parallel", "--sequence-parallel"},
    {"resources.gpu_types", "--gpu"},
    {"resources.min_gpus", "--gpus"},
    {"resources.max_gpus", "--gpus"},
    {"resources.cluster", "--cluster"},
    {"resources.deadline_duration", "--deadline"},
    {"resources.deadline_time", "--deadline"},
    {"resources.budget", "--budget"},
    {"resources.price_per_gpu_hour", "--price"},
    {"resources.earliest_start_time", "--start-after"},
    {"resources.tenant", "--tenant"},
    {"hold.expires_in", "--hold"},
    {"utilization.hardware_flops_ratio", "--utilization"},
    {"utilization.model_flops_ratio", "--mfu"},
    {"reservation.gpu_count", "--gpus"},
    {"reservation.nodes", "--nodes"},
    {"reservation.node_pool", "--pool"},
    {"reservation.start_time", "--start"},
    {"reservation.end_time", "--end"},
    {"reservation.expire_time", "--hold"},
    {"reservation.tenant", "--tenant"},
    {"inference.prompt_length", "--prompt-len"},
    {"inference.output_length", "--output-len"},
    {"inference.batch", "--batch"},
    {"inference.cache_precision", "--kv-precision"},
}};

/// Fields that are plain words: only at the beginning of an error, or of a list of what is ignored.
constexpr std::array<FieldAndFlag, 9> kWords = {{
    {"hold", "--hold"},
    {"runs_csv", "--runs"},
    {"model", "--model"},
    {"data_set", "--tokens or --samples"},
    {"counter", "--counter"},
    {"depth", "--depth"},
    {"precision", "--precision"},
    {"inference", "--mode inference"},
    {"goal", "--goal"},
}};

bool IsPartOfName(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; }

/// Every occurrence of `field` that is not part of a longer name.
void Replace(std::string& text, std::string_view field, std::string_view flag) {
  for (size_t at = text.find(field); at != std::string::npos; at = text.find(field, at)) {
    const size_t end = at + field.size();
    const bool longer_before = at > 0 && IsPartOfName(text[at - 1]);
    const bool longer_after = end < text.size() && IsPartOfName(text[end]) && text[end] != '.';
    if (longer_before || longer_after) {
      at = end;
    } else {
      text.replace(at, field.size(), flag);
      at += flag.size();
    }
  }
}

}  // namespace

std::string NameFlags(std::string_view text) {
  static constexpr std::string_view kPlan = "plan.request.";
  std::string named(text.starts_with(kPlan) ? text.substr(kPlan.size()) : text);
  for (const auto& [field, flag] : kPaths) Replace(named, field, flag);
  for (const auto& [field, flag] : kWords) {
    if (!named.starts_with(field) || named.size() == field.size()) continue;
    const char next = named[field.size()];
    const bool is_listed = next == ',' || std::string_view(named).substr(field.size()).starts_with(" is ignored");
    if (next == ':' || is_listed) return named.replace(0, field.size(), flag);
    if (next == '.' || next == '[') return fmt::format("{}: {}", flag, named);
  }
  return named;
}

absl::Status NameFlags(const absl::Status& status) {
  return absl::Status(status.code(), NameFlags(std::string_view(std::string(status.message()))));
}

}  // namespace planner::plannerctl
