#include "plugins/libtorch/engine/heap.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

namespace planner::libtorch {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
/// What most counts need; a larger heap grows by ordinary pages.
constexpr size_t kRoom = size_t{32} << 20;

}  // namespace

void SetUpHeap() {
  mallopt(M_MXFAST, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TOP_PAD, 4 << 20);
}

void MakeRoomOnHeap() {
  void* room = std::malloc(kRoom + kHugePage);
  if (room == nullptr) return;
  const auto first = (reinterpret_cast<uintptr_t>(room) + kHugePage - 1) / kHugePage * kHugePage;
  // Refused by kernels without such pages: then it is ordinary memory.
  madvise(reinterpret_cast<void*>(first), kRoom, MADV_HUGEPAGE);
  std::free(room);
}

}  // namespace planner::libtorch
