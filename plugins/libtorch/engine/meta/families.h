#pragma once

#include <string>
#include <unordered_map>

#include "plugins/libtorch/engine/meta/kernels.h"

namespace planner::libtorch::meta {

/// Stand-ins by "aten::name" or "aten::name.overload".
using KernelTable = std::unordered_map<std::string, MetaKernel>;

/// A file each, which says what is in it.
void AddElementwise(KernelTable& table);
void AddLayers(KernelTable& table);
void AddIndexing(KernelTable& table);
void AddReductions(KernelTable& table);
void AddAlgebra(KernelTable& table);
void AddLosses(KernelTable& table);

}  // namespace planner::libtorch::meta
