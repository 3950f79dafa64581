// Stand-ins for selections, sorted places and samples.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include <ATen/ATen.h>

#include "plugins/libtorch/engine/meta/call.h"
#include "plugins/libtorch/engine/meta/families.h"

namespace planner::libtorch::meta {
namespace {

void Diag(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const int64_t offset = call.Int(1);
  const int64_t shift = std::abs(offset);
  if (input.dim() == 1) {
    call.Return(Empty({input.size(0) + shift, input.size(0) + shift}, input));
    return;
  }
  const int64_t rows = input.size(0) + std::min<int64_t>(offset, 0);
  const int64_t columns = input.size(1) - std::max<int64_t>(offset, 0);
  call.Return(Empty({std::max<int64_t>(std::min(rows, columns), 0)}, input));
}

void GridSampler(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const at::Tensor grid = call.Tensor(1);
  Sizes sizes = {input.size(0), input.size(1)};
  for (int64_t i = 1; i + 1 < grid.dim(); ++i) sizes.push_back(grid.size(i));
  call.Return(Empty(sizes, input));
}

void GridSamplerBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  const std::vector<bool> mask = call.Bools(6);
  const at::Tensor input = call.Tensor(1);
  const at::Tensor grid = call.Tensor(2);
  call.Return(If(mask[0], input), If(mask[1], grid));
}

void RepeatInterleave(Stack& stack, size_t count) {
  Call call(stack, count);
  if (call[1].isNone()) Refuse("repeat_interleave needs the values of its repeats: its output size is not given");
  call.Return(Indices({call.Int(1)}));
}

void UnfoldBackward(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Empty(call.Ints(1), call.Tensor(0)));
}

void Take(Stack& stack, size_t count) {
  Call call(stack, count);
  call.Return(Empty(call.Tensor(1).sizes().vec(), call.Tensor(0)));
}

void Multinomial(Stack& stack, size_t count) {
  Call call(stack, count);
  Sizes sizes = call.Tensor(0).sizes().vec();
  sizes.back() = call.Int(1);
  call.Return(Indices(sizes));
}

void IndexSelect(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  const at::Tensor index = call.Tensor(2);
  if (!at::isIntegralType(index.scalar_type(), false)) {
    Refuse(std::string("Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, "
                       "Int; but got ") +
           c10::toString(index.scalar_type()));
  }
  Sizes sizes = input.sizes().vec();
  if (!sizes.empty()) sizes[static_cast<size_t>(at::maybe_wrap_dim(call.Int(1), input.dim()))] = index.numel();
  call.Return(Empty(sizes, input));
}

/// Values are unknown: everything is taken to be selected, which the caller is told.
void MaskedSelect(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  int64_t elements = 1;
  for (const int64_t size : Broadcast(input, call.Tensor(1))) elements *= size;
  call.Return(Empty({elements}, input));
}

void Nonzero(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  call.Return(Indices({input.numel(), input.dim()}));
}

}  // namespace

void AddIndexing(KernelTable& table) {
  table.insert({
      {"aten::flip", &Same<0>},
      {"aten::diag", &Diag},
      {"aten::argsort.stable", &SameIndices<0>},
      {"aten::index_select", &IndexSelect},
      {"aten::masked_select", &MaskedSelect},
      {"aten::nonzero", &Nonzero},
      {"aten::roll", &Same<0>},
      {"aten::channel_shuffle", &Same<0>},
      {"aten::native_channel_shuffle", &Same<0>},
      {"aten::grid_sampler_2d", &GridSampler},
      {"aten::grid_sampler_3d", &GridSampler},
      {"aten::grid_sampler_2d_backward", &GridSamplerBackward},
      {"aten::grid_sampler_3d_backward", &GridSamplerBackward},
      {"aten::repeat_interleave.Tensor", &RepeatInterleave},
      {"aten::unfold_backward", &UnfoldBackward},
      {"aten::take", &Take},
      {"aten::multinomial", &Multinomial},
      {"aten::bucketize.Tensor", &SameIndices<0>},
      {"aten::searchsorted.Tensor", &SameIndices<1>},
  });
}

}  // namespace planner::libtorch::meta
