#include "services/app/counters.h"

#include <algorithm>
#include <utility>

#include "core/counting/analytic_counter.h"
#include "core/counting/cached_counter.h"
#include "services/telemetry/measured_counter.h"

namespace planner::app {

Counters::Counters(std::vector<plugin_host::PluginSpec> plugins, const plugin_host::HostOptions& options,
                   prometheus::Registry& registry, const base::Clock& clock, telemetry::Log* log) {
  const auto own = [this](auto counter) -> const counting::Counter& { return *owned_.emplace_back(std::move(counter)); };
  std::vector<const counting::Counter*> members;
  const counting::Counter& analytic = own(std::make_unique<const counting::AnalyticCounter>(clock));
  members.push_back(&own(std::make_unique<const telemetry::MeasuredCounter>(analytic, registry, clock)));
  for (plugin_host::PluginSpec& spec : plugins) {
    const std::string name = spec.name;
    auto process = std::make_unique<const plugin_host::RemoteCounter>(std::move(spec), options, clock, log);
    remotes_[name] = process.get();
    const counting::Counter& remote = own(std::move(process));
    const counting::Counter& measured = own(std::make_unique<const telemetry::MeasuredCounter>(remote, registry, clock));
    members.push_back(&own(std::make_unique<const counting::CachedCounter>(measured, clock)));
  }
  set_ = std::make_unique<const counting::CounterSet>(std::move(members));
}

std::map<std::string, int64_t> Counters::Restarts() const {
  std::map<std::string, int64_t> restarts;
  for (const auto& [name, counter] : remotes_) restarts[name] = std::max<int64_t>(0, counter->start_count() - 1);
  return restarts;
}

}  // namespace planner::app
