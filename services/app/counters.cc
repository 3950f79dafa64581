#include "services/app/counters.h"

#include <utility>

#include "core/counting/analytic_counter.h"
#include "core/counting/cached_counter.h"
#include "services/plugin_host/remote_counter.h"
#include "services/telemetry/measured_counter.h"

namespace planner::app {

Counters::Counters(std::vector<plugin_host::PluginSpec> plugins, const plugin_host::HostOptions& options,
                   prometheus::Registry& registry, const base::Clock& clock, telemetry::Log* log) {
  const auto own = [this](auto counter) -> const counting::Counter& { return *owned_.emplace_back(std::move(counter)); };
  std::vector<const counting::Counter*> members;
  const counting::Counter& analytic = own(std::make_unique<const counting::AnalyticCounter>(clock));
  members.push_back(&own(std::make_unique<const telemetry::MeasuredCounter>(analytic, registry, clock)));
  for (plugin_host::PluginSpec& spec : plugins) {
    const counting::Counter& remote =
        own(std::make_unique<const plugin_host::RemoteCounter>(std::move(spec), options, clock, log));
    const counting::Counter& measured = own(std::make_unique<const telemetry::MeasuredCounter>(remote, registry, clock));
    members.push_back(&own(std::make_unique<const counting::CachedCounter>(measured, clock)));
  }
  set_ = std::make_unique<const counting::CounterSet>(std::move(members));
}

}  // namespace planner::app
