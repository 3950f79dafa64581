#pragma once

#include <memory>
#include <string>

#include "core/base/error.h"
#include "services/plugin_host/remote_counter.h"
#include "tests/plugins/models.h"

namespace planner::plugins_test {

/// A host of the faulty plugin.
inline std::unique_ptr<plugin_host::RemoteCounter> Faulty(const base::Clock& clock, const std::string& start = "",
                                                          plugin_host::HostOptions options = {}) {
  plugin_host::PluginSpec spec{.name = "faulty", .program = FAULTY_PLUGIN};
  if (!start.empty()) spec.variables["FAULTY_START"] = start;
  return std::make_unique<plugin_host::RemoteCounter>(std::move(spec), options, clock, nullptr);
}

inline absl::StatusOr<counting::CostReport> CountOf(const counting::Counter& counter, const std::string& mode,
                                                    int salt = 0, absl::Time deadline = absl::InfiniteFuture(),
                                                    base::Cancellation cancelled = {}) {
  const model::ModelDescription model = Gpt2(mode, salt);
  return counter.Count(
      {.model = model, .batch = {.seq_len = 8}, .deadline = deadline, .cancelled = std::move(cancelled)});
}

inline std::string ReasonOf(const absl::Status& status) { return base::DetailOf(status).reason; }

}  // namespace planner::plugins_test
