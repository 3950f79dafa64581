#include "core/planning/recommendation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/planning/memory_interval.h"
#include "core/planning/run_kind.h"
#include "core/planning/text.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace planner::planning {
namespace {

/// Whole bytes, of which several may be added up.
int64_t Saturated(double bytes) { return static_cast<int64_t>(std::min(bytes, 4e18)); }

std::string BatchSentence(const PoolContext& context, const Recommendation& answer) {
  const Workload& work = context.work;
  std::string tokens;
  if (work.tokens_per_sample > 0) {
    tokens =
        fmt::format(" ({} tokens)",
                    Grouped(static_cast<int64_t>(static_cast<double>(answer.global_batch) * work.tokens_per_sample)));
  }
  std::string sentence =
      fmt::format("Global batch {}{}: {} data parallel x {} x microbatch {}", Grouped(answer.global_batch), tokens,
                  answer.layout.data_parallel, answer.micro_batch_count, answer.layout.micro_batch_size);
  if (work.space.batch_is_default) {
    sentence += fmt::format("; default for {:.3g}B parameters", static_cast<double>(work.parameters) / 1e9);
    if (answer.global_batch != work.space.global_batch) {
      sentence += fmt::format(", rounded from {} to fit the layout", Grouped(work.space.global_batch));
    }
  }
  return sentence + ".";
}

/// "matmul 3.1 s, attention 0.3 s", without what takes no thousandth of the step.
std::string TermsOf(const perf::StepTime& step) {
  std::vector<std::string> terms;
  for (const perf::StepTerm& term : perf::StepTerms()) {
    const double seconds = step.*term.seconds;
    if (seconds >= 1e-3 * step.total()) terms.push_back(fmt::format("{} {:.3g} s", term.name, seconds));
  }
  return fmt::format("{}", fmt::join(terms, ", "));
}

std::string TimeSentence(const PoolContext& context, const Trial& trial) {
  if (context.time_is_modelled()) {
    std::string sentence = fmt::format("Step {:.4g} s: {}.", trial.step_seconds, TermsOf(trial.step));
    if (context.work.samples > 0) {
      sentence += fmt::format(" {:.6g} steps: {}.",
                              context.work.TrainedSamples(trial.layout.batched.global_batch) /
                                  static_cast<double>(trial.layout.batched.global_batch),
                              Duration(trial.total_seconds));
    }
    if (context.work.step_scale != 1) {
      sentence += fmt::format(" All terms times {:.3g}: counted FLOPs over those of the blocks alone.", context.work.step_scale);
    }
    return sentence;
  }
  const double samples =
      context.work.samples > 0 ? context.work.TrainedSamples(trial.layout.batched.global_batch)
                               : static_cast<double>(trial.layout.batched.global_batch);
  const double flops = samples * context.work.TimedFlops(trial.layout.batched.layout.recompute);
  const double wait = trial.wait.total() * (context.work.samples > 0 ? trial.total_seconds / trial.step_seconds : 1);
  const std::string waits =
      wait > 0 ? fmt::format(" + {} of waiting, in each step {:.3g} ms for launches and {:.3g} ms for gradients,",
                             Duration(wait), trial.wait.launch * 1e3, trial.wait.gradients * 1e3)
               : "";
  return fmt::format("Time: {:.4g} {} FLOPs {}/ ({} x {:.5g} TFLOP/s x {:.4g}){} = {}.", flops,
                     context.work.ratio_counts_recompute ? "hardware" : "model",
                     context.work.samples > 0 ? "" : "of one step ", Cards(trial.gpus),
                     context.peak.flops_per_second / 1e12, context.utilization.ratio / trial.correction.factor, waits,
                     Duration(context.work.samples > 0 ? trial.total_seconds : trial.step_seconds));
}

/// "; causal attention is counted in full, of which fused kernels leave out half: 0.58 without it" where that is a twentieth of the FLOPs.
std::string SkippedAttention(const Workload& work, const Recommendation& answer) {
  const double skipped = SkippedShare(work, answer.layout.recompute);
  constexpr double kWorthTelling = 0.05;
  if (skipped < kWorthTelling) return "";
  return fmt::format("; causal attention is counted in full, of which fused kernels leave out half: {:.3g} without it",
                     answer.hardware_flops_utilization * (1 - skipped));
}

std::string UtilizationSentence(const PoolContext& context, const Trial& trial, const Recommendation& answer) {
  if (context.time_is_modelled()) {
    return fmt::format(
        "Utilization {:.3g} of the dense {} peak: what the step-time model makes of it{}; nine of ten measured steps "
        "of "
        "such jobs on {} lie within a factor of {:.3g}{}.",
        answer.hardware_flops_utilization, context.peak.precision,
        trial.correction.factor != 1 ? ", corrected by what runs took" : "", context.pool.gpu.architecture,
        context.IntervalOf(trial).high, SkippedAttention(context.work, answer));
  }
  const perf::Utilization& utilization = context.utilization;
  if (context.work.ratio_is_given) {
    return fmt::format(
        "Utilization {:.4g} of the dense {} peak, of {} FLOPs: given, nothing is added, so there is no interval.",
        utilization.ratio, context.peak.precision, context.work.ratio_counts_recompute ? "hardware" : "model");
  }
  const double ratio = utilization.ratio / trial.correction.factor;
  const TimeInterval interval = context.IntervalOf(trial);
  return fmt::format("Utilization {:.3g} of the dense {} peak: {}{}; 90 % interval {:.3g} to {:.3g}.", ratio,
                     context.peak.precision, utilization.source,
                     trial.correction.factor != 1 ? ", corrected by what runs took" : "", ratio / interval.high,
                     ratio / interval.low);
}

/// What runs have in common, of which the correction is.
const char* Alike(calibration::Level level) {
  switch (level) {
    case calibration::Level::kAll:
      return "of any kind";
    case calibration::Level::kFramework:
      return "with this framework";
    case calibration::Level::kFamily:
      return "with this framework on this family of cards";
    case calibration::Level::kGpu:
      return "of this class of models in this precision on this GPU type";
    case calibration::Level::kSize:
      return "of models of this size on this GPU type";
    case calibration::Level::kModel:
      return "of models of this width, length and recomputation on this GPU type";
    case calibration::Level::kKernels:
      return "of such models, split and batched like this";
    case calibration::Level::kCards:
      break;
  }
  return "like it, on as many cards";
}

/// "12 runs like it, on as many cards, took 1.08 times as long as the model alone says, which is 3.1 s a step: every part of the step is
/// multiplied by that."
std::string CorrectionSentence(const Trial& trial) {
  const calibration::Correction& correction = trial.correction;
  const std::string runs = fmt::format("{:.3g} run{} {}", correction.runs,
                                       std::abs(correction.runs - 1) < 0.005 ? "" : "s", Alike(*correction.level));
  if (correction.factor == 1)
    return fmt::format("{}: what they say is within its own uncertainty, so nothing is corrected.", runs);
  return fmt::format(
      "{}: they are expected to take {:.4g} times as long as the model alone says, which is {:.4g} s a step; every "
      "part of the step is "
      "multiplied by that.",
      runs, correction.factor, trial.predicted_step_seconds);
}

std::string MemorySentence(const Recommendation& answer) {
  const parallel::MemoryPerGpu& memory = answer.memory;
  return fmt::format(
      "Memory {} of {}: weights {}, gradients {}, optimizer {} (ZeRO-{}{}), activations {} (recomputation {}), overhead "
      "{}; 90 % interval {} to {}{}.",
      Gib(static_cast<double>(memory.total_bytes())), Gib(static_cast<double>(answer.capacity_bytes)),
      Gib(static_cast<double>(memory.parameter_bytes)), Gib(static_cast<double>(memory.gradient_bytes)),
      Gib(static_cast<double>(memory.optimizer_bytes)), answer.layout.zero_stage,
      answer.layout.shard_group > 0 ? fmt::format(" in groups of {}", answer.layout.shard_group) : "",
      Gib(static_cast<double>(memory.activation_bytes)), NameOf(answer.layout.recompute),
      Gib(static_cast<double>(memory.overhead_bytes)), Gib(static_cast<double>(answer.memory_low_bytes)),
      Gib(static_cast<double>(answer.memory_high_bytes)),
      answer.memory_high_bytes > answer.capacity_bytes ? ", which is more than the card has" : "");
}

std::string GoodputSentence(const Recommendation& answer) {
  const Goodput& goodput = answer.goodput;
  const std::string elapsed =
      answer.total_duration > absl::ZeroDuration()
          ? fmt::format(": {} elapse", Duration(absl::ToDoubleSeconds(answer.total_duration) / goodput.ratio))
          : "";
  return fmt::format(
      "Goodput {:.3g}, not in the times{}: a failure every {} on so many cards, a checkpoint of {} every {}, {} to restart.",
      goodput.ratio, elapsed, Duration(goodput.seconds_between_failures), Duration(goodput.checkpoint_seconds),
      Duration(goodput.checkpoint_interval_seconds), Duration(goodput.restart_seconds));
}

/// What a checkpoint holds: every weight and optimizer state of what is trained, once.
double CheckpointBytes(const Workload& work) {
  const parallel::MemoryInputs& memory = work.memory;
  return (memory.frozen_base ? memory.adapter_parameters : memory.parameters) *
         (memory.recipe.weight_bytes + memory.recipe.optimizer_bytes);
}

std::string CountSentence(const PoolContext& context, const Trial& trial) {
  if (context.range.single()) return fmt::format("{}: as asked.", Cards(trial.gpus));
  switch (context.limits.goal) {
    case Goal::kFewest:
      return fmt::format("{}: of the numbers that keep the limits and fit the memory, whole nodes above {}.",
                         Cards(trial.gpus), context.range.per_node);
    case Goal::kFastest:
      return fmt::format("{}: of at most {}.", Cards(trial.gpus), context.range.most);
    case Goal::kCheapest:
      return fmt::format("{}: of the doublings up to {} and the numbers around the best of them; what wastes nothing costs the same on any number.",
                         Cards(trial.gpus), context.range.most);
    case Goal::kUnspecified:
      break;
  }
  return fmt::format(
      "{}: no goal, deadline or number of cards is given, so the fewest by doublings up to {} that finish in {}, or "
      "else the fastest.",
      Cards(trial.gpus), context.range.most, Duration(kUnaskedDeadlineSeconds));
}

std::string WaitSentence(const PoolContext& context, const Trial& trial) {
  const std::string wait = Duration(trial.wait_seconds);
  if (trial.start == context.waiting.earliest_start) {
    return fmt::format("Starts in {}: not before, as asked.", wait);
  }
  return fmt::format("Starts in {}: when {} are free for {} at one piece; no reservation moves for it{}.", wait, Cards(trial.gpus),
                     Duration(std::max(trial.total_seconds, trial.step_seconds)),
                     context.waiting.quotas.empty() ? "" : ", and the tenant's quota holds");
}

void Explain(const PoolContext& context, const Trial& trial, Recommendation& answer) {
  std::vector<std::string>& explanation = answer.explanation;
  explanation.reserve(11 + context.work.explanation.size());
  explanation.push_back(TimeSentence(context, trial));
  explanation.push_back(UtilizationSentence(context, trial, answer));
  if (trial.correction.level) explanation.push_back(CorrectionSentence(trial));
  explanation.push_back(MemorySentence(answer));
  explanation.push_back(BatchSentence(context, answer));
  explanation.push_back(CountSentence(context, trial));
  if (trial.wait_seconds > 0) explanation.push_back(WaitSentence(context, trial));
  explanation.push_back(GoodputSentence(answer));
  explanation.insert(explanation.end(), context.work.explanation.begin(), context.work.explanation.end());
  if (!context.peak.warning.empty()) explanation.push_back(context.peak.warning + ".");
  if (answer.currency.empty()) explanation.emplace_back("No price is known for these cards: no cost.");
  if (answer.energy_kwh > 0) {
    explanation.push_back(fmt::format("Energy: all cards at their full {:.0f} W, without hosts and cooling.",
                                      context.pool.gpu.power_watts));
  }
}

}  // namespace

