#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "plugins/libtorch/archive/limits.h"

namespace planner::libtorch {

/// Bytes of the member that holds the storage `key` of a pickle's tensors; nullopt if there is none.
using StorageBytes = std::function<std::optional<int64_t>(std::string_view key)>;

/// Runs the pickle `bytes` on a model of the unpickler's stack, which knows of each value what kind it is, and lets through what
/// torch::jit::Pickler writes:
/// - its opcodes, protocol 2, STOP at the end, one value left;
/// - operands of the right kind and number for every opcode; memo entries that were put before;
/// - the globals of torch and classes of __torch__;
/// - tensors whose sizes, strides and offset lie within their storage, storages that are as long as their member;
/// - containers that are filled before they are used, so none contains itself, nested no deeper than the limit.
/// `name` is the member's, for messages. Errors: archive_error.h.
absl::Status CheckPickle(std::string_view name, std::string_view bytes, const StorageBytes& storage_bytes,
                         const ArchiveLimits& limits);

}  // namespace planner::libtorch
