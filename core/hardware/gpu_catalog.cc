#include "core/hardware/gpu_catalog.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <span>
#include <utility>

#include "core/base/embedded_file.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace planner::base {
std::span<const EmbeddedFile> EmbeddedFiles_core_hardware();
}

namespace planner::hardware {
namespace {

using Json = nlohmann::json;

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

/// Lower case; every run of characters that are neither letters nor digits is one dash: "NVIDIA H100 80GB HBM3" and
/// "nvidia_h100_80gb_hbm3" are the same key.
std::string Normalize(std::string_view name) {
  std::string key;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      key += static_cast<char>(std::tolower(byte));
    } else if (!key.empty() && key.back() != '-') {
      key += '-';
    }
  }
  if (!key.empty() && key.back() == '-') key.pop_back();
  return key;
}

/// The key without the dashes that nobody agrees on: "rtx-4090" and "rtx4090" are one, "a100-40gb" and "a10040gb" are not.
std::string Folded(std::string_view key) {
  const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  std::string folded;
  for (size_t i = 0; i < key.size(); ++i) {
    const bool between_digits = i > 0 && i + 1 < key.size() && is_digit(key[i - 1]) && is_digit(key[i + 1]);
    if (key[i] != '-' || between_digits) folded += key[i];
  }
  return folded;
}

/// Without what tools put round the product: the vendor, the brand, and the mark of a time-shared card.
std::string_view Product(std::string_view key) {
  constexpr std::string_view kShared = "-shared";
  if (key.ends_with(kShared)) key.remove_suffix(kShared.size());
  for (const std::string_view brand : {"nvidia-", "amd-", "intel-", "huawei-", "google-", "aws-", "tesla-", "geforce-",
                                       "instinct-", "quadro-", "habana-"}) {
    if (key.starts_with(brand)) key.remove_prefix(brand.size());
  }
  return key;
}

GpuType FromJson(const Json& json) {
  GpuType type;
  type.name = json.at("name").get<std::string>();
  type.aliases = json.at("aliases").get<std::vector<std::string>>();
  type.vendor = json.at("vendor").get<std::string>();
  type.architecture = json.at("architecture").get<std::string>();
  type.release_year = json.at("year").get<int>();
  type.memory_bytes = std::llround(json.at("memory_gib").get<double>() * kGib);
  type.memory_bandwidth = json.at("memory_gb_per_s").get<double>() * 1e9;
  type.power_watts = json.at("watts").get<double>();
  for (const auto& [precision, teraflops] : json.at("peak_tflops").items()) {
    type.peak_flops[precision] = teraflops.get<double>() * 1e12;
  }
  type.link = json.at("link").get<std::string>();
  type.link_bandwidth = json.at("link_gb_per_s").get<double>() * 1e9;
  type.network_bandwidth = json.at("network_gbit_per_s").get<double>() * 1e9 / 8;
  type.pcie_bandwidth = json.at("pcie_gb_per_s").get<double>() * 1e9;
  type.gpus_per_node = json.at("gpus_per_node").get<int>();
  type.scale_up_domain = json.at("scale_up_domain").get<int>();
  type.verified = json.at("verified").get<bool>();
  type.notes = json.at("notes").get<std::string>();
  return type;
}

std::vector<GpuType> BuiltInTypes() {
  std::vector<GpuType> types;
  for (const base::EmbeddedFile& file : base::EmbeddedFiles_core_hardware()) {
    for (const Json& json : Json::parse(file.content)) types.push_back(FromJson(json));
  }
  return types;
}

absl::Status CheckOwn(const GpuType& type) {
  if (Normalize(type.name).empty()) return base::InvalidField("name", "a GPU type needs a name");
  if (type.memory_bytes <= 0) {
    return base::InvalidField("memory_bytes", fmt::format("must be positive: memory_bytes={}", type.memory_bytes));
  }
  if (type.peak_flops.empty())
    return base::InvalidField("peaks", "a GPU type needs the peak of one precision at least");
  for (const auto& [precision, flops] : type.peak_flops) {
    if (!std::isfinite(flops) || flops <= 0) {
      return base::InvalidField("peaks", fmt::format("must be positive: {}={}", precision, flops));
    }
  }
  if (type.gpus_per_node < 1) {
    return base::InvalidField("gpus_per_node", fmt::format("must be positive: gpus_per_node={}", type.gpus_per_node));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GpuCatalog> GpuCatalog::Create(std::vector<GpuType> own) {
  GpuCatalog catalog;
  catalog.types_ = BuiltInTypes();
  std::map<std::string, std::string> own_field;  // Name -> field, for errors.
  for (size_t i = 0; i < own.size(); ++i) {
    const std::string field = fmt::format("gpu_types[{}]", i);
    if (absl::Status status = CheckOwn(own[i]); !status.ok()) return base::AtField(field, status);
    if (!own_field.emplace(Normalize(own[i].name), field).second) {
      return base::InvalidField(field + ".name", fmt::format("is given twice: name=\"{}\"", own[i].name));
    }
    const auto same = std::find_if(catalog.types_.begin(), catalog.types_.end(),
                                   [&](const GpuType& type) { return Normalize(type.name) == Normalize(own[i].name); });
    if (same != catalog.types_.end()) {
      // The site's figures, under every name that the type already had.
      own[i].aliases.insert(own[i].aliases.end(), same->aliases.begin(), same->aliases.end());
      *same = std::move(own[i]);
    } else {
      catalog.types_.push_back(std::move(own[i]));
    }
  }
  // Names before aliases: an alias never hides another type's name.
  for (size_t i = 0; i < catalog.types_.size(); ++i)
    catalog.by_key_.emplace(Folded(Normalize(catalog.types_[i].name)), i);
  for (size_t i = 0; i < catalog.types_.size(); ++i) {
    const GpuType& type = catalog.types_[i];
    for (const std::string& alias : type.aliases) {
      const auto [entry, added] = catalog.by_key_.emplace(Folded(Normalize(alias)), i);
      if (!added && entry->second != i) {
        return base::InvalidField(
            own_field[Normalize(type.name)] + ".aliases",
            fmt::format("belongs to {} already: alias=\"{}\"", catalog.types_[entry->second].name, alias));
      }
    }
  }
  return catalog;
}

absl::StatusOr<const GpuType*> GpuCatalog::Find(std::string_view name) const {
  const std::string key = Normalize(name);
  auto entry = by_key_.find(Folded(key));
  if (entry == by_key_.end()) entry = by_key_.find(Folded(Product(key)));
  if (entry != by_key_.end()) return &types_[entry->second];

  std::vector<std::string> keys;
  for (const auto& [known, index] : by_key_) keys.push_back(known);
  std::vector<std::string> nearest;
  for (const std::string& candidate : base::NearestNames(Folded(Product(key)), keys, static_cast<int>(keys.size()))) {
    const std::string& type = types_[by_key_.at(candidate)].name;
    if (std::find(nearest.begin(), nearest.end(), type) == nearest.end()) nearest.push_back(type);
    if (nearest.size() == 3) break;
  }
  return base::NotFound("gpu_type",
                        fmt::format("no GPU type is named \"{}\"; nearest: {}", name, fmt::join(nearest, ", ")),
                        "GPU_TYPE_NOT_FOUND");
}

}  // namespace planner::hardware
