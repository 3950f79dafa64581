#include "clients/plannerctl/estimate_flags.h"

#include <CLI/CLI.hpp>
#include <array>
#include <utility>

#include "absl/time/time.h"
#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/input_shape.h"
#include "clients/plannerctl/model_argument.h"
#include "clients/plannerctl/numbers.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

constexpr std::array<std::pair<std::string_view, v1::EstimateRequest::Goal>, 3> kGoals = {
    {{"fastest", v1::EstimateRequest::FASTEST},
     {"cheapest", v1::EstimateRequest::CHEAPEST},
     {"fewest", v1::EstimateRequest::FEWEST}}};

constexpr std::array<std::pair<std::string_view, v1::Training::Recompute>, 4> kRecomputes = {
    {{"auto", v1::Training::AUTO},
     {"none", v1::Training::NONE},
     {"selective", v1::Training::SELECTIVE},
     {"full", v1::Training::FULL}}};

constexpr std::array<std::pair<std::string_view, v1::Training::Finetune>, 3> kFinetunes = {
    {{"full", v1::Training::FULL_FINETUNE}, {"lora", v1::Training::LORA}, {"qlora", v1::Training::QLORA}}};

absl::Status FillDataSet(const EstimateFlags& flags, v1::DataSet& data) {
  RETURN_IF_ERROR(FillFlag("--tokens", flags.tokens, ParseNumber, [&](double value) { data.set_token_count(value); }));
  RETURN_IF_ERROR(
      FillFlag("--samples", flags.samples, ParseNumber, [&](double value) { data.set_sample_count(value); }));
  RETURN_IF_ERROR(FillFlag("--epochs", flags.epochs, ParseNumber, [&](double value) { data.set_epoch_count(value); }));
  RETURN_IF_ERROR(FillFlag("--seq-len", flags.seq_len, ParseInteger, [&](int64_t value) { data.set_seq_len(value); }));
  for (const std::string& input : flags.inputs) {
    RETURN_IF_ERROR(FillFlag("--input", input, ParseInputShape,
                             [&](v1::TensorShape shape) { *data.add_inputs() = std::move(shape); }));
  }
  return absl::OkStatus();
}

absl::Status FillTraining(const EstimateFlags& flags, v1::Training& training) {
  RETURN_IF_ERROR(FillFlag("--global-batch", flags.global_batch, ParseInteger,
                           [&](int64_t value) { training.set_global_batch(value); }));
  training.set_precision(flags.precision);
  training.set_optimizer(flags.optimizer);
  training.set_framework(flags.framework);
  training.set_attention(flags.attention);
  RETURN_IF_ERROR(
      FillFlag("--recompute", flags.recompute, OneOf(kRecomputes), [&](auto value) { training.set_recompute(value); }));
  RETURN_IF_ERROR(
      FillFlag("--finetune", flags.finetune, OneOf(kFinetunes), [&](auto value) { training.set_finetune(value); }));
  return FillFlag("--lora-rank", flags.lora_rank, ParseInteger, [&](int64_t value) { training.set_lora_rank(value); });
}

absl::Status FillLayout(const EstimateFlags& flags, v1::LayoutConstraints& layout) {
  struct Degree {
    const char* flag;
    const std::string& text;
    void (v1::LayoutConstraints::*set)(int64_t);
  };
  const std::array<Degree, 9> degrees = {{
      {"--tp", flags.tensor_parallel, &v1::LayoutConstraints::set_tensor_parallel},
      {"--pp", flags.pipeline_parallel, &v1::LayoutConstraints::set_pipeline_parallel},
      {"--vpp", flags.virtual_pipeline, &v1::LayoutConstraints::set_virtual_pipeline},
      {"--dp", flags.data_parallel, &v1::LayoutConstraints::set_data_parallel},
      {"--cp", flags.context_parallel, &v1::LayoutConstraints::set_context_parallel},
      {"--ep", flags.expert_parallel, &v1::LayoutConstraints::set_expert_parallel},
      {"--micro-batch", flags.micro_batch, &v1::LayoutConstraints::set_micro_batch_size},
      {"--zero", flags.zero_stage, &v1::LayoutConstraints::set_zero_stage},
      {"--shard-group", flags.shard_group, &v1::LayoutConstraints::set_shard_group},
  }};
  for (const Degree& degree : degrees) {
    RETURN_IF_ERROR(
        FillFlag(degree.flag, degree.text, ParseInteger, [&](int64_t value) { (layout.*degree.set)(value); }));
  }
  return FillFlag("--sequence-parallel", flags.sequence_parallel, ParseBool,
                  [&](bool value) { layout.set_sequence_parallel(value); });
}

