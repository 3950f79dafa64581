#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::perf {

// The constants of the step-time model. Their values, what each means and where its prior comes from stand in
// step_constants.json; tests/accuracy/fit moves them from their priors toward a table of measured runs.

/// What kernels of one GPU family reach. Ratios are of the catalogue's dense peaks and bandwidths.
struct FamilyConstants {
  double matmul_32bit = 0;  ///< Of the tf32 or fp32 peak, on large aligned products.
  double matmul_16bit = 0;
  double matmul_8bit = 0;
  double matmul_4bit = 0;
  double grouped_matmul = 0;      ///< Products of experts, relative to one large product.
  double attention = 0;           ///< Fused attention, of the 16-bit peak.
  double memory = 0;              ///< Of the memory bandwidth.
  double link = 0;                ///< Collectives within the fast domain, of the link bandwidth.
  double network = 0;             ///< Collectives between nodes, of the network bandwidth.
  double compute_units = 0;       ///< Tiles that run at once (SMs). Not fitted.
  double watts_per_teraflop = 0;  ///< At which the family's 16-bit peak holds its clock. Not fitted.
};

/// What a training framework costs beside the kernels.
struct FrameworkConstants {
  double layer_launch_us = 0;  ///< CPU time to launch one block's forward pass.
  double kernel_share = 0;     ///< Time of a block's kernels, however small their tensors, over the CPU's for them.
  double micro_batch_ms = 0;   ///< CPU time of the loop over microbatches, for each.
  double step_ms = 0;          ///< Once a step: optimizer launches, gradient norm, logging.
  double elementwise = 0;      ///< Bytes of element-wise work relative to fused kernels.
  double loss_passes = 0;      ///< Reads and writes of the logits in 32 bits by the loss, forward and backward.
  double sync_us = 0;  ///< Waiting for each other before a tensor-parallel exchange, for each doubling of the cards.
  double tensor_exposed = 0;  ///< Share of tensor-parallel collectives that no product hides.
  double exposed = 0;  ///< Share of gradient and weight collectives that no computation hides.
  double sum_network = 0;  ///< Rate of gradient sums between nodes, once a step, over that of large collectives.
  double send = 0;     ///< Time of sends between stages that is not hidden, over that of their bytes.
  double shard_bandwidth = 0;  ///< Of the gathers of ZeRO-3, block by block, over large collectives.
  double attention = 0;        ///< Rate of its fused attention over the family's.
  double narrow_heads = 0;     ///< Rate with heads of 64 over that with heads of 128.
  double recomputed = 0;       ///< Share of a block's forward pass that full recomputation runs again.
  double selects_operators = 0;  ///< 1: selective recomputation repeats operators beside the attention core. Not fitted.
  double scatters_sends = 0;   ///< 1: tensor-parallel cards share the sends between stages. Not fitted.
};

/// What all cards and frameworks share.
struct SharedConstants {
  double wave = 0;                ///< Share of wave quantization that is lost (the rest: other tiles, split-K).
  double depth = 0;               ///< Inner dimension at which a product reaches half its rate.
  double edge = 0;                ///< The same for its outer dimensions.
  double misalignment = 0;        ///< Loss for each halving of the largest power of two below 64 that divides a size.
  double backward_matmul = 0;     ///< Time of gradient products over that of forward ones of the same FLOPs.
  double backward_attention = 0;  ///< Time of the backward pass of fused attention over that of the forward pass.
  double backward_bytes = 0;      ///< Element-wise bytes of the backward pass over those of the forward pass.
  double document_tokens = 0;     ///< Mean length of documents, which masked language models are padded from.
  double score_bytes = 0;         ///< Eager attention: bytes passed for each score, forward, beside the products.
  double selective_flash = 0;     ///< Selective recomputation that picks operators, with fused attention: share of the forward pass.
  double cast = 0;                ///< 8 and 4 bits: casts, in passes over the inputs of products.
  double backward_launch = 0;     ///< CPU time of the backward pass over that of the forward pass.
  double parallel_launch =
      0;                     ///< CPU time that waiting for each other adds to 8 tensor-parallel processes; cubic below.
  double expert_launch = 0;  ///< CPU time of a block with experts over that of a dense one.
  double imbalance = 0;      ///< Tokens of the busiest card's experts over the mean.
  double link_latency_us = 0;     ///< Of a collective within the domain, for each doubling of the group.
  double network_latency_us = 0;  ///< Between nodes, for each doubling of the nodes.
  double congestion = 0;          ///< Loss of network bandwidth for each doubling of the nodes.
  double context_exposed = 0;     ///< Share of the ring's exchange that is not hidden.
  double expert_exposed = 0;      ///< Share of all-to-all that is not hidden.
  double shared_port = 0;         ///< Rate of network ports that several cards share, over that of their own.
  double optimizer_passes = 0;    ///< Reads and writes of the states by the optimizer, over one read and one write.
  double power = 0;               ///< Exponent of the clock over the power that a card may draw.
  double adapter_launch = 0;      ///< CPU time that adapters add to a block.
  double dequantize = 0;          ///< Passes over 4-bit weights, relative to one read and one write.
};

/// How far measured times lie from predicted ones: nine of ten within a factor of exp(half_width). From the residuals of
/// the fit and of its cross-validation, of a framework, a GPU family and a class of sizes; "*" stands for all.
struct IntervalWidth {
  std::string framework, family, size;
  double half_width = 0;
};

/// "small" below 3e9 parameters, "medium" below 50e9, else "large".
std::string_view SizeClass(double parameters);

/// What is assumed where a caller names no framework: the mean of those that large models are trained with on GPUs.
inline constexpr std::string_view kTypicalFramework = "typical";

struct StepTimeConstants {
  std::map<std::string, FamilyConstants, std::less<>> families;
  std::map<std::string, std::string, std::less<>> family_of_architecture;
  std::map<std::string, FrameworkConstants, std::less<>> frameworks;  ///< "": of rows of runs that name none or an unknown one; kTypicalFramework.
  SharedConstants shared;
  std::vector<IntervalWidth> intervals;

  /// Of the narrowest class that the file has: framework, family and size; framework and family; framework; all.
  double HalfWidth(std::string_view framework, std::string_view architecture, double parameters) const;

  /// The family of GpuType::architecture; that of unknown architectures is "Hopper".
  const FamilyConstants& Family(std::string_view architecture) const;
  /// By name; unknown ones are "".
  const FrameworkConstants& Framework(std::string_view name) const;
};

/// One fitted constant of a struct: its name in the file, and how far from its prior the fit may go.
template <typename Struct>
struct ConstantField {
  std::string_view name;
  double Struct::*member;
  double spread;  ///< Standard deviation of the prior, of the logarithm. 0: not fitted.
  double low, high;
};
std::span<const ConstantField<FamilyConstants>> FamilyFields();
std::span<const ConstantField<FrameworkConstants>> FrameworkFields();
std::span<const ConstantField<SharedConstants>> SharedFields();

/// Reads the file's "values" or "priors". INVALID_ARGUMENT names a member that is missing, unknown or outside its range.
absl::StatusOr<StepTimeConstants> ReadStepTimeConstants(std::string_view json, std::string_view part);

/// The built-in ones (step_constants.json). Read once; safe for concurrent use.
const StepTimeConstants& BuiltInStepTimeConstants();
/// The text of the built-in file.
std::string_view StepTimeConstantsFile();

}  // namespace planner::perf
