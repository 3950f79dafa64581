#include "core/planning/infeasible.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/planning/text.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace planner::planning {
namespace {

/// "tensor 8 x data 4 parallel, microbatch 1, ZeRO-3, full recomputation": the layout that needs the least memory, and why
/// it does not go further.
std::string LeanestLayout(const PoolContext& context, const parallel::Layout& layout) {
  const parallel::LayoutConstraints& fixed = context.space.fixed;
  std::vector<std::string> degrees;
  const auto add = [&](const char* name, int64_t degree) {
    if (degree > 1) degrees.push_back(fmt::format("{} {}", name, degree));
  };
  add("tensor", layout.tensor_parallel);
  add("pipeline", layout.pipeline_parallel);
  add("context", layout.context_parallel);
  add("data", layout.data_parallel);
  std::string text = degrees.empty() ? "" : fmt::format("{} parallel, ", fmt::join(degrees, " x "));
  if (layout.expert_parallel > 1) text += fmt::format("experts over {}, ", layout.expert_parallel);
  text +=
      fmt::format("microbatch {}{}", layout.micro_batch_size, fixed.micro_batch_size.value_or(1) > 1 ? " (fixed)" : "");
  if (layout.data_parallel * layout.context_parallel > 1) {
    const char* why = fixed.zero_stage.value_or(3) < 3 ? " (fixed)"
                      : layout.pipeline_parallel > 1   ? " (the most beside a pipeline)"
                                                       : "";
    text +=
        layout.zero_stage > 0 ? fmt::format(", ZeRO-{}{}", layout.zero_stage, why) : fmt::format(", no ZeRO{}", why);
  }
  const char* recompute = layout.recompute == parallel::Recompute::kFull        ? "full recomputation"
                          : layout.recompute == parallel::Recompute::kSelective ? "selective recomputation"
                                                                                : "no recomputation";
  const char* why = fixed.recompute.value_or(parallel::Recompute::kFull) != parallel::Recompute::kFull ? " (fixed)"
                    : !context.space.shape ? " (planned for transformers alone)"
                                           : "";
  return fmt::format("{}, {}{}", text, recompute, why);
}

/// The fewest cards, beyond what the job or the pool offers too, that fit the memory: number by number at first, then
/// by doublings.
std::optional<int64_t> CardsThatFit(PoolContext& context, int64_t from) {
  constexpr int64_t kMost = 65536;
  constexpr int kOneByOne = 32;
  const CardRange range{.least = 1, .most = kMost, .per_node = context.range.per_node};
  int64_t cards = range.AtLeast(std::max(from + 1, context.LeastCardsForMemory()));
  for (int tried = 0; cards != 0; ++tried) {
    const Trial trial = context.Try(cards);
    if (trial.verdict != Verdict::kMemory && trial.verdict != Verdict::kNoLayout) return cards;
    cards = range.AtLeast(tried < kOneByOne ? cards + 1 : 2 * cards);
  }
  return std::nullopt;
}

/// "the fixed tensor parallel 8 x pipeline parallel 12 x data parallel 8 make 768 cards" where that is not how many there are, or does not
/// divide them; empty if it does.
std::string FixedDegrees(const parallel::LayoutConstraints& fixed, int64_t gpus) {
  std::vector<std::string> degrees;
  double product = 1;  // Four degrees may exceed 64 bits.
  const auto add = [&](const char* name, const std::optional<int64_t>& degree) {
    if (!degree) return;
    degrees.push_back(fmt::format("{} parallel {}", name, *degree));
    product *= static_cast<double>(*degree);
  };
  add("tensor", fixed.tensor_parallel);
  add("pipeline", fixed.pipeline_parallel);
  add("context", fixed.context_parallel);
  add("data", fixed.data_parallel);
  // Only a context degree could make more of three, and none was found.
  const bool whole = degrees.size() == 4 || (degrees.size() == 3 && !fixed.context_parallel);
  const auto cards = static_cast<double>(gpus);
  if (whole ? product == cards : std::fmod(cards, product) == 0) return "";
  return fmt::format("the fixed {} {} {:.0f} cards{}", fmt::join(degrees, " x "), degrees.size() == 1 ? "makes" : "make", product,
                     whole ? "" : " or a multiple of that");
}

std::string NoLayoutReason(const PoolContext& context, int64_t gpus) {
  if (const std::string degrees = FixedDegrees(context.space.fixed, gpus); !degrees.empty()) {
    return fmt::format("{} x {}: no layout: {}", context.Name(), gpus, degrees);
  }
  const parallel::LayoutConstraints& fixed = context.space.fixed;
  if (fixed.pipeline_parallel && fixed.virtual_pipeline.value_or(1) > 1) {
    const int64_t layers = context.space.shape ? context.space.shape->layers : 0;
    const int64_t chunks = *fixed.pipeline_parallel * *fixed.virtual_pipeline;
    // Embedding and head may count as a layer each.
    if (layers % chunks != 0 && (layers + 2) % chunks != 0) {
      return fmt::format("{} x {}: no layout: virtual pipeline {} on {} stages makes {} chunks, which do not share out {} layers",
                         context.Name(), gpus, *fixed.virtual_pipeline, *fixed.pipeline_parallel, chunks, layers);
    }
  }
  const int64_t replicas = gpus / (fixed.tensor_parallel.value_or(1) * fixed.pipeline_parallel.value_or(1));
  if (const int64_t group = fixed.shard_group.value_or(1); replicas % group != 0) {
    return fmt::format("{} x {}: no layout: shards over groups of {}, which do not divide {} replicas", context.Name(),
                       gpus, group, replicas);
  }
  return fmt::format(
      "{} x {}: no layout: tensor x pipeline x context x data parallel degrees of that product do not divide the "
      "heads, layers and the global batch of {}",
      context.Name(), gpus, context.space.global_batch);
}

std::string MemoryReason(const PoolContext& context, const Trial& trial) {
  const double needed = static_cast<double>(trial.layout.memory.total_bytes());
  const double capacity = static_cast<double>(context.pool.gpu.memory_bytes);
  return fmt::format("{} x {}: needs {} per card, has {}: {} too much, even in the layout that needs the least: {}",
                     context.Name(), trial.gpus, Gib(needed), Gib(capacity), Gib(needed - capacity),
                     LeanestLayout(context, trial.layout.batched.layout));
}

}  // namespace

