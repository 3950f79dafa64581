#pragma once

#include <array>
#include <string_view>

#include "core/model/description.h"
#include "core/perf/machine.h"

namespace planner::perf {

/// A model that is served, as far as the time of a decode step depends on it. Parameters are counts.
struct ServedModel {
  double blocks = 1;
  double hidden = 1;
  double parameters = 0;         ///< That a step may read: all but a table that is only looked up in.
  double expert_parameters = 0;  ///< Of them: routed experts.
  double experts = 0;            ///< Of one block; 0: dense.
  double experts_per_token = 0;
  double bytes_per_parameter = 2;
};

/// Parameters that one step of `batch` tokens reads: every expert that any of them selects, E (1 - (1 - k/E)^b) of E on average.
/// Mixtral-8x7B, two of eight: one token 12.7e9 of 46.6e9, eight tokens 0.9 of the experts.
double ReadParameters(const ServedModel& model, double batch);

/// Seconds of one decode step, which makes a token for each sequence of the batch. The terms add up.
struct DecodeTime {
  double weights = 0;  ///< Reading them once.
  double cache = 0;    ///< Reading the keys and values of all sequences.
  double compute = 0;  ///< What products take beyond reading their weights.
  double launch = 0;   ///< Start of the kernels, one after the other, and the host's work between two steps.
  double tensor = 0;   ///< Two all-reduces a block.

  double total() const { return weights + cache + compute + launch + tensor; }
};

/// The terms by name, in the order in which they are read.
struct DecodeTerm {
  std::string_view name;
  double DecodeTime::*seconds;
};
const std::array<DecodeTerm, 5>& DecodeTerms();

/// Roofline of a decode step on `tensor_parallel` cards that share every layer (Pope et al. 2211.05102, section 3.3):
///
///   weights = read parameters x bytes / (t x bandwidth x 0.85)
///   cache   = batch x cached bytes / bandwidth x 0.85, of the part that one card holds
///   compute = max(0, 2 x active parameters x batch / (t x rate) - weights)
///   launch  = blocks x 10 kernels x 2.5 us + 0.5 ms
///   tensor  = blocks x 2 x (8 us + 2 (t - 1)/t x batch x hidden x 2 bytes / link)
///
/// Llama-3.1-8B in bf16, one sequence of 1,088 tokens on an A100 with 1,555 GB/s: 15.0 GB of weights 11.4 ms + 0.14 GB of cache 0.1 ms
/// + launch 1.3 ms = 12.8 ms, 78 tokens a second; published with vLLM, prompt included: 75. How far off others are: tests/accuracy/README.md.
///
/// The constants are what kernels reach, none fitted to a served model: 0.85 is the middle of BabelStream's 0.83 to 0.92 of the
/// bandwidth; ten kernels a block (two norms, four products, rotary, attention, activation, cache) start and drain in 2 to 3 us each
/// in a CUDA graph; a small all-reduce within NVLink takes 6 to 10 us.
///
/// `cached_bytes_per_card`: of one sequence. `active_parameters`: that a token is multiplied with.
DecodeTime DecodeSeconds(const ServedModel& model, double active_parameters, double cached_bytes_per_card, double batch,
                         double tensor_parallel, double memory_bandwidth, const Machine& machine);

}  // namespace planner::perf
