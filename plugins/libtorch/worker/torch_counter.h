#pragma once

#include <string>

#include "core/base/clock.h"
#include "plugins/libtorch/worker/verified_files.h"
#include "plugins/libtorch/worker/zygote_client.h"
#include "plugins/sdk/counter_plugin.h"

namespace planner::libtorch {

struct TorchCounterOptions {
  ZygoteClientOptions zygote;
  /// A worker's memory beyond the zygote's own: this much, and so much for each byte of the file. Parameters are never loaded, but
  /// a traced graph's constants are, and a compiled graph grows with the code.
  int64_t memory_base_bytes = int64_t{1} << 30;
  double memory_per_file_byte = 3;
  /// Of an answer: modules and operators.
  int64_t max_reply_bytes = int64_t{32} << 20;
  /// Processor seconds for each second until the deadline.
  double cpu_per_second = 1;
  bool allow_setstate = false;
  bool allow_file_operators = false;
  bool allow_fork = false;
  /// Counts nothing where a protective measure is missing.
  bool require_all_measures = false;
};

/// The libtorch counter's front: opens the model file, has a sandboxed worker check and count it, and says of every way in which
/// that can end what it was. Links no torch, reads nothing of the file but its bytes for the digest.
class TorchCounter final : public plugin::CounterPlugin {
 public:
  explicit TorchCounter(TorchCounterOptions options, const base::Clock& clock = base::Clock::Real());

  plugin::v1::PluginInfo Info() override;
  plugin::v1::CountResponse Count(const plugin::v1::CountRequest& request, absl::Time deadline) override;
  /// The same; once `cancelled` says so the worker is killed and the answer is CANCELLED.
  plugin::v1::CountResponse CountUnlessCancelled(const plugin::v1::CountRequest& request, absl::Time deadline,
                                                 const base::Cancellation& cancelled) override;

  /// For tests.
  ZygoteClient& zygote() { return zygote_; }

 private:
  const TorchCounterOptions options_;
  const base::Clock& clock_;
  VerifiedFiles verified_;
  ZygoteClient zygote_;
};

}  // namespace planner::libtorch