std::optional<std::string> ReasonBeforeSearch(const PoolContext& context) {
  if (context.range.empty()) {
    const int64_t most = std::max<int64_t>(0, context.range.most);
    const CardRange::End end = context.range.end;
    return fmt::format("{}: {} {}{}, at least {} are asked for: {} too few", context.Name(),
                       end == CardRange::End::kQuota ? "the tenant's quota leaves" : "has", Cards(most),
                       end == CardRange::End::kFree ? " that are not gone for good" : "", context.range.least,
                       context.range.least - most);
  }
  if (const std::optional<std::string> error = parallel::FixedDegreesError(context.space)) {
    return fmt::format("{}: {}", context.Name(), *error);
  }
  if (context.limits.budget < Limits::kNone && !context.pool.price_per_gpu_hour) {
    return fmt::format(
        "{}: no price is known, so the budget cannot be kept: give the cluster's or a price per GPU hour",
        context.Name());
  }
  const double start = absl::ToDoubleSeconds(context.waiting.earliest_start - context.waiting.now);
  if (const double left = std::min(context.limits.deadline_seconds, context.limits.finish_seconds - start); left <= 0) {
    return fmt::format("{}: the deadline passed {} before the start", context.Name(), Duration(-left));
  }
  return std::nullopt;
}

void FailedTrials::Add(const Trial& trial) {
  // Better by more than rounding: among equals the first one stays, which has the fewest cards.
  const auto keep = [&trial](std::optional<Trial>& slot, auto measure) {
    constexpr double kRounding = 1e-9;
    if (!slot || static_cast<double>(measure(trial)) < static_cast<double>(measure(*slot)) * (1 - kRounding))
      slot = trial;
  };
  switch (trial.verdict) {
    case Verdict::kDeadline:
      keep(fastest_late_, [](const Trial& t) { return t.total_seconds; });
      break;
    case Verdict::kBudget:
      keep(cheapest_, [](const Trial& t) { return t.cost; });
      break;
    case Verdict::kTooLong:
      keep(too_long_, [](const Trial& t) { return t.total_seconds; });
      break;
    case Verdict::kMemory:
      keep(least_memory_, [](const Trial& t) { return t.layout.memory.total_bytes(); });
      break;
    case Verdict::kNoLayout:
      without_layout_ = trial.gpus;
      break;
    case Verdict::kNotFree:
      keep(not_free_, [](const Trial& t) { return static_cast<double>(t.gpus); });
      break;
    case Verdict::kMeets:
      break;
  }
}

