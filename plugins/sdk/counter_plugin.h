#pragma once

#include "absl/time/time.h"
#include "planner/plugin/v1/counter_plugin.pb.h"

namespace planner::plugin {

/// A counter in a process of its own: what its author writes. Serve does the rest.
class CounterPlugin {
 public:
  virtual ~CounterPlugin() = default;

  virtual v1::PluginInfo Info() = 0;

  /// Counts one pass over one batch, by the rules of core/counting/counter.h. Called from several threads, at most
  /// Info().max_concurrent_counts at once. Must return by `deadline`; what it throws is answered as INTERNAL.
  virtual v1::CountResponse Count(const v1::CountRequest& request, absl::Time deadline) = 0;
};

/// Serves `plugin` until the host closes standard input or sends SIGTERM: reads the cookie and socket path that the host has
/// put into the environment, listens, prints the handshake line, answers. Returns the process's exit code; 2, with a sentence
/// on standard error, where no host has started it.
int Serve(CounterPlugin& plugin);

}  // namespace planner::plugin
