#pragma once

#include <utility>

#include "core/model/description.h"

namespace planner::planning {

// Descriptions for tests that need a model but no reader of files: exact in MACs, without norms and biases.

/// A decoder of `shape`, without experts. A window is one of all its layers.
inline model::ModelDescription FakeDecoder(model::TransformerShape shape, int64_t seq_len) {
  model::ModelDescription description;
  description.name = "fake-decoder";
  description.family = "fake";
  description.default_seq_len = seq_len;
  description.transformer = shape;
  description.expand = [shape, seq_len](const model::BatchShape& batch) -> absl::StatusOr<model::Module> {
    const int64_t positions = batch.seq_len.value_or(seq_len);
    const int64_t rows = batch.batch * positions;
    const auto linear = [rows](int64_t in, int64_t out) {
      return model::Module{.name = "linear",
                           .kind = "Linear",
                           .operation = model::Linear{.rows = rows, .in_features = in, .out_features = out}};
    };
    model::Module block{.name = "layers",
                        .kind = "Block",
                        .instances = shape.layers,
                        .calls = shape.layers,
                        .role = model::Role::kBlock};
    block.children = {linear(shape.hidden, shape.heads * shape.qk_dim),
                      linear(shape.hidden, shape.kv_heads * shape.qk_dim),
                      linear(shape.hidden, shape.kv_heads * shape.v_dim),
                      linear(shape.heads * shape.v_dim, shape.hidden),
                      linear(shape.hidden, shape.ffn),
                      linear(shape.ffn, shape.hidden)};
    if (shape.gated) block.children.push_back(linear(shape.hidden, shape.ffn));
    block.children.push_back({.name = "attention",
                              .kind = "Attention",
                              .operation = model::Attention{.batch = batch.batch,
                                                            .heads = shape.heads,
                                                            .kv_heads = shape.kv_heads,
                                                            .queries = positions,
                                                            .keys = positions,
                                                            .qk_dim = shape.qk_dim,
                                                            .v_dim = shape.v_dim,
                                                            .causal = true,
                                                            .window = shape.window}});
    model::Module root{.name = "", .kind = "FakeDecoder"};
    root.children.push_back({.name = "embedding",
                             .kind = "Embedding",
                             .operation = model::Embedding{.rows = rows, .entries = shape.vocab, .width = shape.hidden},
                             .role = model::Role::kEmbedding});
    root.children.push_back(std::move(block));
    root.children.push_back({.name = "head",
                             .kind = "Linear",
                             .operation = model::Linear{.rows = rows,
                                                        .in_features = shape.hidden,
                                                        .out_features = shape.vocab,
                                                        .tied = shape.tied_embeddings,
                                                        .head = true},
                             .role = model::Role::kHead});
    return root;
  };
  return description;
}

/// GPT-3 175B (2005.14165): 174.6e9 parameters with the tied embeddings, without position table.
inline model::ModelDescription FakeGpt3() {
  return FakeDecoder({.layers = 96,
                      .hidden = 12288,
                      .heads = 96,
                      .kv_heads = 96,
                      .qk_dim = 128,
                      .v_dim = 128,
                      .ffn = 49152,
                      .vocab = 50257,
                      .tied_embeddings = true},
                     2048);
}

/// LLaMA 65B (2302.13971).
inline model::ModelDescription FakeLlama65B() {
  return FakeDecoder({.layers = 80,
                      .hidden = 8192,
                      .heads = 64,
                      .kv_heads = 64,
                      .qk_dim = 128,
                      .v_dim = 128,
                      .ffn = 22016,
                      .gated = true,
                      .vocab = 32000},
                     2048);
}

/// LLaMA 7B.
inline model::ModelDescription FakeLlama7B() {
  return FakeDecoder({.layers = 32,
                      .hidden = 4096,
                      .heads = 32,
                      .kv_heads = 32,
                      .qk_dim = 128,
                      .v_dim = 128,
                      .ffn = 11008,
                      .gated = true,
                      .vocab = 32000},
                     2048);
}

/// Five convolutions of 3 x 3 on 56 x 56 with 256 channels: 9.25e9 MACs an image. No transformer, no sequences.
inline model::ModelDescription FakeCnn() {
  model::ModelDescription description;
  description.name = "fake-cnn";
  description.family = "layer_graph";
  description.kind = model::ModelKind::kLayerGraph;
  description.has_sequence = false;
  description.expand = [](const model::BatchShape& batch) -> absl::StatusOr<model::Module> {
    model::Module root{.name = "", .kind = "FakeCnn"};
    root.children.push_back({.name = "convolution",
                             .kind = "Conv2d",
                             .operation = model::Convolution{.batch = batch.batch,
                                                             .in_channels = 256,
                                                             .out_channels = 256,
                                                             .kernel = {3, 3},
                                                             .in_size = {56, 56},
                                                             .out_size = {56, 56}},
                             .instances = 5,
                             .calls = 5});
    return root;
  };
  return description;
}

}  // namespace planner::planning
