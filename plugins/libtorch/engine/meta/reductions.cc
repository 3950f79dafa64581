// Stand-ins for sums, means, medians.

#include <vector>

#include <ATen/ATen.h>

#include "plugins/libtorch/engine/meta/call.h"
#include "plugins/libtorch/engine/meta/families.h"

namespace planner::libtorch::meta {
namespace {

Sizes Reduced(const at::Tensor& tensor, int64_t dimension, bool keep) {
  Sizes sizes = tensor.sizes().vec();
  if (sizes.empty()) return sizes;
  const auto at = static_cast<size_t>(at::maybe_wrap_dim(dimension, tensor.dim()));
  if (keep) {
    sizes[at] = 1;
  } else {
    sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return sizes;
}

/// Arguments kDimension and the next are dim and keepdim: median(self, dim, keepdim), kthvalue(self, k, dim, keepdim).
template <size_t kDimension>
void ValuesAndIndices(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = Reduced(input, call.Int(kDimension), call.Bool(kDimension + 1));
  call.Return(Empty(sizes, input), Indices(sizes));
}

void Scalar(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Empty({}, call.Tensor(0)));
}

/// Sizes without the dimensions of `dimensions`; none named: all.
Sizes ReducedOver(const at::Tensor& tensor, const Sizes& dimensions, bool keep) {
  std::vector<bool> gone(static_cast<size_t>(tensor.dim()), dimensions.empty());
  for (const int64_t dimension : dimensions)
    gone[static_cast<size_t>(at::maybe_wrap_dim(dimension, tensor.dim()))] = true;
  Sizes sizes;
  for (size_t i = 0; i < gone.size(); ++i) {
    if (!gone[i]) {
      sizes.push_back(tensor.size(static_cast<int64_t>(i)));
    } else if (keep) {
      sizes.push_back(1);
    }
  }
  return sizes;
}

/// Argument 1 is dim, kKeep is keepdim: var(self, dim, correction, keepdim), nansum(self, dim, keepdim).
template <size_t kKeep>
void Over(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Empty(ReducedOver(input, call.Ints(1), call.Bool(kKeep)), input));
}

void VarianceAndMean(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const Sizes sizes = ReducedOver(input, call.Ints(1), call.Bool(3));
  call.Return(Empty(sizes, input), Empty(sizes, input));
}

void CountNonzero(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Indices(ReducedOver(call.Tensor(0), call.Ints(1), false)));
}

}  // namespace

void AddReductions(KernelTable& table) {
  table.insert({
      {"aten::dot", &Scalar},
      {"aten::vdot", &Scalar},
      {"aten::trace", &Scalar},
      {"aten::max.", &Scalar},
      {"aten::min.", &Scalar},
      {"aten::prod.", &Scalar},
      {"aten::var.correction", &Over<3>},
      {"aten::std.correction", &Over<3>},
      {"aten::var_mean.correction", &VarianceAndMean},
      {"aten::std_mean.correction", &VarianceAndMean},
      {"aten::nansum", &Over<2>},
      {"aten::count_nonzero.dim_IntList", &CountNonzero},
      {"aten::median.dim", &ValuesAndIndices<1>},
      {"aten::nanmedian.dim", &ValuesAndIndices<1>},
      {"aten::mode", &ValuesAndIndices<1>},
      {"aten::kthvalue", &ValuesAndIndices<2>},
      {"aten::median", &Scalar},
      {"aten::nanmedian", &Scalar},
  });
}

}  // namespace planner::libtorch::meta
