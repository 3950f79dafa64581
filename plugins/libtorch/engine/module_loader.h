#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include <torch/csrc/jit/api/module.h>

namespace planner::libtorch {

/// A module whose parameters and buffers are on the meta device.
struct LoadedModule {
  torch::jit::Module module;
  /// Storages of parameters, buffers, constants and other tensor attributes.
  std::unordered_set<const void*> storages;
  /// Elements of floating constants, and of those that are too large to be anything but weights: a frozen module has them instead
  /// of parameters.
  int64_t floating_constants = 0;
  int64_t constant_weights = 0;
};

/// Loads the TorchScript archive in `fd` without reading the records of its weights: they become tensors of the meta device.
/// What shapes may depend on is read: integer and boolean buffers and constants of up to 1 MiB, floating constants of up to
/// 64 KiB. Throws what torch throws (c10::Error, ErrorReport, …) on a broken file.
LoadedModule LoadModule(int fd);

/// As LoadModule, from an archive in memory.
LoadedModule LoadModule(std::string archive);

}  // namespace planner::libtorch
