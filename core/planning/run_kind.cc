#include "core/planning/run_kind.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "fmt/format.h"

namespace planner::planning {
namespace {

constexpr std::string_view kSharded = ", ZeRO-3";

double ParametersOf(const model::TransformerShape& shape) {
  const perf::BlockParameters parameters = perf::ParametersOf(shape);
  return (parameters.dense + parameters.experts) * static_cast<double>(shape.layers) + parameters.head;
}

std::string ClassOf(const perf::StepJob& job) {
  std::string name = job.shape.experts > 0 ? "moe" : "dense";
  if (!job.shape.causal) name += ", bidirectional";
  if (job.frozen_base) name += ", adapters";
  return name;
}

std::string ClassOf(const Workload& work) {
  const double positions = std::max(1.0, work.tokens_per_sample);
  const double intensity = work.flops.model() / positions / static_cast<double>(std::max<int64_t>(1, work.parameters));
  std::string name =
      intensity > 0 ? fmt::format("module, 4^{:.0f} FLOPs a parameter", std::log2(intensity) / 2) : "module";
  if (work.memory.frozen_base) name += ", adapters";
  return name;
}

/// What is told of any training.
calibration::Kind Common(std::string_view framework, const hardware::GpuType& gpu, const hardware::Precision& precision,
                         const perf::Layout& layout, const perf::StepTimeConstants& constants) {
  const auto family = constants.family_of_architecture.find(gpu.architecture);
  calibration::Kind kind;
  kind.framework = std::string(framework);
  kind.family = family == constants.family_of_architecture.end() ? gpu.architecture : family->second;
  kind.gpu_type = gpu.name;
  kind.precision = std::string(precision.name);
  return WithLayout(std::move(kind), layout);
}

}  // namespace

const char* NameOf(perf::Recompute recompute) {
  switch (recompute) {
    case perf::Recompute::kFull:
      return "full";
    case perf::Recompute::kSelective:
      return "selective";
    case perf::Recompute::kNone:
      break;
  }
  return "none";
}

calibration::Kind KindOf(const perf::StepJob& job, std::string_view framework, const hardware::GpuType& gpu,
                         const hardware::Precision& precision, const perf::Layout& layout,
                         const perf::StepTimeConstants& constants) {
  calibration::Kind kind = Common(framework, gpu, precision, layout, constants);
  kind.model_class = ClassOf(job);
  kind.parameters = ParametersOf(job.shape);
  kind.hidden = static_cast<double>(job.shape.hidden);
  kind.seq_len = job.positions;
  return kind;
}

calibration::Kind KindOf(const Workload& work, const cluster::Pool& pool, const perf::Layout& layout,
                         const perf::StepTimeConstants& constants) {
  if (work.step_job) return KindOf(*work.step_job, work.framework, pool.gpu, *work.precision, layout, constants);
  calibration::Kind kind = Common(work.framework, pool.gpu, *work.precision, layout, constants);
  kind.model_class = ClassOf(work);
  kind.parameters = static_cast<double>(work.parameters);
  kind.seq_len = work.tokens_per_sample;
  return kind;
}

calibration::Kind WithLayout(calibration::Kind kind, const perf::Layout& layout) {
  kind.framework.resize(std::min(kind.framework.size(), kind.framework.find(kSharded)));
  if (layout.zero_stage >= 3) kind.framework += kSharded;
  kind.recompute = NameOf(layout.recompute);
  kind.tensor_parallel = static_cast<double>(layout.tensor_parallel);
  kind.pipeline_parallel = static_cast<double>(layout.pipeline_parallel);
  kind.micro_batch = static_cast<double>(layout.micro_batch_size);
  kind.gpus = static_cast<double>(layout.gpus());
  return kind;
}

}  // namespace planner::planning