/// Whether the model is served; INVALID_ARGUMENT for a flag of inference without --mode inference.
absl::Status FillInference(const EstimateFlags& flags, v1::EstimateRequest& request) {
  enum class Mode { kTraining, kInference };
  constexpr std::array<std::pair<std::string_view, Mode>, 2> kModes = {
      {{"training", Mode::kTraining}, {"inference", Mode::kInference}}};
  RETURN_IF_ERROR(FillFlag("--mode", flags.mode, OneOf(kModes), [&](Mode mode) {
    if (mode == Mode::kInference) request.mutable_inference();
  }));
  for (const auto& [flag, text] :
       {std::pair("--prompt-len", &flags.prompt_len), std::pair("--output-len", &flags.output_len),
        std::pair("--batch", &flags.batch), std::pair("--kv-precision", &flags.kv_precision)}) {
    if (!request.has_inference() && !text->empty())
      return absl::InvalidArgumentError(fmt::format("{}: is of --mode inference", flag));
  }
  if (!request.has_inference()) return absl::OkStatus();
  v1::Inference& inference = *request.mutable_inference();
  RETURN_IF_ERROR(FillFlag("--prompt-len", flags.prompt_len, ParseInteger,
                           [&](int64_t value) { inference.set_prompt_length(value); }));
  RETURN_IF_ERROR(FillFlag("--output-len", flags.output_len, ParseInteger,
                           [&](int64_t value) { inference.set_output_length(value); }));
  inference.set_cache_precision(flags.kv_precision);
  return FillFlag("--batch", flags.batch, ParseInteger, [&](int64_t value) { inference.set_batch(value); });
}

void SetDeadline(const Deadline& deadline, v1::Resources& resources) {
  if (const auto* duration = std::get_if<absl::Duration>(&deadline)) {
    SetDuration(*duration, *resources.mutable_deadline_duration());
  } else {
    SetTime(std::get<absl::Time>(deadline), *resources.mutable_deadline_time());
  }
}

absl::Status FillResources(const EstimateFlags& flags, v1::Resources& resources) {
  for (const std::string& type : flags.gpu_types) resources.add_gpu_types(type);
  resources.set_cluster(flags.cluster);
  RETURN_IF_ERROR(FillFlag("--gpus", flags.gpus, ParseRange, [&](IntegerRange range) {
    resources.set_min_gpus(range.min);
    resources.set_max_gpus(range.max);
  }));
  RETURN_IF_ERROR(FillFlag("--deadline", flags.deadline, ParseDeadline,
                           [&](const Deadline& value) { SetDeadline(value, resources); }));
  RETURN_IF_ERROR(FillFlag("--start-after", flags.start_after, ParseTime,
                           [&](absl::Time time) { SetTime(time, *resources.mutable_earliest_start_time()); }));
  resources.set_tenant(flags.tenant);
  RETURN_IF_ERROR(FillFlag("--budget", flags.budget, ParseNumber, [&](double value) { resources.set_budget(value); }));
  return FillFlag("--price", flags.price, ParseNumber, [&](double value) { resources.set_price_per_gpu_hour(value); });
}

}  // namespace

