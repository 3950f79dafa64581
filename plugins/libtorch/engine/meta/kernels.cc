#include "plugins/libtorch/engine/meta/kernels.h"

#include <torch/library.h>

#include "plugins/libtorch/engine/meta/composite.h"
#include "plugins/libtorch/engine/meta/families.h"

namespace planner::libtorch::meta {
namespace {

const KernelTable& Kernels() {
  static const auto& kernels = *[] {
    auto* table = new KernelTable;
    for (const auto add : {&AddElementwise, &AddLayers, &AddIndexing, &AddReductions, &AddAlgebra, &AddLosses}) add(*table);
    return table;
  }();
  return kernels;
}

}  // namespace

MetaKernel FindMetaKernel(const std::string& full_name, const std::string& overload) {
  const auto& kernels = Kernels();
  auto found = kernels.find(full_name + "." + overload);
  // Overloads that write to a given output ("out") have other arguments.
  if (found == kernels.end() && overload.find("out") == std::string::npos &&
      overload.find("grad_input") == std::string::npos) {
    found = kernels.find(full_name);
  }
  return found == kernels.end() ? nullptr : found->second;
}

}  // namespace planner::libtorch::meta

TORCH_LIBRARY_IMPL(aten, AutogradMeta, library) {
  library.impl("repeat_interleave.self_int", &planner::libtorch::meta::RepeatInterleaveNumber);
  library.impl("one_hot", &planner::libtorch::meta::OneHot);
  library.impl("take_along_dim", &planner::libtorch::meta::TakeAlongDim);
  library.impl("_native_multi_head_attention", &planner::libtorch::meta::MultiHeadAttention);
  library.impl("_transformer_encoder_layer_fwd", &planner::libtorch::meta::TransformerEncoderLayer);
}
