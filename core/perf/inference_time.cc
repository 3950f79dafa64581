#include "core/perf/inference_time.h"

#include <algorithm>
#include <cmath>

namespace planner::perf {
namespace {

constexpr double kBandwidthShare = 0.85;
constexpr double kKernelsOfBlock = 10;
constexpr double kKernelSeconds = 2.5e-6;
constexpr double kStepSeconds = 0.5e-3;
constexpr double kAllReduceSeconds = 8e-6;
constexpr double kActivationBytes = 2;

}  // namespace

double ReadParameters(const ServedModel& model, double batch) {
  if (model.experts <= 0) return model.parameters;
  const double skipped = std::pow(1 - std::min(1.0, model.experts_per_token / model.experts), batch);
  return model.parameters - skipped * model.expert_parameters;
}

const std::array<DecodeTerm, 5>& DecodeTerms() {
  static constexpr std::array<DecodeTerm, 5> kTerms = {{{"weights", &DecodeTime::weights},
                                                        {"cache", &DecodeTime::cache},
                                                        {"compute", &DecodeTime::compute},
                                                        {"launch", &DecodeTime::launch},
                                                        {"tensor parallel", &DecodeTime::tensor}}};
  return kTerms;
}

DecodeTime DecodeSeconds(const ServedModel& model, double active_parameters, double cached_bytes_per_card, double batch,
                         double tensor_parallel, double memory_bandwidth, const Machine& machine) {
  const double bandwidth = memory_bandwidth * kBandwidthShare;
  DecodeTime time;
  time.weights = ReadParameters(model, batch) * model.bytes_per_parameter / (tensor_parallel * bandwidth);
  time.cache = batch * cached_bytes_per_card / bandwidth;
  time.compute = std::max(0.0, 2 * active_parameters * batch / (tensor_parallel * machine.matmul) - time.weights);
  time.launch = model.blocks * kKernelsOfBlock * kKernelSeconds + kStepSeconds;
  if (tensor_parallel > 1) {
    const double bytes = kActivationBytes * batch * model.hidden;
    const double sent = 2 * (tensor_parallel - 1) / tensor_parallel * bytes / machine.link;
    time.tensor = model.blocks * 2 * (kAllReduceSeconds + sent);
  }
  return time;
}

}  // namespace planner::perf
