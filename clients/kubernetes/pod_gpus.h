#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace planner::kubernetes {

/// Of pods, GPUs, replicas.
inline constexpr int64_t kMostOfAnything = 1'000'000;

/// The member, or null: for what is not there, or is in something that is no object.
const nlohmann::json& Member(const nlohmann::json& object, const std::string& name);
/// Empty for what is no text.
std::string TextOf(const nlohmann::json& value);
/// A value in an error: at most 40 bytes of it.
std::string Shown(const nlohmann::json& value);

/// A whole number, written as one or as a text; `missing` where there is none. INVALID_ARGUMENT at "name": "is no number of pods".
absl::StatusOr<int64_t> CountOf(const nlohmann::json& object, const std::string& name, int64_t missing, std::string_view what);

/// GPUs of a pod by its spec: the limits, or else requests, of nvidia.com/gpu and amd.com/gpu, summed over its containers, or the largest
/// of an init container. INVALID_ARGUMENT with the path in the spec.
absl::StatusOr<int64_t> GpusOfPod(const nlohmann::json& spec);

}  // namespace planner::kubernetes
