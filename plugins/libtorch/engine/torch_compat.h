#pragma once

#include <cstddef>
#include <iterator>

#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/csrc/api/include/torch/version.h>

// What differs between the libtorch of Debian 12 (1.13) and of Debian 13 (2.6), as far as the engine uses it.

namespace planner::libtorch {

/// An allocator of storages without memory; a subclass defines AllocateNothing.
struct MemorylessAllocator : c10::Allocator {
  virtual c10::DataPtr AllocateNothing() const = 0;
#if TORCH_VERSION_MAJOR >= 2
  c10::DataPtr allocate(size_t) override { return AllocateNothing(); }
  void copy_data(void*, const void*, std::size_t) const override {}
#else
  c10::DataPtr allocate(size_t) const override { return AllocateNothing(); }
#endif
};

/// Leaves no device but the CPU and the meta device. For others autograd starts threads with its first backward pass, after which
/// 2.6 refuses to work in a forked process.
inline void ForgetOtherDevices() {
#if TORCH_VERSION_MAJOR >= 2
  for (size_t type = 0; type < std::size(c10::impl::device_guard_impl_registry); ++type) {
    if (type == static_cast<size_t>(c10::DeviceType::CPU) || type == static_cast<size_t>(c10::DeviceType::Meta))
      continue;
    c10::impl::device_guard_impl_registry[type].store(nullptr);
  }
#endif
}

}  // namespace planner::libtorch
