#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace planner::calibration {

/// What a run is like, as far as the model's error may depend on it. From the description of a job and its layout alone.
struct Kind {
  std::string framework;    ///< "megatron-core"; empty: unknown.
  std::string family;       ///< Of the card, in the constants of step times: "Hopper".
  std::string gpu_type;     ///< "H100-SXM-80GB".
  std::string model_class;  ///< "dense", "moe", "module", …; with what is trained: "dense, adapters".
  std::string precision;    ///< "bf16".
  std::string recompute;    ///< "none", "selective", "full".
  double parameters = 0;    ///< Of the whole model.
  double hidden = 0;        ///< Width of a block; 0: not a transformer.
  double seq_len = 0;
  double tensor_parallel = 1;
  double pipeline_parallel = 1;
  double micro_batch = 1;
  double gpus = 1;

  friend bool operator==(const Kind&, const Kind&) = default;
};

/// How alike runs are: each level holds for runs that agree in everything above it, too.
enum class Level {
  kAll,        ///< Every run.
  kFramework,  ///< Of a framework,
  kFamily,     ///< on one family of cards,
  kGpu,        ///< of a class of models, in a precision, on a GPU type,
  kSize,       ///< of a size, to the next power of two of the parameters,
  kModel,      ///< with the same width, sequence length and recomputation,
  kKernels,    ///< split and batched alike: the kernels have the same sizes,
  kCards,      ///< with the same pipeline, on as many cards to the next power of four.
};
inline constexpr size_t kLevels = 8;

/// "all", "framework", "family", "gpu", "size", "model", "kernels", "cards".
std::string_view NameOf(Level level);

/// What tells a run from others at each level, among those that agree above it. 7e9 parameters are size 2^33 (6.1e9 to
/// 1.21e10), 512 cards are 4^5 (rounded half up: 512 to 2,047).
using Path = std::array<std::string, kLevels>;
Path PathOf(const Kind& kind);

}  // namespace planner::calibration
