#pragma once

#include <cstddef>
#include <string>

#include <ATen/core/stack.h>

namespace planner::libtorch::meta {

/// Stands in for an operator on the meta device: takes its `argument_count` arguments from the stack and leaves its results there.
using MetaKernel = void (*)(torch::jit::Stack& stack, size_t argument_count);

/// The stand-in for an operator ("aten::relu") that libtorch 1.13 has no Meta kernel for, or a slow one; null: none.
MetaKernel FindMetaKernel(const std::string& full_name, const std::string& overload);

}  // namespace planner::libtorch::meta
