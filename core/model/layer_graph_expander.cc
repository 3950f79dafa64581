#include "core/model/layer_graph_expander.h"

#include <algorithm>
#include <cstddef>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/module_tree.h"

namespace planner::model {
namespace {

constexpr char kBodyInput[] = "$input";

std::string NameOf(const graph::Layer& layer, size_t index) {
  return layer.name.empty() ? absl::StrCat(index) : layer.name;
}

std::string At(std::string_view field, size_t index) { return absl::StrCat(std::string(field), "[", index, "]"); }

/// An error of the layer at `path`: one of its fields, or, if no field is to blame, the layer itself by name.
absl::Status AtLayer(const std::string& path, const graph::Layer& layer, const absl::Status& status) {
  base::ErrorDetail detail = base::DetailOf(status);
  if (!detail.field.empty()) return base::AtField(path, status);
  const std::string subject = layer.name.empty() ? FieldName(layer.kind) : absl::StrCat("\"", layer.name, "\"");
  return base::InvalidField(path, absl::StrCat(subject, " ", std::string(status.message())), "SHAPE_MISMATCH");
}

/// Whether a layer that names no inputs reads the layer before it. An operation that states its sizes without taking any from an
/// input makes its output from nothing, as a parameter does.
bool ReadsPrevious(const graph::LayerKind& kind) {
  if (std::holds_alternative<graph::Parameter>(kind)) return false;
  const auto* operation = std::get_if<graph::Operation>(&kind);
  return operation == nullptr || operation->shape.empty() ||
         std::find(operation->shape.begin(), operation->shape.end(), 0) != operation->shape.end();
}

/// Layers after repeats, and names, of one body and those in it.
class StructureCheck {
 public:
  absl::Status Check(const std::vector<graph::Layer>& layers, std::string_view field, base::Checked times, int depth) {
    if (layers.empty()) return base::InvalidField(field, "needs at least one layer");
    if (depth > kMaxLayerNesting) {
      return base::InvalidField(field,
                                absl::StrCat("is nested too deeply: depth=", depth, " maximum=", kMaxLayerNesting));
    }
    std::unordered_set<std::string> names;
    for (size_t i = 0; i < layers.size(); ++i) {
      const graph::Layer& layer = layers[i];
      if (layer.name.find('.') != std::string::npos || layer.name.starts_with("$") || layer.name.size() > 256) {
        return base::InvalidField(At(field, i),
                                  "name must have no dot, not begin with $, and be at most 256 bytes long");
      }
      if (const std::string name = NameOf(layer, i); !names.insert(name).second) {
        return base::InvalidField(absl::StrCat(At(field, i), ".name"),
                                  absl::StrCat("is taken by an earlier layer: name=", name), "DUPLICATE_NAME");
      }
      if (layer.repeat < 1 || layer.repeat > kMaxLayers) {
        return base::InvalidField(absl::StrCat(At(field, i), ".repeat"),
                                  absl::StrCat("must be 1 to 100000: repeat=", layer.repeat));
      }
      const base::Checked layer_times = times * layer.repeat;
      count_ += layer_times;
      if (count_.overflowed() || count_.ValueOrZero() > kMaxLayers) {
        return base::InvalidField(At(field, i),
                                  absl::StrCat("makes more layers than can be planned: maximum=", kMaxLayers),
                                  "TOO_MANY_LAYERS");
      }
      RETURN_IF_ERROR(base::AtField(absl::StrCat(At(field, i), ".", FieldName(layer.kind)),
                                    CheckBodies(layer.kind, layer_times, depth)));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CheckBodies(const graph::LayerKind& kind, base::Checked times, int depth) {
    if (const auto* sequence = std::get_if<graph::Sequence>(&kind)) {
      return Check(sequence->layers, "layers", times, depth + 1);
    }
    if (const auto* residual = std::get_if<graph::Residual>(&kind)) {
      RETURN_IF_ERROR(Check(residual->body, "body", times, depth + 1));
      if (!residual->shortcut.empty()) return Check(residual->shortcut, "shortcut", times, depth + 1);
    }
    return absl::OkStatus();
  }

  base::Checked count_;
};

int64_t CountBlocks(const Module& module) {
  if (module.role == Role::kBlock) return 1;
  int64_t count = 0;
  for (const Module& child : module.children) count += CountBlocks(child);
  return count;
}

/// Gives every module beside transformer blocks its role: before, between or after them.
void AssignRoles(Module& parent, int64_t total, int64_t& seen) {
  for (Module& child : parent.children) {
    if (child.role == Role::kBlock) {
      ++seen;
    } else if (CountBlocks(child) > 0) {
      AssignRoles(child, total, seen);
    } else {
      child.role = seen == 0 ? Role::kEmbedding : seen == total ? Role::kHead : Role::kBlock;
    }
  }
}

}  // namespace

absl::Status CheckStructure(const LayerGraph& layer_graph) {
  return StructureCheck().Check(layer_graph.layers, "layers", 1, 1);
}

absl::StatusOr<Module> GraphExpander::Expand(const LayerGraph& layer_graph, const std::vector<Shape>& inputs) {
  Scope scope;
  scope.input = inputs[0];
  for (size_t i = 0; i < inputs.size(); ++i) scope.values[layer_graph.inputs[i].name] = {inputs[i]};
  Module root;
  root.kind = "LayerGraph";
  RETURN_IF_ERROR(ExpandBody(layer_graph.layers, "layers", scope, root).status());
  const int64_t blocks = CountBlocks(root);
  int64_t seen = 0;
  if (blocks > 0) AssignRoles(root, blocks, seen);
  return root;
}

absl::StatusOr<Shape> GraphExpander::ExpandBody(const std::vector<graph::Layer>& layers, std::string_view field,
                                                Scope& scope, Module& parent) {
  Shape last = scope.input;
  parent.children.reserve(layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    const graph::Layer& layer = layers[i];
    std::vector<Shape> inputs;
    if (layer.inputs.empty() && ReadsPrevious(layer.kind)) inputs.push_back(last);
    for (size_t k = 0; k < layer.inputs.size(); ++k) {
      const std::string& name = layer.inputs[k];
      const Shape* shape = name == kBodyInput ? &scope.input : nullptr;
      for (const Scope* each = &scope; each != nullptr && shape == nullptr; each = each->outer) {
        if (const auto found = each->values.find(name); found != each->values.end()) shape = &found->second.shape;
      }
      if (shape == nullptr) {
        const std::string path = absl::StrCat(At(field, i), ".", At("inputs", k));
        for (size_t later = i; later < layers.size(); ++later) {
          if (NameOf(layers[later], later) != name) continue;
          return base::InvalidField(path,
                                    absl::StrCat("makes a cycle: layers read earlier layers only, and \"", name,
                                                 "\" is ", later == i ? "the layer itself" : "a later one"),
                                    "CYCLIC_GRAPH");
        }
        return base::InvalidField(path, absl::StrCat("names no earlier layer and no input of the graph: name=", name),
                                  "UNKNOWN_INPUT");
      }
      inputs.push_back(*shape);
    }
    absl::StatusOr<Expansion> expansion = ExpandRepeated(layer, std::move(inputs), scope);
    if (!expansion.ok()) return AtLayer(At(field, i), layer, expansion.status());
    expansion->module.name = NameOf(layer, i);
    if (layer.shared) expansion->module.instances = 0;
    parent.children.push_back(std::move(expansion->module));
    last = std::move(expansion->output);
    scope.values[NameOf(layer, i)] = {last, std::get_if<graph::Embedding>(&layer.kind)};
  }
  return last;
}

absl::StatusOr<Expansion> GraphExpander::ExpandRepeated(const graph::Layer& layer, std::vector<Shape> inputs,
                                                        const Scope& scope) {
  if (layer.repeat == 1) return ExpandOnce(layer, inputs, scope);
  if (inputs.empty()) return base::InvalidField("repeat", "needs a layer with an input");
  Module unrolled;
  unrolled.kind = "Sequence";
  for (int64_t run = 0; run < layer.repeat; ++run) {
    const size_t known_blocks = facts_.blocks.size();
    ASSIGN_OR_RETURN(Expansion expansion, ExpandOnce(layer, inputs, scope));
    const int64_t left = layer.repeat - run;
    if (left > 1 && expansion.output == inputs[0]) {
      // All runs from here on are alike.
      for (size_t i = known_blocks; i < facts_.blocks.size(); ++i) facts_.blocks[i].layers *= left;
      expansion.module.instances *= left;
      expansion.module.calls *= left;
      if (run == 0) return expansion;
      expansion.module.name = absl::StrCat(run, "-", layer.repeat - 1);
      unrolled.children.push_back(std::move(expansion.module));
      return Expansion{std::move(unrolled), std::move(expansion.output)};
    }
    expansion.module.name = absl::StrCat(run);
    unrolled.children.push_back(std::move(expansion.module));
    inputs[0] = std::move(expansion.output);
  }
  return Expansion{std::move(unrolled), std::move(inputs[0])};
}

absl::StatusOr<Expansion> GraphExpander::ExpandOnce(const graph::Layer& layer, const std::vector<Shape>& inputs,
                                                    const Scope& scope) {
  const auto at_kind = [&layer](const absl::Status& status) {
    return base::DetailOf(status).field.empty() ? status : base::AtField(FieldName(layer.kind), status);
  };
  const auto* sequence = std::get_if<graph::Sequence>(&layer.kind);
  const auto* residual = std::get_if<graph::Residual>(&layer.kind);
  if (sequence == nullptr && residual == nullptr) {
    if (const auto* linear = std::get_if<graph::Linear>(&layer.kind); linear != nullptr && !linear->tied_to.empty()) {
      if (const absl::Status status = CheckTied(*linear, inputs[0], scope); !status.ok()) return at_kind(status);
    }
    absl::StatusOr<Expansion> expansion = ExpandLeaf(layer.kind, inputs);
    if (!expansion.ok()) return at_kind(expansion.status());
    Note(layer.kind, inputs);
    return expansion;
  }
  if (inputs.size() != 1) return Mismatch(absl::StrCat("expects 1 input, got ", inputs.size()));
  if (sequence != nullptr) {
    absl::StatusOr<Expansion> body = ExpandNested(sequence->layers, "layers", inputs[0], scope);
    if (!body.ok()) return at_kind(body.status());
    body->module.kind = "Sequence";
    return body;
  }
  absl::StatusOr<Expansion> body = ExpandNested(residual->body, "body", inputs[0], scope);
  if (!body.ok()) return at_kind(body.status());
  body->module.kind = "Residual";
  Shape other = inputs[0];
  if (!residual->shortcut.empty()) {
    absl::StatusOr<Expansion> shortcut = ExpandNested(residual->shortcut, "shortcut", inputs[0], scope);
    if (!shortcut.ok()) return at_kind(shortcut.status());
    other = std::move(shortcut->output);
    shortcut->module.name = "shortcut";
    shortcut->module.kind = "Sequence";
    body->module.children.push_back(std::move(shortcut->module));
  }
  if (other != body->output) {
    return Mismatch(absl::StrCat("expects a body and a shortcut of one shape: ", ShapeText(body->output), " and ",
                                 ShapeText(other)));
  }
  ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(other));
  AddModule(body->module, "add", ElementwiseModule("add", elements));
  return body;
}

absl::StatusOr<Expansion> GraphExpander::ExpandNested(const std::vector<graph::Layer>& layers, std::string_view field,
                                                      const Shape& input, const Scope& scope) {
  Scope inner;
  inner.outer = &scope;
  inner.input = input;
  Expansion expansion;
  ASSIGN_OR_RETURN(expansion.output, ExpandBody(layers, field, inner, expansion.module));
  return expansion;
}

absl::Status GraphExpander::CheckTied(const graph::Linear& linear, const Shape& input, const Scope& scope) {
  for (const Scope* each = &scope; each != nullptr; each = each->outer) {
    const auto found = each->values.find(linear.tied_to);
    if (found == each->values.end()) continue;
    const graph::Embedding* embedding = found->second.embedding;
    if (embedding == nullptr) break;
    if (embedding->entries != linear.out_features || input.empty() || embedding->width != input.back()) {
      return Mismatch(absl::StrCat("expects a table of its own size to be tied to: entries=", embedding->entries,
                                   " width=", embedding->width, " out_features=", linear.out_features,
                                   " shape=", ShapeText(input)));
    }
    facts_.tied = true;
    return absl::OkStatus();
  }
  return base::InvalidField("tied_to", absl::StrCat("names no earlier embedding layer: name=", linear.tied_to),
                            "UNKNOWN_INPUT");
}

void GraphExpander::Note(const graph::LayerKind& kind, const std::vector<Shape>& inputs) {
  if (const auto* blocks = std::get_if<graph::TransformerBlocks>(&kind)) {
    facts_.blocks.push_back({blocks, inputs[0][2], blocks->layers});
  } else if (const auto* embedding = std::get_if<graph::Embedding>(&kind)) {
    if (facts_.vocabulary == 0) facts_.vocabulary = embedding->entries;
  } else if (const auto* positions = std::get_if<graph::PositionEmbedding>(&kind)) {
    facts_.positions = facts_.positions == 0 ? positions->entries : std::min(facts_.positions, positions->entries);
  }
}

}  // namespace planner::model
