// Whatever numbers a table of runs has, every row gets a finite prediction or a reason.

#include <cmath>
#include <string>
#include <vector>

#include "core/planning/run_prediction.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace planner::planning {
namespace {

std::string AnyNumber() {
  return *rc::gen::element<std::string>("", "0", "1", "2", "3", "8", "48", "0.5", "96", "1000", "1024", "4096", "12288",
                                        "50257", "1e6", "1e12", "1e300", "9007199254740993");
}

RC_GTEST_PROP(RunPredictionLaws, EveryRowHasAPredictionOrAReason, ()) {
  static const auto* gpus = new hardware::GpuCatalog(*hardware::GpuCatalog::Create());
  static const auto* models = new std::vector<KnownModel>();
  std::string header = "id,gpu_type,precision,recompute,task,framework,attention";
  std::string row = "r";
  row += "," + *rc::gen::element<std::string>("A100-SXM-80GB", "H100", "GB200", "V100", "TPU-v5p", "MI300X", "");
  row += "," + *rc::gen::element<std::string>("bf16", "fp8", "pure-bf16+nf4", "tf32", "", "x");
  row += "," + *rc::gen::element<std::string>("none", "selective", "full", "");
  row += "," + *rc::gen::element<std::string>("pretrain", "lora", "qlora", "adapter_v2", "layer_microbench", "");
  row += "," + *rc::gen::element<std::string>("megatron-core", "megatron-deepspeed", "fsdp", "jax", "single", "");
  row += "," + *rc::gen::element<std::string>("flash", "eager", "");
  for (const char* column : {"n_layers",
                             "hidden",
                             "ffn_hidden",
                             "heads",
                             "kv_heads",
                             "vocab",
                             "seq_len",
                             "gated_mlp",
                             "moe_experts",
                             "moe_topk",
                             "n_gpus",
                             "tp",
                             "pp",
                             "dp",
                             "cp",
                             "ep",
                             "vpp",
                             "microbatch",
                             "global_batch",
                             "zero_stage",
                             "shard_group",
                             "sequence_parallel",
                             "nic_gbps_per_gpu",
                             "node_size"}) {
    header += std::string(",") + column;
    const std::string name = column;
    const bool flag = name == "gated_mlp" || name == "sequence_parallel";
    row += "," + (flag ? *rc::gen::element<std::string>("", "0", "1") : AnyNumber());
  }
  const auto runs = ParseMeasuredRuns(header + "\n" + row + "\n");
  RC_ASSERT(runs.ok());
  const RunPrediction prediction = Predict(runs->front(), {*gpus, *models, perf::BuiltInStepTimeConstants()});
  RC_ASSERT(prediction.skipped.empty() == prediction.step_seconds.has_value());
  if (!prediction.step_seconds) return;
  RC_ASSERT(std::isfinite(*prediction.step_seconds) && *prediction.step_seconds > 0);
  RC_ASSERT(*prediction.low_step_seconds < *prediction.step_seconds);
  RC_ASSERT(*prediction.high_step_seconds > *prediction.step_seconds);
  RC_ASSERT(std::isfinite(*prediction.peak_memory_gib) && *prediction.peak_memory_gib > 0);
}

}  // namespace
}  // namespace planner::planning
