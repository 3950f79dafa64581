#pragma once

#include <cstdint>
#include <optional>

#include "core/parallel/enumerate.h"
#include "core/parallel/memory.h"
#include "core/planning/corrections.h"
#include "core/planning/step_model.h"
#include "core/planning/workload.h"

namespace planner::planning {

/// What the search of one number of cards found.
struct LayoutChoice {
  struct Fit {
    parallel::BatchedLayout batched;
    parallel::MemoryPerGpu memory;
  };
  std::optional<Fit> best;          ///< Fits, and is preferred to all others that fit.
  std::optional<Fit> least_memory;  ///< Where nothing fits: what comes closest. Absent too: no legal layout.
};

/// Share of the step that a layout is expected to lose, for ranking layouts of equally many cards only (reported times
/// do not contain it): the pipeline's bubble (p - 1)/(m v), uneven stages, 2 % for each doubling of tensor parallelism
/// (6 % beyond the fast link), 3 % of context and 1 % of expert parallelism, 1 % for ZeRO-2, 5 % for ZeRO-3 and 1 %
/// more for each doubling beyond 64 cards, 2 % for each halving of a small microbatch, and a changed default batch.
/// GPT-3, t 8, p 8, m 96: 7/96 + 3 x 2 % = 13 %.
double ExpectedLoss(const parallel::BatchedLayout& candidate, const parallel::LayoutSpace& space);

/// What a layout that may not fit counts against time: one whose memory's 90 % interval ends beyond the card. The layouts that are predicted to
/// be the fastest take, measured, 4 % longer than the fastest ones (tests/accuracy/README.md, layout choice): a difference within that is not
/// worth a job that runs out of memory. LLaMA-65B on 2,048 A100: 60.5 of 79.3 GiB in place of 72.7, at the same time.
inline constexpr double kTightMemory = 0.05;

/// The preferred layout of exactly `gpus` cards that fits `capacity_bytes`: the least time per sample by `step_model`; without one
/// least hardware FLOPs x (1 + expected loss). Of equals the first in the order of enumeration. A default batch that is
/// rounded to fit counts as a tenth of the change, memory that may not suffice as kTightMemory. Times of the model are corrected by
/// `corrections` before they are compared.
LayoutChoice ChooseLayout(const Workload& work, const parallel::LayoutSpace& space, int64_t gpus,
                          int64_t capacity_bytes, StepModel* step_model = nullptr, Corrections* corrections = nullptr);

}  // namespace planner::planning
