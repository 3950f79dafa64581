#include "plugins/libtorch/engine/later_operators.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/api/include/torch/version.h>
#include <torch/library.h>

namespace planner::libtorch {
namespace {

bool in_causal_attention = false;

struct CausalScope {
  explicit CausalScope(bool causal) : before(std::exchange(in_causal_attention, causal)) {}
  ~CausalScope() { in_causal_attention = before; }
  bool before;
};

at::Tensor Repeated(const at::Tensor& heads, int64_t times) {
  return times > 1 ? heads.repeat_interleave(times, -3) : heads;
}

/// softmax(query · keyᵀ · scale + mask) · value. A boolean mask says what takes part. That of a causal attention is data, which
/// changes no shape: it is left out.
at::Tensor ScaledDotProductAttention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                     const c10::optional<at::Tensor>& mask, double dropout, bool causal,
                                     c10::optional<double> scale, bool grouped) {
  const int64_t times = grouped ? query.size(-3) / key.size(-3) : 1;
  const at::Tensor keys = Repeated(key, times);
  const at::Tensor values = Repeated(value, times);
  const CausalScope scope(causal);
  const double factor = scale.has_value() ? *scale : 1 / std::sqrt(static_cast<double>(query.size(-1)));
  at::Tensor scores = at::matmul(query * factor, keys.transpose(-2, -1));
  if (mask.has_value() && mask->defined()) {
    scores = mask->scalar_type() == at::kBool
                 ? scores.masked_fill(mask->logical_not(), -std::numeric_limits<double>::infinity())
                 : scores + *mask;
  }
  at::Tensor weights = at::softmax(scores, -1);
  if (dropout > 0) weights = at::dropout(weights, dropout, /*train=*/true);
  return at::matmul(weights, values);
}

#if TORCH_VERSION_MAJOR < 2
at::Tensor RmsNorm(const at::Tensor& input, at::IntArrayRef shape, const c10::optional<at::Tensor>& weight,
                   c10::optional<double> epsilon) {
  std::vector<int64_t> dimensions;
  for (size_t i = 0; i < shape.size(); ++i) dimensions.push_back(-static_cast<int64_t>(i) - 1);
  const double least = epsilon.has_value() ? *epsilon : std::numeric_limits<float>::epsilon();
  const at::Tensor normed = input * at::rsqrt(input.pow(2).mean(dimensions, /*keepdim=*/true) + least);
  return weight.has_value() && weight->defined() ? normed * *weight : normed;
}
#endif

}  // namespace

void UseLaterOperators() {}

bool InCausalAttention() { return in_causal_attention; }

}  // namespace planner::libtorch

#if TORCH_VERSION_MAJOR < 2
TORCH_LIBRARY_FRAGMENT(aten, library) {
  library.def(
      "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float "
      "dropout_p=0.0, "
      "bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
      &planner::libtorch::ScaledDotProductAttention);
  library.def("rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
              &planner::libtorch::RmsNorm);
}
#else
TORCH_LIBRARY_IMPL(aten, AutogradMeta, library) {
  library.impl("scaled_dot_product_attention", &planner::libtorch::ScaledDotProductAttention);
}
#endif
