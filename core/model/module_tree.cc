#include "core/model/module_tree.h"

#include <algorithm>
#include <utility>

#include "core/base/checked.h"
#include "core/model/elementwise.h"

namespace planner::model {
namespace {

/// "self_attn" -> "SelfAttn": what a container that only groups is called.
std::string ContainerKind(std::string_view segment) {
  std::string kind;
  bool upper = true;
  for (const char c : segment) {
    if (c == '_') {
      upper = true;
      continue;
    }
    kind += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return kind.empty() ? "Module" : kind;
}

Module MakeLeaf(std::string kind, Operation operation) {
  Module module;
  module.kind = std::move(kind);
  module.operation = std::move(operation);
  return module;
}

}  // namespace

int64_t CheckedSizes::Product(std::initializer_list<int64_t> factors) {
  base::Checked product = 1;
  for (const int64_t factor : factors) product *= factor;
  overflowed_ = overflowed_ || product.overflowed();
  return product.overflowed() ? 1 : product.ValueOrZero();
}

int64_t CheckedSizes::Sum(std::initializer_list<int64_t> terms) {
  base::Checked sum = 0;
  for (const int64_t term : terms) sum += term;
  overflowed_ = overflowed_ || sum.overflowed();
  return sum.overflowed() ? 1 : sum.ValueOrZero();
}

absl::Status CheckedSizes::status() const {
  if (!overflowed_) return absl::OkStatus();
  return absl::OutOfRangeError("the model is too large for this batch: a size does not fit 64 bits");
}

Module LinearModule(int64_t rows, int64_t in_features, int64_t out_features, bool bias) {
  return MakeLeaf("Linear",
                  Linear{.rows = rows, .in_features = in_features, .out_features = out_features, .bias = bias});
}

Module EmbeddingModule(int64_t rows, int64_t entries, int64_t width) {
  return MakeLeaf("Embedding", Embedding{.rows = rows, .entries = entries, .width = width});
}

Module ElementwiseModule(std::string_view kind, int64_t elements) {
  return MakeLeaf(std::string(kind), MakeElementwise(kind, elements));
}

Module ParameterModule(std::string_view kind, int64_t elements, bool embedding) {
  return MakeLeaf("Parameter", ParameterTensor{std::string(kind), elements, embedding});
}

Module NormModule(const NormStyle& style, int64_t elements, int64_t width) {
  return MakeLeaf(
      style.kind == NormKind::kRmsNorm ? "RMSNorm" : "LayerNorm",
      Norm{.kind = style.kind, .elements = elements, .width = width, .scale = style.scale, .shift = style.shift});
}

Module& AddModule(Module& parent, std::string_view path, Module module) {
  Module* place = &parent;
  while (true) {
    const size_t dot = path.find('.');
    const std::string_view segment = path.substr(0, dot);
    if (dot == std::string_view::npos) {
      module.name = std::string(segment);
      place->children.push_back(std::move(module));
      return place->children.back();
    }
    path.remove_prefix(dot + 1);
    auto it = std::find_if(place->children.begin(), place->children.end(),
                           [&](const Module& child) { return child.name == segment; });
    if (it == place->children.end()) {
      Module container;
      container.name = std::string(segment);
      container.kind = ContainerKind(segment);
      place->children.push_back(std::move(container));
      it = std::prev(place->children.end());
    }
    place = &*it;
  }
}

std::string Joined(std::string_view prefix, std::string_view path) {
  std::string joined(prefix);
  if (!joined.empty() && !path.empty()) joined += '.';
  joined += path;
  return joined;
}

}  // namespace planner::model
