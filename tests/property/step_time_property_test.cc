// Laws of the step-time model: hold for every transformer and layout, whatever the constants become.

#include "core/hardware/gpu_catalog.h"
#include "core/perf/step_time.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace planner::perf {
namespace {

struct Case {
  StepJob job;
  Machine machine;
  Layout layout;
  double micro_batches = 1;

  double Seconds() const {
    return EstimateStepTime(job, machine, BuiltInStepTimeConstants().shared, layout, micro_batches).total();
  }
};

Case AnyCase() {
  static const auto* gpus = new hardware::GpuCatalog(*hardware::GpuCatalog::Create());
  const StepTimeConstants& constants = BuiltInStepTimeConstants();
  Case any;
  model::TransformerShape& shape = any.job.shape;
  shape.heads = *rc::gen::element<int64_t>(8, 16, 32, 64, 128);
  shape.kv_heads = *rc::gen::element<int64_t>(8, shape.heads);
  shape.qk_dim = shape.v_dim = *rc::gen::element<int64_t>(64, 128);
  shape.hidden = shape.heads * shape.qk_dim;
  shape.layers = *rc::gen::inRange<int64_t>(1, 130);
  shape.gated = *rc::gen::arbitrary<bool>();
  shape.ffn = 4 * shape.hidden;
  shape.vocab = *rc::gen::inRange<int64_t>(0, 260000);
  if (*rc::gen::arbitrary<bool>()) {
    shape.experts = 64;
    shape.experts_per_token = 4;
    shape.expert_ffn = 1024;
    shape.moe_layers = *rc::gen::inRange<int64_t>(1, shape.layers + 1);
  }
  any.job.positions = static_cast<double>(*rc::gen::element<int64_t>(128, 1000, 2048, 8192, 131072));
  any.job.flash_attention = *rc::gen::arbitrary<bool>();
  any.job.recipe = {.weight_bytes = 2, .gradient_bytes = 4, .optimizer_bytes = 12};
  const auto framework = *rc::gen::element<const char*>("megatron-core", "fsdp", "ddp", "megatron-deepspeed", "");
  any.job.framework = constants.Framework(framework);
  const auto* card =
      *rc::gen::element<const char*>("a100", "h100", "b200", "v100", "gb200", "mi300x", "l40s", "tpu-v5p");
  any.machine = *MakeMachine(**gpus->Find(card), **hardware::FindPrecision("bf16"), constants);
  any.layout.tensor_parallel = *rc::gen::element<int64_t>(1, 2, 8);
  any.layout.pipeline_parallel = *rc::gen::inRange<int64_t>(1, std::min<int64_t>(shape.layers, 16) + 1);
  any.layout.virtual_pipeline = any.layout.pipeline_parallel > 1 ? *rc::gen::inRange<int64_t>(1, 4) : 1;
  any.layout.context_parallel = *rc::gen::element<int64_t>(1, 2);
  any.layout.data_parallel = *rc::gen::element<int64_t>(1, 4, 64, 1024);
  if (shape.experts > 0 && any.layout.data_parallel > 1) any.layout.expert_parallel = *rc::gen::element<int64_t>(1, 4);
  any.layout.micro_batch_size = *rc::gen::element<int64_t>(1, 2, 8);
  any.layout.zero_stage = any.layout.pipeline_parallel > 1 ? 1 : *rc::gen::inRange(0, 4);
  any.layout.recompute = *rc::gen::element(Recompute::kNone, Recompute::kSelective, Recompute::kFull);
  any.layout.sequence_parallel = *rc::gen::arbitrary<bool>();
  any.micro_batches = static_cast<double>(*rc::gen::inRange(1, 500));
  return any;
}

/// Sums of many terms differ in their last digits.
void AtMost(double less, double more) {
  RC_ASSERT(less > 0 && std::isfinite(more));
  RC_ASSERT(less <= more * (1 + 1e-9));
}

RC_GTEST_PROP(StepTimeLaws, FasterPartsAreNeverSlower, ()) {
  const Case any = AnyCase();
  for (double Machine::*rate : {&Machine::matmul, &Machine::head_matmul, &Machine::grouped_matmul, &Machine::attention,
                                &Machine::memory, &Machine::link, &Machine::network}) {
    Case faster = any;
    faster.machine.*rate *= 1.5;
    AtMost(faster.Seconds(), any.Seconds());
  }
}

RC_GTEST_PROP(StepTimeLaws, MoreWorkIsNeverFaster, ()) {
  const Case any = AnyCase();
  Case longer = any;
  longer.job.positions *= 2;
  AtMost(any.Seconds(), longer.Seconds());
  Case deeper = any;
  deeper.job.shape.layers *= 2;
  deeper.job.shape.moe_layers *= 2;
  AtMost(any.Seconds(), deeper.Seconds());
  Case more = any;
  more.micro_batches += 1;
  AtMost(any.Seconds(), more.Seconds());
}

RC_GTEST_PROP(StepTimeLaws, RecomputationCostsTime, ()) {
  Case any = AnyCase();
  any.layout.recompute = Recompute::kNone;
  const double none = any.Seconds();
  any.layout.recompute = Recompute::kFull;
  AtMost(none, any.Seconds());
}

RC_GTEST_PROP(StepTimeLaws, TermsAreWholeAndNotNegative, ()) {
  const Case any = AnyCase();
  const StepTime step =
      EstimateStepTime(any.job, any.machine, BuiltInStepTimeConstants().shared, any.layout, any.micro_batches);
  for (const double term : {step.matmul, step.attention, step.elementwise, step.recompute, step.launch, step.tensor,
                            step.context, step.expert, step.pipeline, step.bubble, step.data, step.optimizer}) {
    RC_ASSERT(std::isfinite(term));
    RC_ASSERT(term >= -1e-9 * step.total());
  }
}

}  // namespace
}  // namespace planner::perf
