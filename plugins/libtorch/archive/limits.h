#pragma once

#include <cstdint>

namespace planner::libtorch {

/// What a model file may be at most. The defaults let through what torch.jit.save writes of any usual model.
struct ArchiveLimits {
  /// Of the whole file.
  int64_t max_file_bytes = int64_t{256} << 30;
  int64_t max_members = 10'000;
  /// Of the zip directory.
  int64_t max_directory_bytes = int64_t{16} << 20;
  /// Of all code/*.py together, inflated.
  int64_t max_code_bytes = int64_t{4} << 20;
  /// Of all code/*.debug_pkl together, inflated.
  int64_t max_debug_bytes = int64_t{64} << 20;
  int64_t max_code_line_bytes = 64 << 10;
  /// Brackets inside brackets, blocks inside blocks, values inside values of a pickle.
  int max_nesting = 200;
  /// Operators of one expression, over all its brackets: torch's compiler recurses once for each.
  int max_expression_operators = 2'000;
  /// Of data.pkl, of constants.pkl.
  int64_t max_pickle_bytes = int64_t{64} << 20;
  /// Values that one pickle builds.
  int64_t max_pickle_values = 8'000'000;

  /// Classes that run code of their own while they are loaded.
  bool allow_setstate = false;
  /// Operators that open files by themselves: from_file, save.
  bool allow_file_operators = false;
  /// torch.jit.fork, remote calls: work on other threads.
  bool allow_fork = false;
  /// False where the same file's check sums were right before.
  bool verify_crc = true;
};

}  // namespace planner::libtorch
