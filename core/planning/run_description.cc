#include "core/planning/run_description.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/planning/framework.h"
#include "core/planning/goodput.h"
#include "fmt/format.h"

namespace planner::planning {
namespace {

using model::TransformerShape;

constexpr double kUnknownGpus = 1024;
constexpr double kUnknownBatchTokens = 4e6;
constexpr double kUnknownPositions = 2048;
constexpr double kMicroBatchTokens = 8192;
constexpr double kMostSize = 1e12;

int64_t Size(double value) { return static_cast<int64_t>(std::clamp(std::round(value), 0.0, kMostSize)); }
int64_t SizeOr(const std::optional<double>& value, int64_t fallback) {
  return value && *value >= 1 ? Size(*value) : fallback;
}
double ToDouble(int64_t value) { return static_cast<double>(value); }

/// Letters and digits, lower case: "Qwen3_30B_a3B" and "qwen3-30b-a3b" are one.
std::string Folded(std::string_view name) {
  std::string folded;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0)
      folded += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return folded;
}

bool Agrees(const std::optional<double>& given, int64_t known) { return !given || Size(*given) == known; }

/// Vocabularies are padded to a multiple of a power of two: 50,257 to 50,304 or 51,200.
bool VocabularyAgrees(const std::optional<double>& given, int64_t known) {
  if (!given) return true;
  for (int64_t multiple = 1; multiple <= 2048; multiple *= 2) {
    if (Size(*given) == (known + multiple - 1) / multiple * multiple) return true;
  }
  return false;
}

/// The known model of these sizes; of several, one with as many layers, then a causal one, then the first.
const KnownModel* FindBySizes(const MeasuredRun& run, const std::vector<KnownModel>& models) {
  const KnownModel* best = nullptr;
  for (const KnownModel& model : models) {
    const TransformerShape& shape = model.shape;
    const bool same =
        Agrees(run.hidden, shape.hidden) && Agrees(run.heads, shape.heads) && run.heads &&
        Size(run.moe_experts.value_or(0)) == shape.experts && VocabularyAgrees(run.vocab, shape.vocab) &&
        (Agrees(run.ffn_hidden, shape.ffn) || (shape.experts > 0 && Agrees(run.ffn_hidden, shape.expert_ffn)));
    if (!same) continue;
    const auto rank = [&](const TransformerShape& s) { return 2 * Agrees(run.layers, s.layers) + s.causal; };
    if (best == nullptr || rank(shape) > rank(best->shape)) best = &model;
  }
  return best;
}

const KnownModel* FindByName(const MeasuredRun& run, const std::vector<KnownModel>& models) {
  const std::string name = Folded(run.model);
  for (const KnownModel& model : models) {
    if (!name.empty() && Folded(model.name) == name) return &model;
  }
  return nullptr;
}

bool SizesAreGiven(const MeasuredRun& run) { return run.layers.value_or(0) >= 1 && run.hidden.value_or(0) >= 1; }

/// The model that the row may be looked up in; null: none.
const KnownModel* FindKnown(const MeasuredRun& run, const std::vector<KnownModel>& models) {
  return SizesAreGiven(run) ? FindBySizes(run, models) : FindByName(run, models);
}

/// Blank heads: as wide as divides the hidden size and comes closest to 128, in a number that tensor parallelism divides.
/// 14,400 on 8 cards: 120 heads of 120.
int64_t DefaultHeads(int64_t hidden, int64_t tensor) {
  constexpr int64_t kWidth = 128;
  for (int64_t off = 0; off < kWidth; ++off) {
    for (const int64_t width : {kWidth + off, kWidth - off}) {
      if (hidden % width == 0 && (hidden / width) % tensor == 0) return hidden / width;
    }
  }
  return std::max<int64_t>(1, hidden / kWidth);
}

absl::StatusOr<TransformerShape> ShapeOf(const MeasuredRun& run, const KnownModel* known_model) {
  const TransformerShape* known = known_model == nullptr ? nullptr : &known_model->shape;
  if (!SizesAreGiven(run)) {
    if (known == nullptr)
      return base::InvalidField(
          "model", fmt::format("layers and hidden size are blank, and no model is named \"{}\"", run.model));
    return *known;
  }
  TransformerShape shape;
  shape.layers = Size(*run.layers);
  shape.hidden = Size(*run.hidden);
  shape.heads = SizeOr(run.heads, DefaultHeads(shape.hidden, SizeOr(run.tensor_parallel, 1)));
  shape.kv_heads = SizeOr(run.kv_heads, shape.heads);
  shape.qk_dim = shape.v_dim = std::max<int64_t>(1, shape.hidden / shape.heads);
  shape.gated = run.gated_mlp.value_or(false);
  shape.ffn = SizeOr(run.ffn_hidden, 4 * shape.hidden);
  shape.vocab = run.vocab ? Size(*run.vocab) : 50304;
  shape.tied_embeddings = !shape.gated;
  shape.experts = SizeOr(run.moe_experts, 0);
  if (shape.experts > 0) {
    shape.experts_per_token = SizeOr(run.moe_topk, 1);
    shape.expert_ffn = shape.ffn;
    shape.moe_layers = shape.layers;
  }
  if (known != nullptr) {
    shape.qk_dim = known->qk_dim;
    shape.v_dim = known->v_dim;
    shape.attention_projection = known->attention_projection;
    shape.tied_embeddings = known->tied_embeddings;
    shape.causal = known->causal;
    shape.window = known->window;
    if (shape.experts > 0) {
      shape.ffn = known->ffn;
      shape.expert_ffn = known->expert_ffn;
      shape.shared_expert_ffn = known->shared_expert_ffn;
      // A truncated model keeps its share of dense blocks, one at least.
      const int64_t dense = known->layers - known->moe_layers;
      shape.moe_layers =
          std::max<int64_t>(1, shape.layers - (dense * shape.layers + known->layers - 1) / known->layers);
    }
  }
  return shape;
}

/// "bf16+int4" is computed in bf16 on weights of 4 bits.
struct PrecisionWords {
  std::string computed;
  double frozen_bytes = 0;  ///< 0: as computed.
};

absl::StatusOr<PrecisionWords> SplitPrecision(const std::string& text) {
  PrecisionWords words;
  const size_t plus = text.find('+');
  words.computed = text.substr(0, plus);
  if (words.computed == "pure-bf16") words.computed = "bf16-pure";
  if (words.computed.empty()) words.computed = "bf16";
  if (plus != std::string::npos) {
    ASSIGN_OR_RETURN(const hardware::Precision* stored, hardware::FindPrecision(text.substr(plus + 1)));
    words.frozen_bytes = stored->element_bytes;
  }
  return words;
}

/// A blank cell is unknown; one that is filled in has to be a number of cards.
absl::Status CheckCards(const MeasuredRun& run) {
  if (!run.gpus || (*run.gpus >= 1 && std::floor(*run.gpus) == *run.gpus)) return absl::OkStatus();
  return base::InvalidField(
      "n_gpus", fmt::format("must be a whole number from 1, or blank where it is unknown: value={:g}", *run.gpus));
}

/// Nothing below multiplies beyond 64 bits with these.
absl::Status CheckSizes(const MeasuredRun& run) {
  struct Limit {
    const char* column;
    const std::optional<double>& value;
    double most;
  };
  constexpr double kMostDegree = 1 << 20;
  for (const Limit& limit : {Limit{"n_layers", run.layers, 1e5},
                             Limit{"hidden", run.hidden, 1e6},
                             Limit{"ffn_hidden", run.ffn_hidden, 1e7},
                             Limit{"heads", run.heads, 1e5},
                             Limit{"kv_heads", run.kv_heads, 1e5},
                             Limit{"vocab", run.vocab, 1e8},
                             Limit{"seq_len", run.seq_len, 1e9},
                             Limit{"moe_experts", run.moe_experts, 1e5},
                             Limit{"moe_topk", run.moe_topk, 1e5},
                             Limit{"n_gpus", run.gpus, 1e8},
                             Limit{"tp", run.tensor_parallel, kMostDegree},
                             Limit{"pp", run.pipeline_parallel, kMostDegree},
                             Limit{"dp", run.data_parallel, 1e8},
                             Limit{"cp", run.context_parallel, kMostDegree},
                             Limit{"ep", run.expert_parallel, kMostDegree},
                             Limit{"etp", run.expert_tensor_parallel, kMostDegree},
                             Limit{"vpp", run.virtual_pipeline, kMostDegree},
                             Limit{"shard_group", run.shard_group, kMostDegree},
                             Limit{"microbatch", run.micro_batch, 1e9},
                             Limit{"global_batch", run.global_batch, 1e12},
                             Limit{"node_size", run.node_size, 1e6},
                             Limit{"nic_gbps_per_gpu", run.nic_gbps_per_gpu, 1e6}}) {
    if (limit.value.value_or(0) > limit.most) {
      return base::InvalidField(limit.column,
                                fmt::format("must be at most {:g}: value={:g}", limit.most, *limit.value));
    }
  }
  const double degrees = std::max(1.0, run.tensor_parallel.value_or(1)) *
                         std::max(1.0, run.pipeline_parallel.value_or(1)) *
                         std::max(1.0, run.context_parallel.value_or(1)) * std::max(1.0, run.data_parallel.value_or(1));
  constexpr double kMostCards = 1e8;
  if (degrees > kMostCards)
    return base::InvalidField("n_gpus", fmt::format("degrees make up too many cards: {:g}", degrees));
  return absl::OkStatus();
}

bool ShardsByData(std::string_view framework) {
  return framework == "fsdp" || framework == "torchtitan" || framework == "jax";
}

absl::StatusOr<perf::Layout> LayoutOf(const MeasuredRun& run, int64_t batch) {
  perf::Layout layout;
  layout.pipeline_parallel = SizeOr(run.pipeline_parallel, 1);
  layout.context_parallel = SizeOr(run.context_parallel, 1);
  layout.expert_parallel = SizeOr(run.expert_parallel, 1);
  layout.expert_tensor_parallel = SizeOr(run.expert_tensor_parallel, 0);
  layout.virtual_pipeline = SizeOr(run.virtual_pipeline, 1);
  layout.tensor_parallel = SizeOr(run.tensor_parallel, 1);
  const int64_t others = layout.pipeline_parallel * layout.context_parallel;
  int64_t gpus = SizeOr(run.gpus, 0);
  if (gpus == 0 && run.data_parallel) gpus = Size(*run.data_parallel) * layout.tensor_parallel * others;
  if (gpus == 0) gpus = Size(kUnknownGpus);
  if (!run.tensor_parallel && !run.pipeline_parallel) {
    // Unknown: the smallest tensor parallelism that leaves a sequence for every replica.
    while (layout.tensor_parallel < 8 && gpus % (2 * layout.tensor_parallel * others) == 0 &&
           gpus / (layout.tensor_parallel * others) > batch) {
      layout.tensor_parallel *= 2;
    }
  }
  layout.data_parallel = SizeOr(run.data_parallel, std::max<int64_t>(1, gpus / (layout.tensor_parallel * others)));
  if (run.gpus && layout.gpus() != gpus) {
    return base::InvalidField(
        "n_gpus",
        fmt::format("is not the product of the degrees: n_gpus={} tp={} pp={} cp={} dp={}", gpus,
                    layout.tensor_parallel, layout.pipeline_parallel, layout.context_parallel, layout.data_parallel));
  }
  const bool alone = layout.data_parallel * layout.context_parallel <= 1;
  layout.zero_stage =
      static_cast<int>(run.zero_stage ? std::clamp(std::round(*run.zero_stage), 0.0, 3.0)
                                      : (ShardsByData(run.framework) ||
                                                 (!run.tensor_parallel && !run.pipeline_parallel && !run.data_parallel)
                                             ? 3.0
                                             : (alone || run.framework == "ddp" ? 0.0 : 1.0)));
  layout.shard_group = SizeOr(run.shard_group, 0);
  layout.sequence_parallel =
      layout.tensor_parallel > 1 &&
      run.sequence_parallel.value_or(run.framework == "megatron-core" || run.framework == "torchtitan");
  return layout;
}

int64_t DefaultMicroBatch(std::string_view framework, const perf::Layout& layout, int64_t share, double positions) {
  // JAX programs do not accumulate gradients unless told to; torchtitan has as many microbatches as stages.
  if (framework == "jax") return share;
  if (framework == "torchtitan" && layout.pipeline_parallel > 1)
    return std::max<int64_t>(1, share / layout.pipeline_parallel);
  int64_t micro_batch = 1;
  while (share % (2 * micro_batch) == 0 && 2 * ToDouble(micro_batch) * positions <= kMicroBatchTokens) micro_batch *= 2;
  return micro_batch;
}

double FullRecomputeBytes(const RunDescription& description) {
  perf::Layout layout = description.layout;
  layout.recompute = perf::Recompute::kFull;
  return ToDouble(parallel::PeakMemory(description.memory, layout, description.micro_batches).total_bytes());
}

/// An unknown pipeline has as many stages as the memory asks for; an unknown microbatch is halved while it does not fit.
void FitUnknownSizes(const MeasuredRun& run, RunDescription& description) {
  perf::Layout& layout = description.layout;
  const auto fits = [&] { return FullRecomputeBytes(description) <= description.capacity_bytes; };
  const bool sharded = layout.zero_stage >= 3;
  while (!run.pipeline_parallel && !run.data_parallel && !sharded && layout.data_parallel % 2 == 0 &&
         2 * layout.pipeline_parallel <= description.job.shape.layers && !fits()) {
    layout.pipeline_parallel *= 2;
    layout.data_parallel /= 2;
    description.micro_batches *= 2;
  }
  // Where nothing is said of recomputation, nobody recomputes for the sake of a microbatch that could be smaller.
  const auto fits_at_all = [&] {
    if (!run.recompute.empty() || run.framework == "jax") return fits();
    layout.recompute = perf::Recompute::kNone;
    return ToDouble(parallel::PeakMemory(description.memory, layout, description.micro_batches).total_bytes()) <=
           description.capacity_bytes;
  };
  while (!run.micro_batch && run.framework != "jax" && layout.micro_batch_size % 2 == 0 && !fits_at_all()) {
    layout.micro_batch_size /= 2;
    description.micro_batches *= 2;
  }
}

/// See MemoryInputs::adapter_token_bytes.
double AdapterTokenBytes(const TransformerShape& shape, std::string_view task) {
  const double hidden = ToDouble(shape.hidden);
  if (task == "lora" || task == "qlora") return 8 * hidden;
  if (task != "adapter_v2") return 0;
  return 2 * (ToDouble(shape.heads * shape.qk_dim) + ToDouble(shape.kv_heads * (shape.qk_dim + shape.v_dim)) +
              2 * hidden + (shape.gated ? 2 : 1) * ToDouble(shape.ffn));
}

bool TrainsAdapters(std::string_view task) {
  return task == "lora" || task == "qlora" || task == "adapter" || task == "adapter_v2";
}

/// Rank 8 on queries and values, as most tables of adapters have: of no weight in time or memory, but it must be something.
double AdapterParameters(const TransformerShape& shape) {
  constexpr double kRank = 8;
  const double hidden = ToDouble(shape.hidden);
  return kRank * ToDouble(shape.layers) *
         (2 * hidden + ToDouble(shape.heads * shape.qk_dim) + ToDouble(shape.kv_heads * shape.v_dim));
}

}  // namespace

