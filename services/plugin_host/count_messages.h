#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/counting/counter.h"
#include "planner/plugin/v1/counter_plugin.pb.h"

namespace planner::plugin_host {

namespace plugin_v1 = planner::plugin::v1;

/// What a model is known by in the record of those that ended plugins: the file's sha256, or that of the description's text.
std::string DigestOf(const model::ModelSource& source);

/// The request for a plugin; a file's path only for one that reads local files. INTERNAL: a description without a source.
absl::StatusOr<plugin_v1::CountRequest> ToPlugin(const counting::CountRequest& request, bool reads_local_files);

/// The report of an answer, of which nothing is believed that cannot be so: counts are 0 or more and MACs below 2^62, parts are no
/// larger than the whole, modules and operators add up, inference has no backward pass. INTERNAL (PLUGIN_LIES) says what is not so.
absl::StatusOr<counting::CostReport> FromPlugin(const plugin_v1::CountResult& result, const counting::CountRequest& request);

/// A plugin's error with its code, field and reason; a code that is not among those of CountError is INTERNAL.
absl::Status FromPlugin(const plugin_v1::CountError& error);

/// "torchscript" and so on, for formats that this version knows.
std::vector<model::SourceFormat> FormatsOf(const plugin_v1::PluginInfo& info);

}  // namespace planner::plugin_host
