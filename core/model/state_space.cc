#include "core/model/state_space.h"

#include <memory>
#include <utility>

#include "core/base/checked.h"
#include "core/base/status_macros.h"
#include "core/model/batch_sizes.h"
#include "core/model/decoder.h"
#include "core/model/module_tree.h"

namespace planner::model {
namespace {

/// A part of the scan. Its states are `state` times as large as everything else; the published kernel (Mamba, 2312.00752, section 3.3.2)
/// keeps none of them and computes them again in the backward pass.
Module ScanModule(std::string_view kind, int64_t elements) {
  Module module = ElementwiseModule(kind, elements);
  std::get<Elementwise>(module.operation).saved_elements = 0;
  return module;
}

Module MakeMixer(const MambaArchitecture& a, const TokenBatch& tokens, CheckedSizes& sizes) {
  const int64_t rows = sizes.Product({tokens.batch, tokens.positions});
  const int64_t inner_elements = sizes.Product({rows, a.inner});
  const int64_t state_elements = sizes.Product({inner_elements, a.state});
  Module mixer;
  mixer.kind = "MambaMixer";
  // Two halves: what is scanned, and its gate.
  AddModule(mixer, "in_proj", LinearModule(rows, a.hidden, sizes.Product({2, a.inner}), a.bias));
  Module convolution;
  convolution.kind = "Conv1d";
  // Padded on both sides, as the published module is; what looks ahead is cut off afterwards.
  convolution.operation = Convolution{.batch = tokens.batch,
                                      .in_channels = a.inner,
                                      .out_channels = a.inner,
                                      .groups = a.inner,
                                      .kernel = {a.kernel},
                                      .in_size = {tokens.positions},
                                      .out_size = {sizes.Sum({tokens.positions, a.kernel, -1})},
                                      .bias = a.convolution_bias};
  AddModule(mixer, "conv1d", std::move(convolution));
  AddModule(mixer, "activation", ElementwiseModule("silu", inner_elements));
  AddModule(mixer, "x_proj", LinearModule(rows, a.inner, sizes.Sum({a.step_rank, sizes.Product({2, a.state})}), false));
  AddModule(mixer, "dt_proj", LinearModule(rows, a.step_rank, a.inner, true));
  AddModule(mixer, "step_activation", ElementwiseModule("softplus", inner_elements));
  AddModule(mixer, "A_log", ParameterModule("A_log", sizes.Product({a.inner, a.state})));
  AddModule(mixer, "D", ParameterModule("D", a.inner));
  AddModule(mixer, "discretize_A", ScanModule("mul", state_elements));
  AddModule(mixer, "discretize_A_exp", ScanModule("exp", state_elements));
  AddModule(mixer, "discretize_B", ScanModule("mul", state_elements));
  AddModule(mixer, "input", ScanModule("mul", state_elements));
  AddModule(mixer, "update", ScanModule("mul", state_elements));
  AddModule(mixer, "update_sum", ScanModule("add", state_elements));
  Module read_out;
  read_out.kind = "MatrixProduct";
  read_out.operation = MatrixProduct{.batch = rows, .m = a.inner, .k = a.state, .n = 1, .keeps_factors = false};
  AddModule(mixer, "read_out", std::move(read_out));
  AddModule(mixer, "skip", ElementwiseModule("mul", inner_elements));
  AddModule(mixer, "skip_sum", ElementwiseModule("add", inner_elements));
  AddModule(mixer, "gate_activation", ElementwiseModule("silu", inner_elements));
  AddModule(mixer, "gated", ElementwiseModule("mul", inner_elements));
  AddModule(mixer, "out_proj", LinearModule(rows, a.inner, a.hidden, a.bias));
  return mixer;
}

absl::StatusOr<Module> ExpandMamba(const MambaArchitecture& a, const TokenBatch& tokens) {
  CheckedSizes sizes;
  const int64_t rows = sizes.Product({tokens.batch, tokens.positions});
  const int64_t elements = sizes.Product({rows, a.hidden});
  const std::string trunk = a.has_head ? "backbone" : "";
  Module model;
  model.kind = a.family;
  const auto add = [&](const std::string& path, Role role, Module module) {
    module.role = role;
    AddModule(model, path, std::move(module));
  };
  add(Joined(trunk, "embeddings"), Role::kEmbedding, EmbeddingModule(rows, a.vocab, a.hidden));
  Module block;
  block.kind = "MambaBlock";
  block.instances = block.calls = a.layers;
  AddModule(block, "norm", NormModule(kRmsNorm, elements, a.hidden));
  AddModule(block, "mixer", MakeMixer(a, tokens, sizes));
  AddModule(block, "residual", ElementwiseModule("add", elements));
  add(Joined(trunk, "layers"), Role::kBlock, std::move(block));
  add(Joined(trunk, "norm_f"), Role::kHead, NormModule(kRmsNorm, elements, a.hidden));
  if (a.has_head) {
    Module head = LinearModule(rows, a.hidden, a.vocab, false);
    std::get<Linear>(head.operation).head = true;
    std::get<Linear>(head.operation).tied = a.tied;
    add("lm_head", Role::kHead, std::move(head));
  }
  RETURN_IF_ERROR(sizes.status());
  return model;
}

}  // namespace

ModelDescription DescribeMamba(MambaArchitecture architecture) {
  ModelDescription description;
  description.family = architecture.family;
  description.kind = ModelKind::kStateSpace;
  description.default_seq_len = DefaultPositions(0);
  description.inputs = {{.sequence_dimension = 1}};
  // The scan's states, and the inputs that the convolution still needs.
  const auto per_channel = base::Checked(architecture.state) + architecture.kernel;
  description.state = {architecture.layers,
                       (base::Checked(architecture.layers) * architecture.inner * per_channel).ValueOrZero()};
  const auto shared = std::make_shared<const MambaArchitecture>(std::move(architecture));
  description.expand = [shared](const BatchShape& shape) -> absl::StatusOr<Module> {
    ASSIGN_OR_RETURN(const TokenBatch tokens, ResolveTokens(shape, DefaultPositions(0), 0));
    return ExpandMamba(*shared, tokens);
  };
  return description;
}

}  // namespace planner::model
