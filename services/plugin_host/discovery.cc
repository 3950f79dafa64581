#include "services/plugin_host/discovery.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/counting/analytic_counter.h"
#include "fmt/format.h"
#include "services/plugin_host/plugin_channel.h"

namespace planner::plugin_host {
namespace {

constexpr std::string_view kPrefix = "planner-counter-";
constexpr size_t kMaxName = 63;

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

absl::Status Check(const std::string& field, const config::v1::CounterPlugin& plugin) {
  if (!IsName(plugin.name())) {
    return base::InvalidField(field + ".name", fmt::format("must be 1 to {} lower case letters, digits and dashes: name=\"{}\"", kMaxName, plugin.name()));
  }
  if (plugin.name() == counting::AnalyticCounter::kName) return base::InvalidField(field + ".name", "is that of the counter within plannerd");
  if (plugin.disabled()) return absl::OkStatus();
  const bool any = !plugin.ca_file().empty() || !plugin.certificate_file().empty() || !plugin.key_file().empty();
  const bool all = !plugin.ca_file().empty() && !plugin.certificate_file().empty() && !plugin.key_file().empty();
  if (any != all) return base::InvalidField(field, "ca_file, certificate_file and key_file go together");
  switch (plugin.where_case()) {
    case config::v1::CounterPlugin::kCommand:
      if (plugin.command().program().empty()) return base::InvalidField(field + ".command.program", "is missing");
      if (any) return base::InvalidField(field + ".ca_file", "is for a plugin with an address");
      return absl::OkStatus();
    case config::v1::CounterPlugin::kAddress:
      if (plugin.address().find(':') == std::string::npos) return base::InvalidField(field + ".address", "must be HOST:PORT");
      if (!any && !IsLoopback(plugin.address())) {
        return base::InvalidField(field + ".address", "plain text is for loopback alone: give ca_file, certificate_file and key_file");
      }
      return absl::OkStatus();
    case config::v1::CounterPlugin::WHERE_NOT_SET:
      break;
  }
  return absl::OkStatus();  // Settings for a plugin that is found.
}

}  // namespace

std::vector<PluginSpec> FindPlugins(const std::string& folder) {
  std::vector<PluginSpec> specs;
  if (folder.empty()) return specs;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (!file.starts_with(kPrefix) || access(entry->path().c_str(), X_OK) != 0 || !entry->is_regular_file(error)) continue;
    const std::string name = file.substr(kPrefix.size());
    if (IsName(name) && name != counting::AnalyticCounter::kName) specs.push_back({.name = name, .program = entry->path().string()});
  }
  std::sort(specs.begin(), specs.end(), [](const PluginSpec& a, const PluginSpec& b) { return a.name < b.name; });
  return specs;
}

std::string PluginFolderOfThisProgram() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "" : (program.parent_path() / "plugins").string();
}

absl::StatusOr<std::vector<PluginSpec>> MakeSpecs(const std::vector<config::v1::CounterPlugin>& configured,
                                                  std::vector<PluginSpec> found) {
  std::vector<PluginSpec> specs;
  std::set<std::string> names;
  for (size_t i = 0; i < configured.size(); ++i) {
    const config::v1::CounterPlugin& plugin = configured[i];
    const std::string field = fmt::format("counter_plugins[{}]", i);
    RETURN_IF_ERROR(Check(field, plugin));
    if (!names.insert(plugin.name()).second) return base::InvalidField(field + ".name", fmt::format("is there twice: name={}", plugin.name()));
    if (plugin.disabled()) continue;
    PluginSpec spec{.name = plugin.name(), .require_all_measures = plugin.require_all_measures()};
    if (plugin.has_command()) {
      spec.program = plugin.command().program();
      spec.arguments.assign(plugin.command().arguments().begin(), plugin.command().arguments().end());
    } else if (!plugin.address().empty()) {
      spec.address = plugin.address();
      spec.ca_file = plugin.ca_file();
      spec.certificate_file = plugin.certificate_file();
      spec.key_file = plugin.key_file();
    } else {
      const auto same = std::find_if(found.begin(), found.end(), [&](const PluginSpec& one) { return one.name == spec.name; });
      if (same == found.end()) {
        return base::InvalidField(field, fmt::format("has neither command nor address, and none is found beside plannerd: name={}", spec.name));
      }
      spec.program = same->program;
    }
    specs.push_back(std::move(spec));
  }
  for (PluginSpec& spec : found) {
    if (!names.contains(spec.name)) specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace planner::plugin_host
