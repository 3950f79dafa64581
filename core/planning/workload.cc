#include "core/planning/workload.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/batch_sizes.h"
#include "core/perf/counted_time.h"
#include "core/planning/framework.h"
#include "fmt/format.h"

namespace planner::planning {
namespace {

double ToDouble(int64_t value) { return static_cast<double>(value); }

absl::Status CheckPositive(const std::optional<int64_t>& value, const char* field, int64_t most) {
  if (!value || (*value >= 1 && *value <= most)) return absl::OkStatus();
  return base::InvalidField(field, fmt::format("must be from 1 to {}: value={}", most, *value));
}

absl::Status CheckPositive(const std::optional<double>& value, const char* field, double most) {
  if (!value || (*value > 0 && *value <= most)) return absl::OkStatus();
  return base::InvalidField(field, fmt::format("must be above 0 and at most {}: value={}", most, *value));
}

absl::Status CheckLayout(const parallel::LayoutConstraints& layout) {
  constexpr int64_t kMostDegree = 1 << 20;
  RETURN_IF_ERROR(CheckPositive(layout.data_parallel, "layout.data_parallel", kMostDegree));
  RETURN_IF_ERROR(CheckPositive(layout.tensor_parallel, "layout.tensor_parallel", kMostDegree));
  RETURN_IF_ERROR(CheckPositive(layout.pipeline_parallel, "layout.pipeline_parallel", kMostDegree));
  RETURN_IF_ERROR(CheckPositive(layout.virtual_pipeline, "layout.virtual_pipeline", kMostDegree));
  RETURN_IF_ERROR(CheckPositive(layout.context_parallel, "layout.context_parallel", kMostDegree));
  RETURN_IF_ERROR(CheckPositive(layout.expert_parallel, "layout.expert_parallel", kMostDegree));
  RETURN_IF_ERROR(CheckPositive(layout.micro_batch_size, "layout.micro_batch_size", kMostDegree));
  if (layout.shard_group) {
    RETURN_IF_ERROR(CheckPositive(layout.shard_group, "layout.shard_group", kMostDegree));
    if (layout.zero_stage.value_or(3) != 3) {
      return base::InvalidField("layout.shard_group", fmt::format("needs ZeRO stage 3: zero_stage={}", *layout.zero_stage));
    }
  }
  if (layout.zero_stage && (*layout.zero_stage < 0 || *layout.zero_stage > 3)) {
    return base::InvalidField("layout.zero_stage", fmt::format("must be from 0 to 3: value={}", *layout.zero_stage));
  }
  return absl::OkStatus();
}

/// Adapters A (in x r) and B (r x out) on every projection of attention and the dense or shared feed-forward layers;
/// routed experts get none.
double AdapterParameters(const model::TransformerShape& shape, double rank) {
  const double hidden = ToDouble(shape.hidden);
  const double q = ToDouble(shape.heads) * ToDouble(shape.qk_dim);
  const double k = ToDouble(shape.kv_heads) * ToDouble(shape.qk_dim);
  const double v = ToDouble(shape.kv_heads) * ToDouble(shape.v_dim);
  const double o = ToDouble(shape.heads) * ToDouble(shape.v_dim);
  const double attention = (hidden + q) + (hidden + k) + (hidden + v) + (o + hidden);
  const double matrices = shape.gated ? 3 : 2;
  const double dense = matrices * (hidden + ToDouble(shape.ffn));
  const double shared = shape.shared_expert_ffn > 0 ? matrices * (hidden + ToDouble(shape.shared_expert_ffn)) : 0;
  return rank * (ToDouble(shape.layers) * attention + ToDouble(shape.layers - shape.moe_layers) * dense +
                 ToDouble(shape.moe_layers) * shared);
}

/// A frozen module's weights have become constants: no gradients, no optimizer states, no backward pass are counted of it.
absl::Status NothingToTrain() {
  return base::InvalidField(
      "model",
      "has no parameters that could be trained: the weights of a frozen module are constants; export "
      "it unfrozen, without torch.jit.freeze",
      "NO_PARAMETERS");
}

/// Positions of a transformer that is not asked for a sequence length (ViT: its patches), from its counted attention:
/// layers x s^2 x heads x (q + v) MACs. ViT-B/16: 12 x 197^2 x 12 x 128 MACs -> 197.
double PositionsFromAttention(const model::TransformerShape& shape, int64_t attention_macs) {
  const double per_pair =
      ToDouble(shape.layers) * ToDouble(shape.heads) * (ToDouble(shape.qk_dim) + ToDouble(shape.v_dim));
  return per_pair > 0 ? std::max(1.0, std::round(std::sqrt(ToDouble(attention_macs) / per_pair))) : 1;
}

/// The data set, in samples; what does not apply to the model is a warning.
void ApplyDataSet(const JobSpec& job, Workload& work) {
  if (job.sample_count) {
    work.samples = *job.sample_count * job.epoch_count;
  } else if (job.token_count && work.tokens_per_sample > 0) {
    work.samples = *job.token_count * job.epoch_count / work.tokens_per_sample;
  } else if (job.token_count) {
    work.warnings.push_back("data_set.token_count is ignored: the model has no sequences; give data_set.sample_count");
  }
}

void ApplyBatch(const JobSpec& job, Workload& work) {
  if (job.global_batch) {
    work.space.global_batch = *job.global_batch;
    return;
  }
  work.space.batch_is_default = true;
  if (job.finetune != Finetune::kFull) {
    work.space.global_batch = kDefaultAdapterBatch;
  } else if (work.tokens_per_sample > 0) {
    const auto tokens_per_sample = static_cast<int64_t>(work.tokens_per_sample);
    work.space.global_batch = std::max<int64_t>(1, DefaultBatchTokens(ToDouble(work.parameters)) / tokens_per_sample);
  } else {
    work.space.global_batch = kDefaultBatchSamples;
  }
  if (work.samples > 0 && work.samples < ToDouble(work.space.global_batch)) {
    work.space.global_batch = std::max<int64_t>(1, static_cast<int64_t>(work.samples));
    work.explanation.emplace_back("The default batch is the whole data set, which is smaller than the batch of such models.");
  }
}

/// The job as the step-time model takes it.
void SetStepJob(const JobSpec& job, Workload& work) {
  const parallel::MemoryInputs& memory = work.memory;
  perf::StepJob& step = work.step_job.emplace();
  step.shape = *memory.shape;
  step.positions = memory.positions;
  step.recipe = memory.recipe;
  step.flash_attention = memory.flash_attention;
  // Masked language models have a loss at some positions only, others at all or none.
  constexpr double kMaskedShare = 0.15;
  step.logit_share = memory.has_logits ? 1 : memory.shape->causal ? 0 : kMaskedShare;
  if (memory.shape->vocab == 0) step.logit_share = 0;
  step.frozen_base = memory.frozen_base;
  step.frozen_bytes = memory.frozen_bytes;
  step.adapter_parameters = memory.adapter_parameters;
  work.framework = job.framework;
  // A bare encoder is counted without the head that pretraining adds.
  perf::StepJob counted = step;
  if (!memory.has_logits) counted.logit_share = 0;
  double told = perf::ForwardFlops(counted);
  if (const model::TransformerShape& shape = step.shape; shape.window > 0) {
    // What a window hides is missing from the attention alone, whose own term knows of it: the products take no less time.
    const double all_pairs =
        2 * step.positions * step.positions * ToDouble(shape.heads) * ToDouble(shape.qk_dim + shape.v_dim);
    told -= std::max(0.0, ToDouble(shape.layers) * all_pairs - work.flops.attention_forward);
  }
  constexpr double kSame = 0.02;
  if (told > 0 && work.flops.forward > 0 && std::abs(work.flops.forward / told - 1) > kSame) {
    work.step_scale = work.flops.forward / told;
  }
}

absl::Status ApplyFinetune(const JobSpec& job, Workload& work) {
  if (job.finetune == Finetune::kFull) {
    if (job.lora_rank) work.warnings.push_back("training.lora_rank is ignored: training.finetune is neither lora nor qlora");
    return absl::OkStatus();
  }
  const int64_t rank = job.lora_rank.value_or(kDefaultLoraRank);
  if (!work.memory.shape) {
    return base::InvalidField("training.finetune",
                              "adapters need a transformer: the model has no projections that they are known to go on");
  }
  parallel::MemoryInputs& memory = work.memory;
  memory.frozen_base = true;
  memory.adapter_parameters = AdapterParameters(*memory.shape, ToDouble(rank));
  const bool four_bits = job.finetune == Finetune::kQlora;
  work.adapter_rank = rank;
  work.base_in_4_bits = four_bits;
  // Trained adapters are kept like any weights; frozen ones need the type that they are computed in, or 4 bits.
  memory.frozen_bytes = four_bits ? (*hardware::FindPrecision("nf4"))->element_bytes : memory.activation_bytes;
  work.flops = perf::WithFrozenBase(work.flops, 2 * memory.adapter_parameters * memory.positions);
  work.explanation.push_back(
      fmt::format("{}: {:.4g} trained parameters (rank {}) on frozen weights of {:.4g} bytes; the base needs no "
                  "weight gradients, which halves its backward pass but for the attention's cores.",
                  four_bits ? "QLoRA" : "LoRA", memory.adapter_parameters, rank, memory.frozen_bytes));
  return absl::OkStatus();
}

}  // namespace

double Workload::HardwareFlops(parallel::Recompute recompute) const {
  switch (recompute) {
    case parallel::Recompute::kFull:
      return flops.model() + flops.block_forward;
    case parallel::Recompute::kSelective:
      return flops.model() + flops.attention_forward;
    case parallel::Recompute::kNone:
      break;
  }
  return flops.model();
}

int64_t DefaultBatchTokens(double parameters) {
  if (parameters < 1e9) return int64_t{1} << 19;
  if (parameters < 3e9) return int64_t{1} << 20;
  if (parameters < 10e9) return int64_t{1} << 21;
  return int64_t{1} << 22;
}

absl::Status CheckJob(const JobSpec& job) {
  if (job.model.expand == nullptr && job.model.kind != model::ModelKind::kModule) return base::InvalidField("model", "is missing");
  if (job.token_count && job.sample_count)
    return base::InvalidField("data_set", "takes token_count or sample_count, not both");
  RETURN_IF_ERROR(CheckPositive(job.token_count, "data_set.token_count", 1e18));
  RETURN_IF_ERROR(CheckPositive(job.sample_count, "data_set.sample_count", 1e18));
  RETURN_IF_ERROR(CheckPositive(std::optional(job.epoch_count), "data_set.epoch_count", 1e6));
  RETURN_IF_ERROR(CheckPositive(job.seq_len, "data_set.seq_len", int64_t{1} << 31));
  RETURN_IF_ERROR(CheckPositive(job.global_batch, "training.global_batch", int64_t{1} << 31));
  RETURN_IF_ERROR(CheckPositive(job.lora_rank, "training.lora_rank", 65536));
  RETURN_IF_ERROR(CheckPositive(job.min_gpus, "resources.min_gpus", 1000000));
  RETURN_IF_ERROR(CheckPositive(job.max_gpus, "resources.max_gpus", 1000000));
  if (job.min_gpus && job.max_gpus && *job.min_gpus > *job.max_gpus) {
    return base::InvalidField("resources.min_gpus", fmt::format("is more than max_gpus: min_gpus={} max_gpus={}",
                                                                *job.min_gpus, *job.max_gpus));
  }
  RETURN_IF_ERROR(CheckPositive(job.budget, "resources.budget", 1e18));
  RETURN_IF_ERROR(CheckPositive(job.hardware_flops_ratio, "utilization.hardware_flops_ratio", 1.0));
  RETURN_IF_ERROR(CheckPositive(job.model_flops_ratio, "utilization.model_flops_ratio", 1.0));
  if (job.hardware_flops_ratio && job.model_flops_ratio) {
    return base::InvalidField("utilization", "takes hardware_flops_ratio or model_flops_ratio, not both");
  }
  RETURN_IF_ERROR(CheckLayout(job.layout));
  return CheckFramework(job.framework, job.layout);
}

absl::StatusOr<Workload> MakeWorkload(const JobSpec& job, const counting::Counter& counter, absl::Time deadline,
                                      const base::Cancellation& cancelled) {
  RETURN_IF_ERROR(CheckJob(job));
  Workload work;

  const auto precision = hardware::FindPrecision(job.precision.empty() ? "bf16" : job.precision);
  if (!precision.ok()) return base::AtField("training", precision.status());
  const auto optimizer = hardware::FindOptimizer(job.optimizer.empty() ? "adam" : job.optimizer);
  if (!optimizer.ok()) return base::AtField("training", optimizer.status());
  const auto recipe = hardware::TrainingRecipe(**precision, **optimizer);
  if (!recipe.ok()) return base::AtField("training", recipe.status());
  work.precision = *precision;
  work.optimizer = *optimizer;

  // One sample: everything is linear in the batch.
  counting::CountRequest request{.model = job.model,
                                 .activation_element_bytes = static_cast<int>(work.precision->activation_bytes),
                                 .with_modules = false,
                                 .deadline = deadline,
                                 .cancelled = cancelled};
  const bool module = job.model.kind == model::ModelKind::kModule;
  double counted_samples = 1;
  model::BatchShape asked = {.seq_len = job.seq_len, .inputs = job.inputs};
  if (module && !job.inputs.empty()) asked.seq_len.reset();  // It says how many tokens a sample is.
  model::ApplicableShape applicable = model::LeaveOutIgnored(job.model, std::move(asked), "data_set.");
  request.batch = std::move(applicable.shape);
  if (module) request.batch.seq_len = job.seq_len;
  if (!module) {
    for (model::TensorInput& input : request.batch.inputs) {
      if (!input.sizes.empty()) input.sizes[0] = 1;
    }
  } else if (!job.inputs.empty() && !job.inputs[0].sizes.empty()) {
    request.batch.batch = std::max<int64_t>(1, job.inputs[0].sizes[0]);
    counted_samples = ToDouble(request.batch.batch);
  }
  ASSIGN_OR_RETURN(const counting::CostReport report, counter.Count(request));
  if (module && report.parameters == 0) return NothingToTrain();
  work.counter = report.counter;
  work.counter_version = report.counter_version;
  work.parameters = report.parameters;
  work.active_parameters = report.active_parameters;
  work.warnings = job.model.warnings;
  work.warnings.insert(work.warnings.end(), applicable.ignored.begin(), applicable.ignored.end());
  for (const std::string& warning : report.warnings) {
    if (std::find(work.warnings.begin(), work.warnings.end(), warning) == work.warnings.end())
      work.warnings.push_back(warning);
  }
  for (const counting::UncountedOperator& missing : report.uncounted_operators) {
    work.warnings.push_back(fmt::format("{} calls of {} are not counted", missing.call_count, missing.kind));
  }
  work.flops = perf::PerSample(report, counted_samples);
  if (!(work.flops.model() > 0)) work.warnings.push_back("the model has no matrix products: its time cannot be told");
  const std::optional<model::TransformerShape>& shape = job.model.transformer;
  for (const counting::OperatorCost& one : report.operators) work.operator_calls += ToDouble(one.call_count);
  if (!shape && report.accessed_bytes > 0) {
    work.sample_bytes = perf::AccessedBytesPerSample(report, counted_samples, work.precision->activation_bytes);
  }
  if (module) {
    work.tokens_per_sample = ToDouble(job.seq_len.value_or(0));
    work.explanation.push_back(fmt::format("Counted by {} {} on a batch of {}{}.", report.counter, report.counter_version,
                                           static_cast<int64_t>(counted_samples),
                                           report.cached ? ", remembered from an earlier count" : ""));
  }
  if (job.model.has_sequence) work.tokens_per_sample = ToDouble(model::PositionsPerSample(job.model, request.batch));
  ApplyDataSet(job, work);

  parallel::MemoryInputs& memory = work.memory;
  memory.shape = shape;
  memory.parameters = ToDouble(report.parameters);
  memory.embedding_parameters = ToDouble(report.parameters - report.non_embedding_parameters);
  memory.expert_parameters = ToDouble(report.expert_parameters);
  memory.recipe = *recipe;
  memory.activation_bytes = work.precision->activation_bytes;
  memory.positions = job.model.has_sequence ? work.tokens_per_sample
                     : shape                ? PositionsFromAttention(*shape, report.attention_forward.macs)
                                            : 1;
  memory.has_logits =
      job.model.kind == model::ModelKind::kDecoder || job.model.kind == model::ModelKind::kEncoderDecoder;
  memory.flash_attention = job.flash_attention;
  memory.habits = MemoryHabitsOf(job.framework);
  // Of tables of measured runs, which leave the driver's context out.
  memory.habits.context_bytes = std::max(memory.habits.context_bytes, parallel::MemoryHabits().context_bytes);
  memory.sample_activation_bytes = ToDouble(report.activation_bytes) / counted_samples;
  RETURN_IF_ERROR(ApplyFinetune(job, work));

  ApplyBatch(job, work);
  work.space.shape = shape;
  work.space.positions = static_cast<int64_t>(memory.positions);
  work.space.flash_attention = job.flash_attention;
  work.space.fixed = job.layout;
  ApplyFramework(job.framework, work.space.fixed, work.explanation, work.warnings);
  if (work.space.fixed.shard_group) work.space.fixed.zero_stage = 3;

  if (shape && !module) SetStepJob(job, work);
  work.ratio_is_given = job.hardware_flops_ratio.has_value() || job.model_flops_ratio.has_value();
  work.ratio_counts_recompute = !job.model_flops_ratio.has_value();
  work.ratio = job.hardware_flops_ratio.value_or(job.model_flops_ratio.value_or(0));
  if (job.hardware_flops_ratio && shape && !work.space.fixed.recompute && work.flops.block_forward > 0) {
    work.space.fixed.recompute = parallel::Recompute::kFull;
    work.recompute_is_assumed = true;
  }
  work.explanation.push_back(
      fmt::format("{}{}: {:g} bytes of weights, {:g} of gradients and {:g} of optimizer per trained parameter.",
                  work.precision->name, job.precision.empty() ? " (default)" : "", recipe->weight_bytes,
                  recipe->gradient_bytes, recipe->optimizer_bytes));
  return work;
}

}  // namespace planner::planning
