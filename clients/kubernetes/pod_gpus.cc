#include "clients/kubernetes/pod_gpus.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::kubernetes {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 2> kGpuResources = {"nvidia.com/gpu", "amd.com/gpu"};

absl::StatusOr<int64_t> GpusOfContainer(const json& container) {
  const json& resources = Member(container, "resources");
  int64_t sum = 0;
  for (const char* const resource : kGpuResources) {
    for (const char* const list : {"limits", "requests"}) {
      const auto count = CountOf(Member(resources, list), resource, 0, "GPUs");
      if (!count.ok()) return base::AtField("resources", base::AtField(list, count.status()));
      if (*count == 0) continue;
      sum += *count;
      break;
    }
  }
  return sum;
}

}  // namespace

const json& Member(const json& object, const std::string& name) {
  static const json* const null = new json();
  if (!object.is_object()) return *null;
  const auto found = object.find(name);
  return found == object.end() ? *null : *found;
}

std::string TextOf(const json& value) { return value.is_string() ? value.get<std::string>() : ""; }

std::string Shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > 40) text.replace(40, std::string::npos, "…");
  return text;
}

absl::StatusOr<int64_t> CountOf(const json& object, const std::string& name, int64_t missing, std::string_view what) {
  const json& value = Member(object, name);
  if (value.is_null()) return missing;
  int64_t count = -1;
  if (value.is_number_integer()) {
    count = value.get<int64_t>();
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size()) count = -1;
  }
  if (count < 0 || count > kMostOfAnything) return base::InvalidField(name, fmt::format("is no number of {}: value={}", what, Shown(value)));
  return count;
}

absl::StatusOr<int64_t> GpusOfPod(const json& spec) {
  int64_t together = 0, most = 0;
  for (const char* const list : {"containers", "initContainers"}) {
    const json& containers = Member(spec, list);
    for (size_t i = 0; containers.is_array() && i < containers.size(); ++i) {
      const auto gpus = GpusOfContainer(containers[i]);
      if (!gpus.ok()) return base::AtField(fmt::format("{}[{}]", list, i), gpus.status());
      if (std::string_view(list) == "containers") together += *gpus;
      most = std::max(most, *gpus);
    }
  }
  return std::max(together, most);
}

}  // namespace planner::kubernetes
