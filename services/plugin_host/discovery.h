#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "planner/config/v1/config.pb.h"
#include "services/plugin_host/plugin_spec.h"

namespace planner::plugin_host {

/// Programs `planner-counter-NAME` in the folder, by name; none where there is no such folder.
std::vector<PluginSpec> FindPlugins(const std::string& folder);

/// The folder `plugins` beside the program that runs; empty if that cannot be told.
std::string PluginFolderOfThisProgram();

/// What is found and what is configured: an entry replaces or turns off what was found under its name. Those of the configuration
/// come first, in its order. INVALID_ARGUMENT with the path in Config: no name or one that is no counter's, two of one name, the
/// analytic counter's name, neither program nor address, certificates that are incomplete, plain text to another host.
absl::StatusOr<std::vector<PluginSpec>> MakeSpecs(const std::vector<config::v1::CounterPlugin>& configured,
                                                  std::vector<PluginSpec> found);

}  // namespace planner::plugin_host
