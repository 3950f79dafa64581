#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <ATen/core/ivalue.h>

#include "plugins/libtorch/engine/rules/tally.h"

namespace planner::libtorch {

/// What one count observes. Operators are seen where Python's TorchDispatchMode sees them: below autograd, so that composite
/// ones have come apart and nothing is seen twice. Used from one thread.
class Recorder {
 public:
  Recorder(Tally& tally, int activation_element_bytes) : tally_(tally), activation_element_bytes_(activation_element_bytes) {}

  /// The module whose code runs.
  int module() const { return modules_.back(); }
  Tally::Pass pass() const { return pass_; }

  /// A method of the module `self` begins or ends. Objects that are no module stay with their caller.
  void EnterMethod(const void* self);
  void LeaveMethod();
  /// A node of the autograd graph begins or ends.
  void EnterNode(int64_t sequence_number);
  void LeaveNode() { modules_.pop_back(); }
  void BeginBackward();

  void AddCall(std::string_view kind, base::Checked macs, base::Checked other_flops, bool causal) {
    tally_.AddCall(module(), pass_, kind, macs, other_flops, causal);
  }
  void AddUncounted(std::string_view name) { tally_.AddUncounted(name); }
  /// Autograd saves a tensor for the backward pass.
  void Saved(const at::Tensor& tensor);
  /// An operator reads or writes a tensor.
  void Accessed(const at::Tensor& tensor) { accessed_bytes_ += static_cast<double>(BytesOf(tensor, /*storage=*/false)); }
  /// An operator made a tensor: its storage counts as alive until it is freed.
  void Made(const at::Tensor& tensor);
  /// `weight` is the table of an embedding.
  void Embedded(const at::Tensor& weight);
  /// Indices of an embedding are no integers.
  void FloatingIndices(const at::Tensor& indices) { floating_indices_ = indices.storage().unsafeGetStorageImpl(); }

  /// The shape of an operator's result depends on values: it is taken to be the largest.
  void AssumeAll(const std::string& name) { assumed_all_.insert(name); }

  const std::unordered_set<std::string>& assumed_all() const { return assumed_all_; }
  double accessed_bytes() const { return accessed_bytes_; }
  int64_t peak_live_bytes() const { return peak_live_bytes_; }
  int64_t embedding_rows() const { return embedding_rows_; }
  const std::unordered_set<const void*>& embeddings() const { return embeddings_; }
  const void* floating_indices() const { return floating_indices_; }

  /// Where the first error came up: the module's path.
  std::string error_path;
  bool failed = false;
  /// The operator that stopped the pass, and why; empty: none.
  std::string unknown_operator;
  std::string data_dependent_operator;

  std::unordered_map<const void*, int> module_of_object;
  /// Storages of parameters, buffers and constants: they are neither activations nor live tensors of the pass.
  std::unordered_set<const void*> module_storages;

  void Failed();
  void Freed(int64_t bytes) { live_bytes_ -= bytes; }

 private:
  int64_t BytesOf(const at::Tensor& tensor, bool storage) const;

  Tally& tally_;
  int activation_element_bytes_;
  Tally::Pass pass_ = Tally::kForward;
  std::vector<int> modules_ = {0};
  /// From which sequence number on which module created the nodes of the autograd graph. Ascending.
  std::vector<std::pair<uint64_t, int>> node_modules_;
  std::unordered_set<const void*> saved_;
  std::unordered_set<const void*> embeddings_;
  std::unordered_set<std::string> assumed_all_;
  int64_t embedding_rows_ = 0;
  const void* floating_indices_ = nullptr;
  double accessed_bytes_ = 0;
  int64_t live_bytes_ = 0;
  int64_t peak_live_bytes_ = 0;
};

/// Observes and, where torch cannot work on shapes alone, stands in for operators while it lives. One at a time in a process.
class Interception {
 public:
  explicit Interception(Recorder& recorder);
  ~Interception();
  Interception(const Interception&) = delete;
  Interception& operator=(const Interception&) = delete;

 private:
  struct Guards;
  Guards* guards_;
};

/// While it lives, meta tensors can be put over storages that have no memory, as loading does.
class LoadScope {
 public:
  LoadScope();
  ~LoadScope();
  LoadScope(const LoadScope&) = delete;
  LoadScope& operator=(const LoadScope&) = delete;

 private:
  void* guard_;
};

/// Installs what is process-wide: the allocator of the meta device, the autograd engine. Idempotent.
void InstallHooks();

}  // namespace planner::libtorch
