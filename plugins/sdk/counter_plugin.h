#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/cancellation.h"
#include "planner/plugin/v1/counter_plugin.pb.h"

namespace planner::plugin {

/// A counter in a process of its own: what its author writes. Serve does the rest.
class CounterPlugin {
 public:
  virtual ~CounterPlugin() = default;

  virtual v1::PluginInfo Info() = 0;

  /// Counts one pass over one batch, by the rules of core/counting/counter.h. Called from several threads, at most
  /// Info().max_concurrent_counts at once. Must return by `deadline`; what it throws is answered as INTERNAL. A model file is
  /// here: `request.file().path()` can be opened, whether or not host and plugin share a disk.
  virtual v1::CountResponse Count(const v1::CountRequest& request, absl::Time deadline) = 0;

  /// What the host's calls come to: Count, unless a plugin overrides it and announces Info().ends_cancelled_counts. It is then to
  /// return soon (100 ms) after `cancelled` says that nobody waits any more, with any answer.
  virtual v1::CountResponse CountUnlessCancelled(const v1::CountRequest& request, absl::Time deadline,
                                                 const base::Cancellation& cancelled) {
    static_cast<void>(cancelled);
    return Count(request, deadline);
  }
};

/// Serves `plugin` until the host closes standard input or sends SIGTERM: reads the cookie and socket path that the host has
/// put into the environment (handshake.h), listens, prints the handshake line, answers. Returns the process's exit code: 0; 1 if
/// it cannot listen; 2, with a sentence on standard error, where no host has started it or where it speaks none of the host's
/// versions. Call it once, from main, before any other thread is started.
int Serve(CounterPlugin& plugin);

/// The same, or, with `--listen HOST:PORT [--ca_file PEM --certificate_file PEM --key_file PEM]` on the command line, a plugin for
/// hosts elsewhere: it serves on that address until SIGTERM or SIGINT, and prints `planner-plugin|1|tcp|HOST:PORT|grpc` (port 0
/// picks a free one). With the three files, TLS in which both sides show a certificate of that authority; without, plain text,
/// which is refused for any address but loopback. 2, with a sentence, for other arguments.
int Serve(CounterPlugin& plugin, int argc, const char* const* argv);

/// An answer that is an error. `code` is that of google.rpc.Code; `reason` UPPER_SNAKE_CASE; `field` as in CountError.
v1::CountResponse Error(absl::StatusCode code, std::string message, std::string reason = "", std::string field = "");

}  // namespace planner::plugin
