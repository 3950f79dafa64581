#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/hardware/gpu_type.h"

namespace planner::hardware {

/// How numbers are kept: in inference, and in training where it is trained in. Bytes are per parameter.
struct Precision {
  std::string_view name;  ///< "bf16".
  std::string_view description;
  double element_bytes = 0;  ///< Of weights alone, as stored for inference; with the scales of 4-bit types.
  // Training; weight_bytes is 0 where nobody trains in it.
  double weight_bytes = 0;  ///< Of the weights that forward and backward use, with their low-precision copies.
  double gradient_bytes = 0;
  double master_bytes = 0;      ///< fp32 copy that the optimizer updates; 0: it updates the weights themselves.
  double moment_bytes = 0;      ///< Of one moment of the optimizer.
  double activation_bytes = 0;  ///< Of one element of a saved activation.
  /// Peaks that matrix products may run at, the first that the card has; separated by blanks.
  std::string_view peaks;

  bool trains() const { return weight_bytes > 0; }
};

struct Optimizer {
  std::string_view name;  ///< "adam".
  std::string_view description;
  double moments = 0;       ///< Full-size moments per parameter.
  double moment_bytes = 0;  ///< Of one moment where the optimizer fixes it (8-bit states); 0: the precision's.
};

/// Bytes per trained parameter on one card without sharding. bf16 and adam: 2 + 4 + 12 = 18 (Megatron-LM
/// theoretical_memory_usage.py); fp16 and adam: 2 + 2 + 12 = 16 (ZeRO, 1910.02054); fp32 and adam: 4 + 4 + 8 = 16;
/// bf16-pure and adam: 2 + 2 + 4 = 8 (torchtune); bf16 and sgd-momentum: 2 + 4 + 8 = 14.
struct Recipe {
  double weight_bytes = 0;
  double gradient_bytes = 0;
  double optimizer_bytes = 0;  ///< Master weights and moments.
  double master_bytes = 0;     ///< Of them the fp32 copy; 0: the optimizer updates the weights themselves.
  double total() const { return weight_bytes + gradient_bytes + optimizer_bytes; }
};

/// Dense rate at which a card multiplies matrices in a precision.
struct Peak {
  std::string precision;  ///< Entry of GpuType::peak_flops that is used.
  double flops_per_second = 0;
  std::string warning;  ///< Why it is not the precision asked for; empty if it is.
};

/// All precisions and optimizers, in the order that people like to read them.
std::span<const Precision> Precisions();
std::span<const Optimizer> Optimizers();

/// By name or synonym ("bfloat16", "nvfp4"), without regard to case. INVALID_ARGUMENT at "precision" or "optimizer"
/// lists the known ones.
absl::StatusOr<const Precision*> FindPrecision(std::string_view name);
absl::StatusOr<const Optimizer*> FindOptimizer(std::string_view name);

/// INVALID_ARGUMENT at "precision" for a precision that is only for stored weights.
absl::StatusOr<Recipe> TrainingRecipe(const Precision& precision, const Optimizer& optimizer);

/// The peak that training in `precision` uses. A card without it falls back, with a warning: bf16 on a V100 runs as
/// fp16; fp8 on an A100 as bf16; fp16 on a P40, whose fp16 is slower than its fp32, as fp32. NOT_FOUND if the card has
/// no peak that could do.
absl::StatusOr<Peak> PeakFor(const GpuType& gpu, const Precision& precision);

/// GiB of a billion parameters at so many bytes each: 18 bytes -> 16.76.
constexpr double GibPerBillion(double bytes) { return bytes * 1e9 / (1024.0 * 1024.0 * 1024.0); }

/// Inference needs the weights and a fifth more: context, workspace and activations of a short prompt, no key-value
/// cache. The factor is EleutherAI's rule of thumb (Transformer Math 101).
inline constexpr double kInferenceFactor = 1.2;

}  // namespace planner::hardware