void AddEstimateFlags(CLI::App& command, EstimateFlags& flags) {
  const auto add = [&command](const char* group, const char* name, auto& value, const char* text, const char* type) {
    return AddFlag(command, name, value, text, type)->group(group);
  };
  const char* group = "Model and data";
  add(group, "--model,-m", flags.model, "A preset's name, a config.json or its folder, a TorchScript file, or a layer graph", "MODEL")
      ->required();
  add(group, "--assume-architecture", flags.assume_architecture,
      "Read a config.json of an unknown model_type as this one", "TYPE");
  add(group, "--tokens", flags.tokens, "Tokens to train on, in all: 300B, 1.4T", "N");
  add(group, "--samples", flags.samples, "Samples of one epoch", "N");
  add(group, "--epochs", flags.epochs, "Passes over the data [1]", "N");
  add(group, "--seq-len", flags.seq_len, "Positions per sample [the model's]", "N");
  add(group, "--input", flags.inputs, "Shape of an input: [NAME=]1x3x224x224[:dtype]; repeatable", "SHAPE")
      ->allow_extra_args(false);

  group = "Resources and limits";
  add(group, "--gpu", flags.gpu_types, "GPU types to compare", "TYPE[,TYPE]")->delimiter(',')->allow_extra_args(false);
  add(group, "--gpus", flags.gpus, "Cards: exactly N, or a range", "N|MIN-MAX");
  add(group, "--cluster", flags.cluster, "A configured cluster", "NAME");
  add(group, "--deadline", flags.deadline, "Longest time (30d, 36h, 1-12:00:00) or latest end (2026-12-01)",
      "DURATION|TIME");
  add(group, "--start-after", flags.start_after, "Earliest start: 2026-12-01, 2026-12-01T08:00:00Z [now]", "TIME");
  add(group, "--tenant", flags.tenant, "Whose quota the cards count towards", "NAME");
  add(group, "--budget", flags.budget, "Money at most, in the cluster's currency", "N");
  add(group, "--price", flags.price, "Price of a GPU hour where the cluster has none", "N");
  add(group, "--goal", flags.goal, "fastest, cheapest or fewest", "GOAL");

  group = "Training";
  add(group, "--global-batch", flags.global_batch, "Samples per optimizer step", "N");
  add(group, "--precision", flags.precision, "bf16, fp16, fp8, fp32, … (precision list)", "NAME");
  add(group, "--optimizer", flags.optimizer, "adam, sgd, … (precision list)", "NAME");
  add(group, "--recompute", flags.recompute, "auto, none, selective or full [auto]", "MODE");
  add(group, "--finetune", flags.finetune, "full, lora or qlora [full]", "MODE");
  add(group, "--lora-rank", flags.lora_rank, "Rank of the adapters [16]", "N");
  add(group, "--framework", flags.framework, "megatron-core, megatron-deepspeed, fsdp, torchtitan, ddp, …", "NAME");
  add(group, "--attention", flags.attention, "flash or eager [flash]", "KIND");

  group = "Layout (what is given is fixed, the rest is searched)";
  add(group, "--tp", flags.tensor_parallel, "Tensor parallel degree", "N");
  add(group, "--pp", flags.pipeline_parallel, "Pipeline parallel degree", "N");
  add(group, "--vpp", flags.virtual_pipeline, "Virtual pipeline: chunks per stage", "N");
  add(group, "--dp", flags.data_parallel, "Data parallel degree", "N");
  add(group, "--cp", flags.context_parallel, "Context parallel degree", "N");
  add(group, "--ep", flags.expert_parallel, "Expert parallel degree", "N");
  add(group, "--sequence-parallel", flags.sequence_parallel, "Sequence parallelism", "BOOL");
  add(group, "--micro-batch", flags.micro_batch, "Samples per micro-batch", "N");
  add(group, "--zero", flags.zero_stage, "ZeRO stage, 0 to 3", "N");
  add(group, "--shard-group", flags.shard_group, "ZeRO-3: replicas that share one copy of the states [all]", "N");

  group = "Speed";
  CLI::Option* hfu = add(group, "--utilization", flags.utilization,
                         "Reached fraction of the dense peak, recomputation included: 0.45, 45%", "R");
  add(group, "--mfu", flags.mfu, "The same without recomputation", "R")->excludes(hfu);
}

void AddInferenceFlags(CLI::App& command, EstimateFlags& flags) {
  const auto add = [&command](const char* name, std::string& value, const char* text, const char* type) {
    AddFlag(command, name, value, text, type)->group("Inference");
  };
  add("--mode", flags.mode, "training or inference: tokens a second and memory of a model that is served [training]",
      "MODE");
  add("--prompt-len", flags.prompt_len, "Tokens of a prompt [1024]", "N");
  add("--output-len", flags.output_len, "Tokens of an output [256]", "N");
  add("--batch", flags.batch, "Sequences decoded together [1]", "N");
  add("--kv-precision", flags.kv_precision, "Of cached keys and values: bf16, fp8, … [bf16]", "NAME");
}

absl::StatusOr<v1::EstimateRequest> BuildEstimateRequest(const EstimateFlags& flags, std::istream& standard_input) {
  v1::EstimateRequest request;
  RETURN_IF_ERROR(FillFlag(
      "--model", flags.model, [&](const std::string& text) { return ReadModelArgument(text, standard_input); },
      [&](v1::Model model) { *request.mutable_model() = std::move(model); }));
  request.mutable_model()->set_assume_architecture(flags.assume_architecture);
  RETURN_IF_ERROR(FillDataSet(flags, *request.mutable_data_set()));
  RETURN_IF_ERROR(FillTraining(flags, *request.mutable_training()));
  RETURN_IF_ERROR(FillLayout(flags, *request.mutable_layout()));
  RETURN_IF_ERROR(FillResources(flags, *request.mutable_resources()));
  RETURN_IF_ERROR(FillInference(flags, request));
  RETURN_IF_ERROR(FillFlag("--goal", flags.goal, OneOf(kGoals), [&](auto value) { request.set_goal(value); }));
  RETURN_IF_ERROR(FillFlag("--utilization", flags.utilization, ParseRatio,
                           [&](double value) { request.mutable_utilization()->set_hardware_flops_ratio(value); }));
  RETURN_IF_ERROR(FillFlag("--mfu", flags.mfu, ParseRatio,
                           [&](double value) { request.mutable_utilization()->set_model_flops_ratio(value); }));
  return request;
}

}  // namespace planner::plannerctl
