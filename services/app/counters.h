#pragma once

#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/counting/counter_set.h"
#include "services/plugin_host/plugin_spec.h"
#include "services/plugin_host/remote_counter.h"
#include "services/telemetry/log.h"

namespace planner::app {

/// Every counter of a planner: the one of this process first, then the plugins, each one measured, those in other processes behind
/// a memory of their counts.
class Counters {
 public:
  /// Starts nothing. `log` may be null. All must outlive it.
  Counters(std::vector<plugin_host::PluginSpec> plugins, const plugin_host::HostOptions& options, prometheus::Registry& registry,
           const base::Clock& clock, telemetry::Log* log);

  const counting::CounterSet& set() const { return *set_; }
  /// Starts of plugins after the first, by name.
  std::map<std::string, int64_t> Restarts() const;

 private:
  std::vector<std::unique_ptr<const counting::Counter>> owned_;
  std::map<std::string, const plugin_host::RemoteCounter*> remotes_;
  std::unique_ptr<const counting::CounterSet> set_;
};

}  // namespace planner::app
