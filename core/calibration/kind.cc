#include "core/calibration/kind.h"

#include <algorithm>
#include <cmath>

namespace planner::calibration {
namespace {

/// The nearest power of `base`; what is not positive is in one class.
std::string PowerClass(double value, double base) {
  if (!(value > 0) || !std::isfinite(value)) return "?";
  return std::to_string(static_cast<int>(std::floor(std::log2(value) / std::log2(base) + 0.5)));
}

std::string Joined(std::initializer_list<std::string> parts) {
  std::string text;
  for (const std::string& part : parts) text.append(part).push_back('/');
  return text;
}

std::string Number(double value) { return std::to_string(value); }

}  // namespace

std::string_view NameOf(Level level) {
  constexpr std::array<std::string_view, kLevels> kNames = {"all",  "framework", "family",  "gpu",
                                                            "size", "model",     "kernels", "cards"};
  return kNames[static_cast<size_t>(level)];
}

Path PathOf(const Kind& kind) {
  return {"",
          kind.framework,
          kind.family,
          Joined({kind.model_class, kind.precision, kind.gpu_type}),
          PowerClass(kind.parameters, 2),
          Joined({Number(kind.hidden), Number(kind.seq_len), kind.recompute}),
          Joined({Number(kind.tensor_parallel), Number(kind.micro_batch)}),
          Joined({PowerClass(kind.gpus, 4), Number(kind.pipeline_parallel)})};
}

}  // namespace planner::calibration
