// Stand-ins for losses.

#include <algorithm>

#include <ATen/ATen.h>

#include "plugins/libtorch/engine/meta/call.h"
#include "plugins/libtorch/engine/meta/families.h"

namespace planner::libtorch::meta {
namespace {

constexpr int64_t kNoReduction = 0;

/// A loss of two tensors whose reduction is argument kReduction.
template <size_t kReduction>
void Loss(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Empty(call.Int(kReduction) == kNoReduction ? Broadcast(input, call.Tensor(1)) : Sizes(), input));
}

/// A number, or one for each target where argument `reduction` says so.
Sizes PerTarget(const Call& call, size_t reduction) {
  return call.Int(reduction) == kNoReduction ? call.Tensor(1).sizes().vec() : Sizes();
}

void NllLoss2d(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Empty(PerTarget(call, 3), input), Empty({}, input));
}

/// multi_margin_loss(self, target, p, margin, weight, reduction)
void MultiMarginLoss(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Empty(PerTarget(call, 5), call.Tensor(0)));
}

/// multilabel_margin_loss_forward(self, target, reduction)
void MultilabelMarginLoss(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = call.Int(2) == kNoReduction && input.dim() > 1 ? Sizes{input.size(0)} : Sizes();
  call.Return(Empty(sizes, input), EmptyLike(input));
}

/// _ctc_loss(log_probs, targets, input_lengths, target_lengths, …) with lists of lengths
void CtcLoss(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor probabilities = call.Tensor(0);
  int64_t longest = 0;
  if (call[3].isIntList()) {
    for (const int64_t length : call[3].toIntVector()) longest = std::max(longest, length);
  } else {
    longest = call.Tensor(1).dim() == 2 ? call.Tensor(1).size(1) : call.Tensor(1).size(0);
  }
  const int64_t samples = probabilities.size(1);
  call.Return(Empty({samples}, probabilities), Empty({samples, probabilities.size(0), 2 * longest + 1}, probabilities));
}

}  // namespace

void AddLosses(KernelTable& table) {
  table.insert({
      {"aten::mse_loss_backward", &Same<1>},
      {"aten::binary_cross_entropy_backward", &Same<1>},
      {"aten::huber_loss_backward", &Same<1>},
      {"aten::smooth_l1_loss_backward", &Same<1>},
      {"aten::soft_margin_loss_backward", &Same<1>},
      {"aten::huber_loss", &Loss<2>},
      {"aten::binary_cross_entropy", &Loss<3>},
      {"aten::nll_loss2d_forward", &NllLoss2d},
      {"aten::nll_loss2d_backward", &Same<1>},
      {"aten::multi_margin_loss", &MultiMarginLoss},
      {"aten::multi_margin_loss_backward", &Same<1>},
      {"aten::multilabel_margin_loss_forward", &MultilabelMarginLoss},
      {"aten::multilabel_margin_loss_backward", &Same<1>},
      {"aten::_ctc_loss", &CtcLoss},
      {"aten::_ctc_loss_backward", &Same<1>},
  });
}

}  // namespace planner::libtorch::meta
