#include "core/counting/operation_cost.h"

#include <algorithm>
#include <cstdint>
#include <variant>
#include <vector>

namespace planner::counting {
namespace {

using base::Checked;

Checked Product(const std::vector<int64_t>& sizes) {
  Checked product = 1;
  for (const int64_t size : sizes) product *= size;
  return product;
}

OperationCost Cost(const model::Container&) { return {}; }

OperationCost Cost(const model::Linear& linear) {
  const Checked weight = Checked(linear.in_features) * linear.out_features;
  const Checked bias = linear.bias ? linear.out_features : 0;
  OperationCost cost{.kind = "linear"};
  cost.parameters = (linear.tied ? Checked(0) : weight) + bias;
  if (linear.head) cost.embedding_parameters = cost.parameters;
  cost.macs = cost.causal_macs = weight * linear.rows;
  cost.other_flops = bias * linear.rows;
  if (!linear.shared_input) cost.saved_elements = Checked(linear.rows) * linear.in_features;
  return cost;
}

OperationCost Cost(const model::Embedding& embedding) {
  OperationCost cost{.kind = "embedding"};
  cost.parameters = cost.embedding_parameters = Checked(embedding.entries) * embedding.width;
  return cost;
}

OperationCost Cost(const model::Convolution& conv) {
  const Checked in_positions = Product(conv.in_size) * conv.batch;
  const Checked out_positions = Product(conv.out_size) * conv.batch;
  const Checked weight = Product(conv.kernel) * (conv.in_channels / conv.groups) * conv.out_channels;
  const Checked bias = conv.bias ? conv.out_channels : 0;
  OperationCost cost{.kind = conv.transposed ? "conv_transpose" : "convolution"};
  cost.parameters = weight + bias;
  cost.macs = cost.causal_macs = weight * (conv.transposed ? in_positions : out_positions);
  cost.other_flops = bias * out_positions;
  cost.saved_elements = in_positions * conv.in_channels;
  return cost;
}

/// Query-key pairs that are computed, twice over so that halves stay exact.
struct AttendedPairs {
  Checked full_twice;
  Checked causal_twice;
};

AttendedPairs PairsOf(const model::Attention& attention) {
  const Checked queries = attention.queries;
  const int64_t window = attention.window > 0 ? std::min(attention.window, attention.keys) : attention.keys;
  if (attention.chunked && attention.window > 0) {
    // Every chunk attends within itself; the last one may be shorter.
    const Checked chunks = attention.queries / window;
    const Checked rest = attention.queries % window;
    const Checked pairs = chunks * window * window + rest * std::min(rest.ValueOrZero(), attention.keys);
    return {pairs * 2, pairs};
  }
  const Checked full = queries * window * 2;
  // The keys that a query cannot see yet: half of the square at the start, as wide as the window or
  // the queries.
  const int64_t masked = std::min(attention.queries, window);
  return {full, full - Checked(masked) * masked};
}

OperationCost Cost(const model::Attention& attention) {
  const AttendedPairs pairs = PairsOf(attention);
  const Checked per_pair = Checked(attention.batch) * attention.heads * (Checked(attention.qk_dim) + attention.v_dim);
  const auto macs = [&per_pair](Checked pairs_twice) {
    const Checked twice = per_pair * pairs_twice;
    return twice.overflowed() ? twice : Checked(twice.ValueOrZero() / 2);
  };
  OperationCost cost{.kind = "attention"};
  cost.macs = macs(pairs.full_twice);
  cost.causal_macs = attention.causal ? macs(pairs.causal_twice) : cost.macs;
  cost.saved_elements = Checked(attention.batch) *
                        (Checked(attention.heads) * attention.queries * attention.qk_dim +
                         Checked(attention.kv_heads) * attention.keys * (Checked(attention.qk_dim) + attention.v_dim));
  return cost;
}

struct CellTraits {
  std::string_view kind;
  int64_t gates;
  int64_t flops_per_hidden;  ///< Of gates and state update, a sigmoid as 4, a tanh as 1, without
                             ///< the sums of the products.
  int64_t saved_per_hidden;  ///< Gates and states that the backward pass reads.
};

CellTraits TraitsOf(model::RecurrentCell cell) {
  switch (cell) {
    case model::RecurrentCell::kLstm:
      return {"lstm", 4, 18, 6};  // 3 sigmoids, 2 tanh, 3 products, 1 sum; 4 gates, cell before and after.
    case model::RecurrentCell::kGru:
      return {"gru", 3, 14, 5};  // 2 sigmoids, tanh, 3 products, sum, difference; 3 gates, hidden part, state.
    case model::RecurrentCell::kRnn:
      break;
  }
  return {"rnn", 1, 1, 1};
}

OperationCost Cost(const model::Recurrent& recurrent) {
  const CellTraits traits = TraitsOf(recurrent.cell);
  const int64_t directions = recurrent.bidirectional ? 2 : 1;
  const int64_t state = recurrent.projection > 0 ? recurrent.projection : recurrent.hidden_size;
  const Checked rows = Checked(recurrent.batch) * recurrent.steps * directions;
  const Checked gate_width = Checked(traits.gates) * recurrent.hidden_size;

  const auto add_layers = [&](OperationCost& cost, Checked input, Checked layers) {
    const Checked weights = gate_width * (input + state) + Checked(recurrent.projection) * recurrent.hidden_size;
    const Checked biases = recurrent.bias ? gate_width * 2 : Checked(0);
    cost.parameters += (weights + biases) * directions * layers;
    cost.macs += weights * rows * layers;
    cost.other_flops +=
        (biases + gate_width + Checked(traits.flops_per_hidden) * recurrent.hidden_size) * rows * layers;
    cost.saved_elements += (input + state + Checked(traits.saved_per_hidden) * recurrent.hidden_size) * rows * layers;
  };
  OperationCost cost{.kind = traits.kind};
  add_layers(cost, recurrent.input_size, 1);
  add_layers(cost, Checked(state) * directions, Checked(recurrent.layers) - 1);
  cost.causal_macs = cost.macs;
  return cost;
}

OperationCost Cost(const model::MatrixProduct& product) {
  const Checked batch = product.batch;
  OperationCost cost{.kind = "matmul"};
  cost.macs = cost.causal_macs = batch * product.m * product.k * product.n;
  if (product.keeps_factors) cost.saved_elements = batch * product.k * (Checked(product.m) + product.n);
  return cost;
}

OperationCost Cost(const model::Norm& norm) {
  OperationCost cost;
  switch (norm.kind) {
    case model::NormKind::kLayerNorm:
      cost.kind = "layer_norm";
      break;
    case model::NormKind::kRmsNorm:
      cost.kind = "rms_norm";
      break;
    case model::NormKind::kBatchNorm:
      cost.kind = "batch_norm";
      break;
    case model::NormKind::kGroupNorm:
      cost.kind = "group_norm";
      break;
    case model::NormKind::kInstanceNorm:
      cost.kind = "instance_norm";
      break;
  }
  const int64_t affine = (norm.scale ? 1 : 0) + (norm.shift ? 1 : 0);
  const int64_t statistics = norm.kind == model::NormKind::kRmsNorm ? 3 : 5;
  cost.parameters = Checked(norm.width) * affine;
  cost.other_flops = Checked(norm.elements) * (statistics + affine);
  cost.saved_elements = norm.elements;
  return cost;
}

OperationCost Cost(const model::Elementwise& elementwise) {
  OperationCost cost{.kind = elementwise.kind};
  cost.other_flops = Checked(elementwise.elements) * elementwise.flops_per_element;
  cost.saved_elements = elementwise.saved_elements;
  return cost;
}

OperationCost Cost(const model::ParameterTensor& tensor) {
  OperationCost cost{.kind = tensor.kind};
  cost.parameters = tensor.elements;
  if (tensor.embedding) cost.embedding_parameters = tensor.elements;
  return cost;
}

}  // namespace

OperationCost CostOf(const model::Operation& operation) {
  return std::visit([](const auto& alternative) { return Cost(alternative); }, operation);
}

}  // namespace planner::counting
