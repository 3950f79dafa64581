#include "services/collector/gpu_names.h"

#include <algorithm>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace planner::collector {
namespace {

bool IsNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
}

std::string_view WithoutPort(std::string_view text) {
  if (!text.empty() && text.front() == '[') {
    const size_t end = text.find(']');
    return end == std::string_view::npos ? text : text.substr(1, end - 1);
  }
  const size_t colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && text.find(':') == colon && IsNumber(text.substr(colon + 1));
  return has_port ? text.substr(0, colon) : text;
}

}  // namespace

std::optional<std::string> GpuNames::NodeOf(const Series& series, const Nodes& nodes) const {
  for (size_t i = 0; i < node_label_count_; ++i) {
    const std::string& value = series.labels[i];
    if (value.empty()) continue;
    const std::string host(WithoutPort(value));
    for (const std::string& name : {value, host, host.substr(0, host.find('.'))}) {
      if (nodes(name).has_value()) return name;
    }
  }
  return std::nullopt;
}

std::string_view GpuNames::GpuOf(const Series& series) const {
  for (size_t i = node_label_count_; i < series.labels.size(); ++i) {
    if (!series.labels[i].empty()) return series.labels[i];
  }
  return {};
}

void GpuNames::Number(const std::string& node, const std::set<std::string>& seen, size_t gpus) {
  std::vector<std::string>& known = identities_[node];
  const auto is_new = [&](const std::string& identity) { return std::find(known.begin(), known.end(), identity) == known.end(); };
  std::vector<std::string> fresh;
  std::copy_if(seen.begin(), seen.end(), std::back_inserter(fresh), is_new);
  for (std::string& identity : known) {
    if (known.size() + fresh.size() <= gpus) break;
    if (fresh.empty()) break;
    if (seen.count(identity) > 0) continue;
    identity = fresh.front();  // A card that was replaced: the new one has its number.
    fresh.erase(fresh.begin());
  }
  for (std::string& identity : fresh) {
    if (known.size() < gpus) known.push_back(std::move(identity));
  }
}

std::vector<std::optional<Gpu>> GpuNames::Find(const std::vector<Series>& series, const Nodes& nodes) {
  // The same few labels come again and again: each node is looked for once.
  std::unordered_map<std::string, std::optional<int>> sizes;
  const Nodes cached = [&](const std::string& name) {
    const auto [found, is_new] = sizes.try_emplace(name);
    if (is_new) found->second = nodes(name);
    return found->second;
  };
  std::vector<std::optional<Gpu>> gpus(series.size());
  std::map<std::string, std::set<std::string>> seen;
  for (size_t i = 0; i < series.size(); ++i) {
    std::optional<std::string> node = NodeOf(series[i], cached);
    const std::string_view gpu = GpuOf(series[i]);
    if (!node.has_value() || gpu.empty()) continue;
    if (!IsNumber(gpu)) seen[*node].insert(std::string(gpu));
    gpus[i] = {std::move(*node), 0};
  }
  for (const auto& [node, identities] : seen) Number(node, identities, static_cast<size_t>(*cached(node)));
  for (size_t i = 0; i < series.size(); ++i) {
    if (!gpus[i].has_value()) continue;
    const std::string_view gpu = GpuOf(series[i]);
    const int most = *cached(gpus[i]->node);
    if (IsNumber(gpu)) {
      if (!absl::SimpleAtoi(std::string(gpu), &gpus[i]->number) || gpus[i]->number >= most) gpus[i].reset();
      continue;
    }
    const std::vector<std::string>& known = identities_[gpus[i]->node];
    const auto found = std::find(known.begin(), known.end(), gpu);
    if (found == known.end()) {
      gpus[i].reset();
    } else {
      gpus[i]->number = static_cast<int>(found - known.begin());
    }
  }
  return gpus;
}

}  // namespace planner::collector
