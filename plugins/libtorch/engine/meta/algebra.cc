// Stand-ins for products, distances, solvers and Fourier transforms.

#include <ATen/ATen.h>

#include "plugins/libtorch/engine/meta/call.h"
#include "plugins/libtorch/engine/meta/families.h"

namespace planner::libtorch::meta {
namespace {

void Addbmm(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor left = call.Tensor(1);
  call.Return(Empty({left.size(1), call.Tensor(2).size(2)}, left));
}

/// _fft_r2c(self, dim, normalization, onesided)
void FftRealToComplex(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  Sizes sizes = input.sizes().vec();
  const Sizes dimensions = call.Ints(1);
  if (call.Bool(3) && !dimensions.empty()) {
    int64_t& last = sizes[static_cast<size_t>(at::maybe_wrap_dim(dimensions.back(), input.dim()))];
    last = last / 2 + 1;
  }
  call.Return(OfType(sizes, c10::toComplexType(input.scalar_type())));
}

/// _fft_c2r(self, dim, normalization, last_dim_size)
void FftComplexToReal(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor input = call.Tensor(0);
  Sizes sizes = input.sizes().vec();
  const Sizes dimensions = call.Ints(1);
  if (!dimensions.empty()) sizes[static_cast<size_t>(at::maybe_wrap_dim(dimensions.back(), input.dim()))] = call.Int(3);
  call.Return(OfType(sizes, c10::toRealValueType(input.scalar_type())));
}

/// The batches of two matrices, all but the last two dimensions, and then a matrix of that size.
Sizes BatchesOf(const at::Tensor& left, const at::Tensor& right, int64_t rows, int64_t columns) {
  Sizes sizes = at::infer_size(left.sizes().slice(0, static_cast<size_t>(left.dim() - 2)),
                               right.sizes().slice(0, static_cast<size_t>(right.dim() - 2)));
  sizes.push_back(rows);
  sizes.push_back(columns);
  return sizes;
}

void CdistForward(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor left = call.Tensor(0);
  const at::Tensor right = call.Tensor(1);
  call.Return(Empty(BatchesOf(left, right, left.size(-2), right.size(-2)), left));
}

/// linalg_solve_triangular(A, B, upper, left, unitriangular): like B, over the batches of both.
void SolveTriangular(Stack& stack, size_t count) {
  Call call(stack, count);
  const at::Tensor right = call.Tensor(1);
  call.Return(Empty(BatchesOf(call.Tensor(0), right, right.size(-2), right.size(-1)), right));
}

void PdistForward(Stack& stack, size_t count) {
  Call call(stack, count);
  const int64_t rows = call.Tensor(0).size(0);
  call.Return(Empty({rows * (rows - 1) / 2}, call.Tensor(0)));
}

}  // namespace

void AddAlgebra(KernelTable& table) {
  table.insert({
      {"aten::_fft_c2c", &Same<0>},
      {"aten::linalg_solve_triangular", &SolveTriangular},
      {"aten::cholesky", &Same<0>},
      {"aten::cholesky_inverse", &Same<0>},
      {"aten::linalg_matrix_exp", &Same<0>},
      {"aten::addbmm", &Addbmm},
      {"aten::_fft_r2c", &FftRealToComplex},
      {"aten::_fft_c2r", &FftComplexToReal},
      {"aten::_logcumsumexp", &Same<0>},
      {"aten::_cdist_forward", &CdistForward},
      {"aten::_cdist_backward", &Same<1>},
      {"aten::_pdist_forward", &PdistForward},
      {"aten::_pdist_backward", &Same<1>},
  });
}

}  // namespace planner::libtorch::meta
