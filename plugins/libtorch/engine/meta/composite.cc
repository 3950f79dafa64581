#include "plugins/libtorch/engine/meta/composite.h"

#include <cmath>
#include <stdexcept>
#include <vector>

namespace planner::libtorch::meta {

at::Tensor RepeatInterleaveNumber(const at::Tensor& self, int64_t repeats, c10::optional<int64_t> dimension,
                                  c10::optional<int64_t>) {
  const at::Tensor input = dimension.has_value() ? self : self.flatten();
  const int64_t at = at::maybe_wrap_dim(dimension.value_or(0), input.dim());
  std::vector<int64_t> sizes = input.sizes().vec();
  sizes.insert(sizes.begin() + at + 1, repeats);
  return input.unsqueeze(at + 1).expand(sizes).flatten(at, at + 1);
}

at::Tensor TakeAlongDim(const at::Tensor& self, const at::Tensor& indices, c10::optional<int64_t> dimension) {
  if (!dimension.has_value()) return self.reshape(-1).gather(0, indices.reshape(-1));
  if (self.dim() != indices.dim()) {
    throw std::runtime_error("torch.take_along_dim(): input and indices should have the same number of dimensions");
  }
  const int64_t at = at::maybe_wrap_dim(*dimension, self.dim());
  std::vector<int64_t> of_self = self.sizes().vec();
  of_self[at] = indices.size(at);
  std::vector<int64_t> of_indices = indices.sizes().vec();
  of_indices[at] = self.size(at);
  return self.expand(at::infer_size(of_indices, self.sizes()))
      .gather(at, indices.expand(at::infer_size(of_self, indices.sizes())));
}

std::tuple<at::Tensor, at::Tensor> MultiHeadAttention(const at::Tensor& query, const at::Tensor& key,
                                                      const at::Tensor& value, int64_t width, int64_t heads,
                                                      const at::Tensor& input_weight, const at::Tensor& input_bias,
                                                      const at::Tensor& output_weight, const at::Tensor& output_bias,
                                                      const c10::optional<at::Tensor>& mask, bool need_weights,
                                                      bool average_weights, c10::optional<int64_t>) {
  std::vector<at::Tensor> projected;
  if (query.is_same(key) && key.is_same(value)) {
    projected = at::linear(query, input_weight, input_bias).chunk(3, -1);
  } else {
    const std::vector<at::Tensor> weights = input_weight.chunk(3);
    const std::vector<at::Tensor> biases = input_bias.chunk(3);
    projected = {at::linear(query, weights[0], biases[0]), at::linear(key, weights[1], biases[1]),
                 at::linear(value, weights[2], biases[2])};
  }
  const int64_t samples = query.size(0);
  auto by_head = [&](const at::Tensor& tensor) {
    return tensor.reshape({samples, tensor.size(1), heads, width / heads})
        .transpose(1, 2)
        .reshape({samples * heads, -1, width / heads});
  };
  const at::Tensor scale = by_head(projected[0]) / std::sqrt(static_cast<double>(width / heads));
  at::Tensor scores = at::bmm(scale, by_head(projected[1]).transpose(1, 2));
  if (mask.has_value()) scores = scores + at::zeros_like(scores);
  const at::Tensor weights = at::softmax(scores, -1);
  const at::Tensor mixed = at::bmm(weights, by_head(projected[2]));
  const at::Tensor joined =
      mixed.reshape({samples, heads, -1, width / heads}).transpose(1, 2).reshape({samples, -1, width});
  const at::Tensor output = at::linear(joined, output_weight, output_bias);
  if (!need_weights) return {output, at::Tensor()};
  const at::Tensor of_heads = weights.reshape({samples, heads, weights.size(1), weights.size(2)});
  return {output, average_weights ? of_heads.mean(at::IntArrayRef{1}) : of_heads};
}

at::Tensor TransformerEncoderLayer(const at::Tensor& source, int64_t width, int64_t heads,
                                   const at::Tensor& input_weight, const at::Tensor& input_bias,
                                   const at::Tensor& output_weight, const at::Tensor& output_bias, bool gelu,
                                   bool norm_first, double epsilon, const at::Tensor& norm_weight_1,
                                   const at::Tensor& norm_bias_1, const at::Tensor& norm_weight_2,
                                   const at::Tensor& norm_bias_2, const at::Tensor& weight_1, const at::Tensor& bias_1,
                                   const at::Tensor& weight_2, const at::Tensor& bias_2,
                                   const c10::optional<at::Tensor>& mask, c10::optional<int64_t>) {
  auto norm_1 = [&](const at::Tensor& x) { return at::layer_norm(x, {width}, norm_weight_1, norm_bias_1, epsilon); };
  auto norm_2 = [&](const at::Tensor& x) { return at::layer_norm(x, {width}, norm_weight_2, norm_bias_2, epsilon); };
  auto attention = [&](const at::Tensor& x) {
    return std::get<0>(MultiHeadAttention(x, x, x, width, heads, input_weight, input_bias, output_weight, output_bias,
                                          mask, false, false, c10::nullopt));
  };
  auto feed_forward = [&](const at::Tensor& x) {
    const at::Tensor hidden = at::linear(x, weight_1, bias_1);
    return at::linear(gelu ? at::gelu(hidden) : at::relu(hidden), weight_2, bias_2);
  };
  if (norm_first) {
    const at::Tensor x = source + attention(norm_1(source));
    return x + feed_forward(norm_2(x));
  }
  const at::Tensor x = norm_1(source + attention(source));
  return norm_2(x + feed_forward(x));
}

at::Tensor OneHot(const at::Tensor& self, int64_t classes) {
  if (classes < 0) {
    throw std::runtime_error(
        "aten::one_hot without num_classes needs the values of a tensor, and a count has only shapes");
  }
  std::vector<int64_t> sizes = self.sizes().vec();
  sizes.push_back(classes);
  return at::zeros(sizes, self.options()).scatter_(-1, self.unsqueeze(-1), 1);
}

}  // namespace planner::libtorch::meta
