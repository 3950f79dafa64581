#pragma once

#include <cstdint>
#include <tuple>

#include <ATen/ATen.h>

/// Operators that torch takes apart itself, in another way than a count can follow.
namespace planner::libtorch::meta {

/// repeat_interleave with a number, which torch itself does with a tensor whose value a meta tensor has not.
at::Tensor RepeatInterleaveNumber(const at::Tensor& self, int64_t repeats, c10::optional<int64_t> dimension,
                                  c10::optional<int64_t>);

/// Torch's own refuses indices on another device; here those that a model has as a buffer keep their values on the CPU.
at::Tensor TakeAlongDim(const at::Tensor& self, const at::Tensor& indices, c10::optional<int64_t> dimension);

/// The fused attention of inference, by its parts: they are counted as they are elsewhere, and can be differentiated.
std::tuple<at::Tensor, at::Tensor> MultiHeadAttention(const at::Tensor& query, const at::Tensor& key,
                                                      const at::Tensor& value, int64_t width, int64_t heads,
                                                      const at::Tensor& input_weight, const at::Tensor& input_bias,
                                                      const at::Tensor& output_weight, const at::Tensor& output_bias,
                                                      const c10::optional<at::Tensor>& mask, bool need_weights,
                                                      bool average_weights, c10::optional<int64_t>);

at::Tensor TransformerEncoderLayer(const at::Tensor& source, int64_t width, int64_t heads,
                                   const at::Tensor& input_weight, const at::Tensor& input_bias,
                                   const at::Tensor& output_weight, const at::Tensor& output_bias, bool gelu,
                                   bool norm_first, double epsilon, const at::Tensor& norm_weight_1,
                                   const at::Tensor& norm_bias_1, const at::Tensor& norm_weight_2,
                                   const at::Tensor& norm_bias_2, const at::Tensor& weight_1, const at::Tensor& bias_1,
                                   const at::Tensor& weight_2, const at::Tensor& bias_2,
                                   const c10::optional<at::Tensor>& mask, c10::optional<int64_t>);

/// Torch's own looks at the largest class, even where their number is given.
at::Tensor OneHot(const at::Tensor& self, int64_t classes);

}  // namespace planner::libtorch::meta