double SkippedShare(const Workload& work, parallel::Recompute recompute) {
  const std::optional<model::TransformerShape>& shape = work.space.shape;
  // Of layers with a window what it hides is not counted in the first place.
  if (!work.step_job || !shape->causal || shape->window > 0 || !work.space.flash_attention) return 0;
  const double passes = recompute == parallel::Recompute::kNone ? 3 : 4;
  return 0.5 * passes * work.flops.attention_forward / std::max(1.0, work.HardwareFlops(recompute));
}

Recommendation MakeRecommendation(const PoolContext& context, const Trial& trial, std::string limited_by) {
  const Workload& work = context.work;
  const parallel::BatchedLayout& batched = trial.layout.batched;
  const auto batch = static_cast<double>(batched.global_batch);
  const auto gpus = static_cast<double>(trial.gpus);
  const double step_hardware_flops = batch * work.HardwareFlops(batched.layout.recompute);
  const double step_model_flops = batch * work.flops.model();

  Recommendation answer;
  answer.gpu_type = context.pool.gpu.name;
  answer.cluster = context.pool.cluster;
  answer.node_pool = context.pool.name;
  answer.gpu_count = trial.gpus;
  answer.node_count = (trial.gpus + context.range.per_node - 1) / context.range.per_node;
  answer.layout = batched.layout;
  answer.memory = trial.layout.memory;
  const double memory_factor = std::exp(MemoryHalfWidth(work.framework));
  answer.memory_low_bytes = Saturated(static_cast<double>(answer.memory.total_bytes()) / memory_factor);
  answer.memory_high_bytes = Saturated(static_cast<double>(answer.memory.total_bytes()) * memory_factor);
  answer.capacity_bytes = context.pool.gpu.memory_bytes;
  answer.global_batch = batched.global_batch;
  answer.micro_batch_count = batched.micro_batches;
  answer.step_count = work.TrainedSamples(batched.global_batch) / batch;
  answer.step_duration = absl::Seconds(trial.step_seconds);
  answer.total_duration = absl::Seconds(trial.total_seconds);
  // The far end stays within what can be told as a date.
  const TimeInterval interval = context.IntervalOf(trial);
  answer.total_duration_low = absl::Seconds(trial.total_seconds * interval.low);
  answer.total_duration_high = absl::Seconds(std::max(
      trial.total_seconds, std::min(trial.total_seconds * interval.high, context.limits.longest_seconds)));
  answer.start_time = trial.start;
  answer.finish_time = answer.start_time + answer.total_duration;
  const double steps = work.samples > 0 ? answer.step_count : 1;
  answer.model_flops = steps * step_model_flops;
  answer.hardware_flops = steps * step_hardware_flops;
  answer.gpu_hours = trial.gpu_hours;
  if (context.pool.price_per_gpu_hour) {
    answer.cost = trial.cost;
    answer.currency = context.pool.currency;
  }
  answer.energy_kwh = trial.gpu_hours * context.pool.gpu.power_watts / 1000;
  if (trial.step_seconds > 0) {
    const double peak_flops = trial.step_seconds * gpus * context.peak.flops_per_second;
    answer.model_flops_utilization = step_model_flops / peak_flops;
    answer.hardware_flops_utilization = step_hardware_flops / peak_flops;
    answer.tokens_per_second = batch * (work.tokens_per_sample > 0 ? work.tokens_per_sample : 1) / trial.step_seconds;
  }
  if (context.time_is_modelled()) answer.step = trial.step;
  answer.utilization_source = work.ratio_is_given              ? UtilizationSource::kGiven
                              : trial.correction.is_measured() ? UtilizationSource::kMeasured
                                                               : UtilizationSource::kPredicted;
  if (!work.ratio_is_given) {
    answer.calibrated = Calibrated{KindOf(work, context.pool, batched.layout, perf::BuiltInStepTimeConstants()),
                                   trial.correction, absl::Seconds(trial.predicted_step_seconds)};
  }
  answer.limited_by = std::move(limited_by);
  answer.goodput = GoodputOf(gpus, CheckpointBytes(work) / gpus);
  Explain(context, trial, answer);
  return answer;
}

std::vector<LaunchFlags> LaunchOf(const PoolContext& context, const Trial& trial) {
  const Workload& work = context.work;
  const parallel::BatchedLayout& batched = trial.layout.batched;
  // A card that lacks the precision is told the one that the times are of; but weights that have no copy in 32 bits stay without.
  const bool falls_back = !context.peak.warning.empty() && work.precision->master_bytes > 0;
  return LaunchFlagsOf({.layout = batched.layout,
                        .global_batch = batched.global_batch,
                        .micro_batches = batched.micro_batches,
                        .seq_len = static_cast<int64_t>(work.tokens_per_sample),
                        .layers = work.space.shape ? work.space.shape->layers : 0,
                        .nodes = (trial.gpus + context.range.per_node - 1) / context.range.per_node,
                        .has_experts = work.space.shape && work.space.shape->experts > 0,
                        .precision = falls_back ? std::string_view(context.peak.precision) : work.precision->name,
                        .flash_attention = work.space.flash_attention,
                        .optimizer = work.optimizer->name,
                        .adapter_rank = work.adapter_rank,
                        .base_in_4_bits = work.base_in_4_bits});
}

}  // namespace planner::planning