namespace {

/// ", and costs 900.00 USD, 100.00 over the budget of 800.00"; empty where it keeps to it.
std::string OverBudget(const PoolContext& context, const Trial& trial) {
  if (!(trial.cost > context.limits.budget)) return "";
  return fmt::format(", and costs {:.2f} {}, {:.2f} over the budget of {:.2f}", trial.cost, context.pool.currency,
                     trial.cost - context.limits.budget, context.limits.budget);
}

}  // namespace

std::string ReasonOf(const PoolContext& context, const Trial& trial) {
  const std::string name = context.Name();
  switch (trial.verdict) {
    case Verdict::kDeadline:
      if (trial.wait_seconds > 0) {
        return fmt::format("{} x {}: takes {} and can start in {}: {} later than the deadline allows{}", name, trial.gpus,
                           Duration(trial.total_seconds), Duration(trial.wait_seconds),
                           Duration(trial.wait_seconds + trial.total_seconds - context.limits.finish_seconds),
                           OverBudget(context, trial));
      }
      return fmt::format("{} x {}: takes {}, {} longer than the deadline allows{}", name, trial.gpus,
                         Duration(trial.total_seconds), Duration(trial.total_seconds - context.limits.training_seconds()),
                         OverBudget(context, trial));
    case Verdict::kBudget:
      return fmt::format("{} x {}: costs {:.2f} {}, {:.2f} over the budget of {:.2f}", name, trial.gpus, trial.cost,
                         context.pool.currency, trial.cost - context.limits.budget, context.limits.budget);
    case Verdict::kTooLong:
      return fmt::format("{} x {}: would take {}, longer than can be planned (until the year 9999)", name, trial.gpus,
                         Duration(std::max(trial.total_seconds, trial.step_seconds)));
    case Verdict::kMemory:
      return MemoryReason(context, trial);
    case Verdict::kNoLayout:
      return NoLayoutReason(context, trial.gpus);
    case Verdict::kNotFree:
      return fmt::format("{} x {}: so many cards are never free for {}, as far as is known{}", name, trial.gpus,
                         Duration(std::max(trial.total_seconds, trial.step_seconds)),
                         context.waiting.quotas.empty() ? "" : ", within the tenant's quota");
    case Verdict::kMeets:
      break;
  }
  return "";
}

std::string StatesReason(const PoolContext& context, int64_t gpus) {
  return fmt::format("{} x {}: weights, gradients and optimizer alone need {} cards of {}", context.Name(), gpus,
                     context.LeastCardsForMemory(), Gib(static_cast<double>(context.pool.gpu.memory_bytes)));
}

std::string FailedTrials::Reason(PoolContext& context) const {
  for (const std::optional<Trial>* trial : {&fastest_late_, &cheapest_, &too_long_, &not_free_}) {
    if (!*trial) continue;
    std::string reason = ReasonOf(context, **trial);
    if ((*trial)->verdict == Verdict::kDeadline) {
      const double cards =
          static_cast<double>((*trial)->gpus) * (*trial)->total_seconds / context.limits.training_seconds();
      if ((*trial)->wait_seconds == 0) reason += fmt::format("; about {} would be needed", Cards(static_cast<int64_t>(std::ceil(std::min(cards, 1e15)))));
    }
    // What keeps the deadline costs too much: both limits rule the job out.
    if ((*trial)->verdict == Verdict::kDeadline && cheapest_) reason += "; in time, " + ReasonOf(context, *cheapest_);
    return reason;
  }
  if (!least_memory_) return NoLayoutReason(context, without_layout_);
  std::string reason = ReasonOf(context, *least_memory_);
  if (const std::optional<int64_t> cards = CardsThatFit(context, least_memory_->gpus)) {
    reason += fmt::format("; {} would fit", Cards(*cards));
  }
  return reason;
}

}  // namespace planner::planning
