#include "core/perf/attention_time.h"

#include <algorithm>
#include <cmath>

#include "core/perf/matmul_time.h"

namespace planner::perf {
namespace {

double ToDouble(int64_t value) { return static_cast<double>(value); }

}  // namespace

AttentionTime AttentionSeconds(const Machine& machine, const SharedConstants& shared,
                               const FrameworkConstants& framework, const model::TransformerShape& shape,
                               const AttentionWork& work, bool flash) {
  const double qk = ToDouble(shape.qk_dim);
  const double v = ToDouble(shape.v_dim);
  constexpr double kWide = 128;
  const double width = 0.5 * (qk + v);
  const double narrow = width < kWide ? std::pow(framework.narrow_heads, std::log2(kWide / width)) : 1;
  if (flash) {
    constexpr double kBlock = 128;
    double keys = shape.causal ? 0.5 * (work.keys + kBlock) : work.keys;
    if (shape.window > 0) {
      // Some layers have a window: every other one (GPT-OSS, Gemma 2), five of six (Gemma 3), all (Phi-3). Of rows of tables that do not
      // say how many, every other one.
      const double windowed =
          shape.window_layers > 0 ? ToDouble(shape.window_layers) / ToDouble(std::max<int64_t>(1, shape.layers)) : 0.5;
      keys += windowed * (std::min(keys, ToDouble(shape.window) + 0.5 * kBlock) - keys);
    }
    const double flops = 2 * work.sequences * work.heads * work.queries * keys * (qk + v);
    const double forward = flops / (machine.attention * framework.attention * narrow);
    return {forward, shared.backward_attention * forward};
  }
  const double count = work.sequences * work.heads;
  const double misaligned = Misalignment(shape.qk_dim, shared.misalignment);
  const double scores =
      ProductSeconds(machine, shared, machine.head_matmul * narrow, work.queries, qk, work.keys, misaligned, count);
  const double values =
      ProductSeconds(machine, shared, machine.head_matmul * narrow, work.queries, work.keys, v, misaligned, count);
  const double bytes =
      shared.score_bytes * machine.element_bytes / 2 * count * work.queries * work.keys / machine.memory;
  return {scores + values + bytes, 2 * shared.backward_matmul * (scores + values) + shared.backward_bytes * bytes};
}

}  // namespace planner::perf
