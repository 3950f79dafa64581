#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/hugging_face.h"

// What tests of configurations look at: the tree that one is expanded into, its parameters, its modules by their paths.

namespace planner::model {

/// Parameters of a tree: all of them, and those that a token uses.
struct Parameters {
  int64_t total = 0;
  int64_t active = 0;
};

inline int64_t OwnParameters(const Operation& operation) {
  if (const auto* linear = std::get_if<Linear>(&operation)) {
    return (linear->tied ? 0 : linear->in_features * linear->out_features) + (linear->bias ? linear->out_features : 0);
  }
  if (const auto* table = std::get_if<Embedding>(&operation)) return table->entries * table->width;
  if (const auto* norm = std::get_if<Norm>(&operation)) {
    return norm->width * ((norm->scale ? 1 : 0) + (norm->shift ? 1 : 0));
  }
  if (const auto* tensor = std::get_if<ParameterTensor>(&operation)) return tensor->elements;
  if (const auto* conv = std::get_if<Convolution>(&operation)) {
    int64_t volume = 1;
    for (const int64_t size : conv->kernel) volume *= size;
    return conv->in_channels / conv->groups * conv->out_channels * volume + (conv->bias ? conv->out_channels : 0);
  }
  return 0;
}

inline Parameters ParametersOf(const Module& module) {
  Parameters sum{OwnParameters(module.operation), OwnParameters(module.operation)};
  for (const Module& child : module.children) {
    const Parameters of_child = ParametersOf(child);
    sum.total += of_child.total;
    sum.active += of_child.active;
  }
  return {sum.total * module.instances, sum.active * std::min(module.instances, module.calls)};
}

/// The module at a dotted path, or null.
inline const Module* Find(const Module& module, std::string_view path) {
  for (const Module& child : module.children) {
    if (child.name == path) return &child;
    if (path.starts_with(child.name) && path.size() > child.name.size() && path[child.name.size()] == '.') {
      if (const Module* found = Find(child, path.substr(child.name.size() + 1))) return found;
    }
  }
  return nullptr;
}

inline ModelDescription Parse(std::string_view json, const HuggingFaceOptions& options = {}) {
  absl::StatusOr<ModelDescription> description = ParseHuggingFaceConfig(json, options);
  EXPECT_TRUE(description.ok()) << description.status();
  return description.ok() ? *std::move(description) : ModelDescription{};
}

inline Module Expand(const ModelDescription& description, const BatchShape& shape = {}) {
  if (!description.expand) return {};
  absl::StatusOr<Module> module = description.expand(shape);
  EXPECT_TRUE(module.ok()) << module.status();
  return module.ok() ? *std::move(module) : Module{};
}

inline BatchShape Sizes(int64_t batch, std::optional<int64_t> seq_len) { return {batch, seq_len, {}}; }
inline BatchShape Input(std::vector<int64_t> input) { return {1, std::nullopt, {std::move(input)}}; }

}  // namespace planner::model
