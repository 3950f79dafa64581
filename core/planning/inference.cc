#include "core/planning/inference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/hardware/precision.h"
#include "core/perf/machine.h"
#include "core/perf/step_constants.h"
#include "core/perf/step_time.h"
#include "core/planning/card_counts.h"
#include "core/planning/text.h"
#include "fmt/format.h"

namespace planner::planning {
namespace {

constexpr int kMostOptions = 4;  ///< Of one pool.
constexpr int64_t kChunkTokens = 8192;
/// Kernels of a prompt are launched one by one, not from a captured graph.
constexpr double kPromptKernelSeconds = 5e-6;
constexpr double kPromptKernelsOfBlock = 10;

double ToDouble(int64_t value) { return static_cast<double>(value); }

/// What is the same for every pool.
struct Served {
  const InferenceJob& job;
  const hardware::Precision* precision = nullptr;
  const hardware::Precision* cache_precision = nullptr;
  perf::ServedModel model;
  parallel::InferenceMemoryInputs memory;
  double active_parameters = 0;  ///< That a token is multiplied with.
  double prompt_flops = 0;
  double prompt_bytes = 0;  ///< Activations of one prompt.
};

/// An option is one tensor-parallel group; replicas of it are the caller's to multiply.
absl::Status CheckCards(const InferenceJob& job) {
  if (!job.tensor_parallel) return absl::OkStatus();
  const int64_t tensor = *job.tensor_parallel;
  const bool too_many = job.min_gpus && *job.min_gpus > tensor;
  if (!too_many && !(job.max_gpus && *job.max_gpus < tensor)) return absl::OkStatus();
  return base::InvalidField(
      "resources.min_gpus",
      fmt::format(
          "must be the same as layout.tensor_parallel, or left out: a served model is one group of that many cards, "
          "and replicas serve in proportion: gpus={} tensor_parallel={}",
          too_many ? *job.min_gpus : *job.max_gpus, tensor));
}

absl::Status CheckJob(const InferenceJob& job) {
  const model::ModelKind kind = job.model.kind;
  const bool decodes =
      (kind == model::ModelKind::kDecoder && job.model.transformer) || kind == model::ModelKind::kStateSpace;
  if (job.model.expand == nullptr || !decodes) {
    return base::InvalidField("inference", "is for decoders and state-space models, which write token by token");
  }
  if (job.tensor_parallel && *job.tensor_parallel < 1)
    return base::InvalidField("layout.tensor_parallel", "must be at least 1");
  return CheckCards(job);
}

/// The length that a counter refuses, or with which its counts overflow, is that of the prompt.
absl::Status NamePrompt(const absl::Status& status, int64_t prompt) {
  constexpr char kField[] = "inference.prompt_length";
  if (absl::IsOutOfRange(status)) {
    return base::InvalidField(kField, fmt::format("is too large for this model: {}: prompt_length={}", std::string(status.message()), prompt),
                              "COUNT_OVERFLOW");
  }
  const bool is_length = base::DetailOf(status).field.ends_with("seq_len");
  return is_length ? base::WithField(kField, status) : status;
}

absl::StatusOr<const hardware::Precision*> PrecisionOr16Bits(const std::string& name, const char* field) {
  const auto precision = hardware::FindPrecision(name.empty() ? "bf16" : name);
  if (!precision.ok()) return base::WithField(field, precision.status());
  return *precision;
}

absl::StatusOr<Served> Describe(const InferenceJob& job, const counting::CostReport& report) {
  Served served{.job = job};
  ASSIGN_OR_RETURN(served.precision, PrecisionOr16Bits(job.precision, "training.precision"));
  ASSIGN_OR_RETURN(served.cache_precision, PrecisionOr16Bits(job.cache_precision, "inference.cache_precision"));
  const double parameters = ToDouble(report.parameters);
  const double tables = ToDouble(report.parameters - report.non_embedding_parameters);
  const auto& shape = job.model.transformer;
  // A head is read for every token; a table onto the hidden size is only looked up in.
  const double head = shape ? std::min(tables, ToDouble(shape->vocab) * ToDouble(shape->hidden)) : tables;
  served.model.parameters = parameters - tables + head;
  served.model.expert_parameters = ToDouble(report.expert_parameters);
  served.model.bytes_per_parameter = served.precision->element_bytes;
  served.active_parameters = ToDouble(report.active_parameters) - tables + head;
  if (shape) {
    served.model.blocks = ToDouble(shape->layers);
    served.model.hidden = ToDouble(shape->hidden);
    served.model.experts = ToDouble(shape->experts);
    served.model.experts_per_token = ToDouble(shape->experts_per_token);
  } else {
    served.model.blocks = ToDouble(std::max<int64_t>(1, job.model.state.blocks));
  }
  served.memory = {.shape = shape,
                   .state = job.model.state,
                   .parameters = parameters,
                   .embedding_parameters = tables,
                   .weight_bytes = served.precision->element_bytes,
                   .cache_bytes = served.cache_precision->element_bytes};
  served.prompt_flops = 2 * ToDouble(report.forward.macs);
  served.prompt_bytes = ToDouble(report.activation_bytes);
  return served;
}

/// Seconds of the forward pass of some prompts at once, of which the last position alone has logits.
double PrefillSeconds(const Served& served, const perf::Machine& machine, int64_t tensor, int64_t prompts) {
  const perf::StepTimeConstants& constants = perf::BuiltInStepTimeConstants();
  const double launched = served.model.blocks * kPromptKernelsOfBlock * kPromptKernelSeconds;
  if (!served.memory.shape) {
    const double rate = machine.matmul * ToDouble(tensor);
    const double bytes = machine.memory * ToDouble(tensor);
    return std::max(launched, ToDouble(prompts) * (served.prompt_flops / rate + served.prompt_bytes / bytes));
  }
  perf::StepJob job;
  job.shape = *served.memory.shape;
  job.positions = ToDouble(served.job.prompt);
  job.logit_share = 1 / job.positions;
  job.framework = constants.Framework("megatron-core");
  job.framework.tensor_exposed = 1;  // There is no other product to hide an exchange behind.
  perf::Layout layout;
  layout.tensor_parallel = tensor;
  layout.micro_batch_size = prompts;
  layout.expert_parallel = std::max<int64_t>(1, std::min(tensor, job.shape.experts));
  layout.sequence_parallel = false;
  const perf::MicroBatchTime time = perf::EstimateMicroBatch(job, machine, constants.shared, layout);
  const double seconds = served.model.blocks * time.block.forward.total() + time.head.forward.total();
  return std::max(launched, seconds);
}

std::string_view LimitOf(const perf::DecodeTime& time) {
  const std::array<std::pair<std::string_view, double>, 4> parts = {{{"memory bandwidth", time.weights + time.cache},
                                                                     {"compute", time.compute},
                                                                     {"launch", time.launch},
                                                                     {"tensor parallel", time.tensor}}};
  return std::max_element(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

/// One pool: what fits on how many cards, and how fast.
class PoolOptions {
 public:
  PoolOptions(const Served& served, const cluster::Pool& pool, const perf::Machine& machine)
      : served_(served), pool_(pool), machine_(machine) {}

  /// The smallest numbers of cards that fit; where none does, why.
  std::vector<InferenceOption> Options(std::string* reason) const {
    std::vector<InferenceOption> options;
    int64_t largest = 0;
    for (int64_t tensor = First(); tensor <= Most() && options.size() < kMostOptions; tensor *= 2) {
      if (!Divides(tensor)) continue;
      largest = tensor;
      if (Memory(tensor, served_.job.batch).total() <= ToDouble(pool_.gpu.memory_bytes))
        options.push_back(Option(tensor));
      if (served_.job.tensor_parallel) break;
    }
    if (options.empty()) *reason = Reason(largest);
    return options;
  }

 private:
  int64_t First() const {
    if (served_.job.tensor_parallel) return *served_.job.tensor_parallel;
    int64_t first = 1;
    while (first < served_.job.min_gpus.value_or(1)) first *= 2;
    return first;
  }
  /// Cards that the fast link joins: tensor parallelism stays within.
  int64_t Joined() const {
    const bool leaves_the_node = pool_.gpu.scale_up_domain > pool_.gpu.gpus_per_node;
    int64_t most = leaves_the_node ? pool_.gpu.scale_up_domain : std::max(1, pool_.gpus_per_node);
    if (pool_.node_count) most = std::min(most, *pool_.node_count * pool_.gpus_per_node);
    return most;
  }
  int64_t Most() const { return std::min(Joined(), served_.job.max_gpus.value_or(Joined())); }
  bool Divides(int64_t tensor) const { return !served_.memory.shape || served_.memory.shape->heads % tensor == 0; }

  parallel::InferenceMemory Memory(int64_t tensor, int64_t batch) const {
    return parallel::MemoryOfServing(served_.memory, tensor, ToDouble(batch), ToDouble(served_.job.prompt),
                                     ToDouble(served_.job.output));
  }

  std::string Reason(int64_t largest) const {
    const int64_t asked = served_.job.tensor_parallel.value_or(served_.job.min_gpus.value_or(1));
    if (asked > Joined()) {
      return fmt::format("{}: a served model is on cards that the fast link joins, here at most {}: {} are asked for",
                         pool_.gpu.name, Joined(), asked);
    }
    if (largest == 0 && served_.job.tensor_parallel) {
      return fmt::format("{}: {} cards cannot share {} heads", pool_.gpu.name, asked, served_.memory.shape->heads);
    }
    if (largest == 0) {
      return fmt::format("{}: no power of two from {} to {} cards divides the model's heads", pool_.gpu.name, asked,
                         Most());
    }
    return fmt::format("{} x {}: needs {} per card, has {}, for {} of {} tokens", pool_.gpu.name, largest,
                       Gib(Memory(largest, served_.job.batch).total()), Gib(ToDouble(pool_.gpu.memory_bytes)),
                       served_.job.batch == 1 ? "a sequence" : fmt::format("{} sequences", served_.job.batch),
                       served_.job.prompt + served_.job.output);
  }

  perf::DecodeTime Decode(int64_t tensor, int64_t batch) const {
    // In the middle of the output.
    const double tokens = ToDouble(served_.job.prompt) + ToDouble(served_.job.output) / 2;
    const double cached = parallel::CacheBytes(served_.memory, tokens) + parallel::RecurrentBytes(served_.memory);
    return perf::DecodeSeconds(served_.model, served_.active_parameters,
                               cached * parallel::CacheShare(served_.memory, tensor), ToDouble(batch), ToDouble(tensor),
                               pool_.gpu.memory_bandwidth, machine_);
  }
  /// Prompts are read together, as many as the chunk that activations are kept of has room for.
  double Throughput(int64_t tensor, int64_t batch, const perf::DecodeTime& decode) const {
    const double output = ToDouble(served_.job.output);
    const int64_t together = std::clamp<int64_t>(kChunkTokens / served_.job.prompt, 1, batch);
    const double prefill = PrefillSeconds(served_, machine_, tensor, together) / ToDouble(together);
    return ToDouble(batch) * output / (ToDouble(batch) * prefill + output * decode.total());
  }

  InferenceOption Option(int64_t tensor) const {
    InferenceOption option;
    const InferenceJob& job = served_.job;
    option.gpu_type = pool_.gpu.name;
    option.cluster = pool_.cluster;
    option.node_pool = pool_.name;
    option.gpu_count = tensor;
    option.memory = Memory(tensor, job.batch);
    option.capacity_bytes = pool_.gpu.memory_bytes;
    const double tokens = ToDouble(job.prompt + job.output);
    option.cache_bytes_per_token = parallel::CacheBytes(served_.memory, tokens) / tokens;
    option.state_bytes_per_sequence = parallel::RecurrentBytes(served_.memory);
    option.batch = job.batch;
    option.max_batch = parallel::MostSequences(served_.memory, tensor, ToDouble(job.prompt), ToDouble(job.output),
                                               ToDouble(pool_.gpu.memory_bytes));
    option.prefill_seconds = PrefillSeconds(served_, machine_, tensor, 1);
    option.decode = Decode(tensor, job.batch);
    option.tokens_per_second = Throughput(tensor, job.batch, option.decode);
    option.max_batch_decode = Decode(tensor, option.max_batch);
    option.max_batch_tokens_per_second = Throughput(tensor, option.max_batch, option.max_batch_decode);
    option.limited_by = LimitOf(option.decode);
    if (pool_.price_per_gpu_hour) {
      option.currency = pool_.currency;
      option.cost_per_million_tokens =
          *pool_.price_per_gpu_hour * ToDouble(tensor) / 3600 / option.max_batch_tokens_per_second * 1e6;
    }
    Explain(option);
    return option;
  }

  void Explain(InferenceOption& option) const {
    const parallel::InferenceMemory& memory = option.memory;
    option.explanation.push_back(
        fmt::format("Memory {} of {}: weights {} ({:g} {} each in {}, tables in at least 16 bits), cache {}, "
                    "activations {}, overhead {}.",
                    Gib(memory.total()), Gib(ToDouble(option.capacity_bytes)), Gib(memory.weights),
                    served_.precision->element_bytes, served_.precision->element_bytes == 1 ? "byte" : "bytes",
                    served_.precision->name, Gib(memory.cache), Gib(memory.activations), Gib(memory.overhead)));
    if (option.cache_bytes_per_token > 0) {
      const double share = parallel::CacheShare(served_.memory, option.gpu_count);
      option.explanation.push_back(fmt::format("Cache: {:.6g} bytes a token in {}; each card holds {} of it.",
                                               option.cache_bytes_per_token, served_.cache_precision->name,
                                               share < 1 ? fmt::format("{:.3g} %", share * 100) : "all"));
    }
    option.explanation.push_back(fmt::format("Prefill: the forward pass of the step-time model, {:.4g} FLOPs in {}.",
                                             served_.prompt_flops, Duration(option.prefill_seconds)));
    std::string terms;
    for (const perf::DecodeTerm& term : perf::DecodeTerms()) {
      if (!(option.decode.*term.seconds > 0)) continue;
      terms += fmt::format("{}{} {:.3g} ms", terms.empty() ? "" : ", ", term.name, option.decode.*term.seconds * 1e3);
    }
    if (!(option.decode.compute > 0)) terms += "; the products take no longer than reading their weights";
    option.explanation.push_back(fmt::format("Decode step of {}: {}; 85 % of {:.4g} GB/s.", option.batch, terms,
                                             pool_.gpu.memory_bandwidth / 1e9));
    option.explanation.emplace_back(
        "First version: one tensor-parallel group, prompts and outputs one after the other, no speculation, no prefix "
        "cache. How far published runs are off stands in tests/accuracy/README.md.");
  }

  const Served& served_;
  const cluster::Pool& pool_;
  const perf::Machine& machine_;
};

}  // namespace

absl::StatusOr<InferencePlan> PlanInference(const InferenceJob& job, const counting::Counter& counter,
                                            const cluster::Snapshot& snapshot, absl::Time deadline,
                                            const base::Cancellation& cancelled) {
  RETURN_IF_ERROR(CheckJob(job));
  counting::CountRequest request{.model = job.model,
                                 .batch = {.batch = 1, .seq_len = job.prompt},
                                 .mode = counting::Mode::kInference,
                                 .with_modules = false,
                                 .deadline = deadline,
                                 .cancelled = cancelled};
  const absl::StatusOr<counting::CostReport> counted = counter.Count(request);
  RETURN_IF_ERROR(NamePrompt(counted.status(), job.prompt));
  const counting::CostReport& report = *counted;
  ASSIGN_OR_RETURN(const Served served, Describe(job, report));

  InferencePlan plan;
  plan.prompt_flops = served.prompt_flops;
  plan.parameters = report.parameters;
  plan.active_parameters = report.active_parameters;
  plan.counter = report.counter;
  plan.counter_version = report.counter_version;
  plan.warnings = job.model.warnings;
  plan.snapshot_time = snapshot.time;
  plan.snapshot_sources = snapshot.sources;
  if (job.model.max_seq_len > 0 && job.prompt + job.output > job.model.max_seq_len) {
    plan.warnings.push_back(
        fmt::format("inference.prompt_length + inference.output_length is {} tokens, the model was made for {}",
                    job.prompt + job.output, job.model.max_seq_len));
  }
  if (snapshot.pools.empty()) plan.infeasible_reasons.emplace_back("the inventory has no pool of such cards");
  // Weights that are only stored narrow are expanded and multiplied in 16 bits.
  ASSIGN_OR_RETURN(const hardware::Precision* computed,
                   PrecisionOr16Bits(served.precision->peaks.empty() ? "" : job.precision, "training.precision"));
  for (const cluster::Pool& pool : snapshot.pools) {
    const auto machine = perf::MakeMachine(pool.gpu, *computed, perf::BuiltInStepTimeConstants());
    if (!machine.ok()) {
      plan.infeasible_reasons.emplace_back(machine.status().message());
      continue;
    }
    std::string reason;
    for (InferenceOption& option : PoolOptions(served, pool, *machine).Options(&reason))
      plan.options.push_back(std::move(option));
    if (!reason.empty()) {
      plan.infeasible_reasons.push_back(std::move(reason));
      continue;
    }
    const auto peak = hardware::PeakFor(pool.gpu, *computed);
    if (peak.ok() && !peak->warning.empty() &&
        std::find(plan.warnings.begin(), plan.warnings.end(), peak->warning) == plan.warnings.end()) {
      plan.warnings.push_back(peak->warning);
    }
  }
  return plan;
}

}  // namespace planner::planning