void ChooseRecompute(RunDescription& description) {
  perf::Layout& layout = description.layout;
  const auto bytes = [&](perf::Recompute recompute) {
    layout.recompute = recompute;
    return ToDouble(parallel::PeakMemory(description.memory, layout, description.micro_batches).total_bytes());
  };
  const double none = bytes(perf::Recompute::kNone);
  // Programs for a single card leave it to the caller, who would have said so.
  const bool as_described =
      description.framework == "single" || (description.framework.empty() && !description.layout_is_unknown);
  if (as_described || none <= description.capacity_bytes) {
    layout.recompute = perf::Recompute::kNone;
    return;
  }
  if (!description.job.flash_attention && bytes(perf::Recompute::kSelective) <= description.capacity_bytes) return;
  if (description.framework == "jax" && bytes(perf::Recompute::kFull) > description.capacity_bytes)
    description.memory.habits.checkpoints_on_host = true;
  const double full = bytes(perf::Recompute::kFull);
  const double share = full < none ? std::clamp((none - description.capacity_bytes) / (none - full), 0.0, 1.0) : 1;
  description.job.recompute_share = share * share;
}

absl::StatusOr<RunDescription> DescribeRun(const MeasuredRun& run, const hardware::GpuCatalog& gpus,
                                           const std::vector<KnownModel>& models) {
  if (!run.problem.empty()) return base::InvalidField("row", run.problem);
  RETURN_IF_ERROR(CheckSizes(run));
  RETURN_IF_ERROR(CheckCards(run));
  RunDescription description;
  ASSIGN_OR_RETURN(description.gpu, gpus.Find(run.gpu_type));
  ASSIGN_OR_RETURN(const PrecisionWords precision, SplitPrecision(run.precision));
  ASSIGN_OR_RETURN(description.precision, hardware::FindPrecision(precision.computed));
  ASSIGN_OR_RETURN(const hardware::Optimizer* optimizer, hardware::FindOptimizer("adam"));
  perf::StepJob& job = description.job;
  ASSIGN_OR_RETURN(job.recipe, hardware::TrainingRecipe(*description.precision, *optimizer));
  const KnownModel* known = FindKnown(run, models);
  ASSIGN_OR_RETURN(job.shape, ShapeOf(run, known));

  const double default_positions = known != nullptr && known->positions > 0 ? known->positions : kUnknownPositions;
  job.positions = std::max(1.0, run.seq_len.value_or(default_positions));
  const bool old = description.gpu->architecture == "Volta" || description.gpu->architecture == "Pascal" ||
                   description.gpu->architecture == "Turing";
  job.flash_attention = run.attention.empty() ? !old : run.attention == "flash";
  if (!job.shape.causal) job.logit_share = run.task == "squad_finetune" ? 0 : 0.15;
  // A length that is no multiple of 64 is a data set's longest sample: the others are shorter.
  const bool longest_sample = job.shape.vocab > 0 && std::fmod(job.positions, 64) != 0;
  job.padded = (!job.shape.causal && job.shape.vocab > 0 && run.task != "squad_finetune") || longest_sample;
  description.framework = run.framework;

  const int64_t batch = run.global_batch.value_or(0) >= 1
                            ? Size(*run.global_batch)
                            : std::max<int64_t>(1, Size(kUnknownBatchTokens / job.positions));
  ASSIGN_OR_RETURN(description.layout, LayoutOf(run, batch));
  description.layout_is_unknown = !run.tensor_parallel && !run.pipeline_parallel && !run.data_parallel;
  perf::Layout& layout = description.layout;
  const int64_t share = std::max<int64_t>(1, batch / layout.data_parallel);
  layout.micro_batch_size = SizeOr(run.micro_batch, DefaultMicroBatch(run.framework, layout, share, job.positions));
  description.micro_batches =
      std::max(1.0, ToDouble(batch) / ToDouble(layout.data_parallel) / ToDouble(layout.micro_batch_size));

  job.frozen_base = TrainsAdapters(run.task);
  if (job.frozen_base) {
    const bool four_bits = run.task == "qlora" || precision.frozen_bytes > 0;
    job.frozen_bytes = !four_bits ? 2 : precision.frozen_bytes > 0 ? precision.frozen_bytes : 0.516;
    job.adapter_parameters = AdapterParameters(job.shape);
  }
  if (run.nic_gbps_per_gpu.value_or(0) > 0) description.machine.network_bandwidth = *run.nic_gbps_per_gpu * 1e9 / 8;
  if (run.node_size.value_or(0) >= 1) description.machine.node_gpus = *run.node_size;

  parallel::MemoryInputs& memory = description.memory;
  const perf::BlockParameters parameters = perf::ParametersOf(job.shape);
  const double layers = ToDouble(job.shape.layers);
  memory.shape = job.shape;
  memory.embedding_parameters = parameters.head * (job.shape.tied_embeddings ? 1 : 2);
  memory.expert_parameters = layers * parameters.experts;
  memory.parameters = layers * (parameters.dense + parameters.experts) + memory.embedding_parameters;
  memory.recipe = job.recipe;
  // In 8 bits, weights and their transposes, without a copy in 16 bits.
  if (run.framework == "megatron-core") memory.recipe.weight_bytes = std::min(memory.recipe.weight_bytes, 2.0);
  memory.activation_bytes = description.precision->activation_bytes;
  memory.positions = job.positions;
  memory.has_logits = job.shape.causal;
  memory.flash_attention = job.flash_attention;
  memory.frozen_base = job.frozen_base;
  memory.frozen_bytes = job.frozen_bytes;
  memory.adapter_parameters = job.adapter_parameters;
  if (job.frozen_base) memory.adapter_token_bytes = AdapterTokenBytes(job.shape, run.task);
  memory.dropout = !job.shape.gated && !job.flash_attention;
  memory.habits = MemoryHabitsOf(run.framework);
  description.capacity_bytes = ToDouble(description.gpu->memory_bytes);

  FitUnknownSizes(run, description);
  if (run.recompute == "full") {
    layout.recompute = perf::Recompute::kFull;
  } else if (run.recompute == "selective") {
    layout.recompute = perf::Recompute::kSelective;
  } else if (run.recompute.empty()) {
    description.recompute_is_unknown = true;
    ChooseRecompute(description);
  }
  if (run.task == "full_run") {
    const double cards = ToDouble(layout.gpus());
    description.goodput =
        GoodputOf(cards, memory.parameters * (memory.recipe.weight_bytes + memory.recipe.optimizer_bytes) / cards).ratio;
  }
  if (run.task == "layer_microbench") {
    job.recipe = {};  // Forward and backward alone.
    description.framework = "layer_microbench";
  }
  return description;
}

}  // namespace planner::planning
