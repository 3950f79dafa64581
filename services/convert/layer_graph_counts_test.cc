// Whole graphs from their text to exact counts. The figures are torch.nn's: parameters by numel, MACs of the products that
// PyTorch's own counter sees (half of its FLOPs), worked out by hand beside each.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "core/counting/analytic_counter.h"
#include "core/model/layer_graph.h"
#include "services/convert/layer_graph.h"
#include "services/convert/layer_graph_text.h"

namespace planner::convert {
namespace {

struct Counts {
  int64_t parameters = 0;
  int64_t macs = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
  friend void PrintTo(const Counts& counts, std::ostream* out) {
    *out << counts.parameters << " parameters, " << counts.macs << " MACs";
  }
};

absl::StatusOr<model::ModelDescription> Describe(const std::string& text) {
  absl::StatusOr<v1::LayerGraph> proto = ParseLayerGraphText(text, GraphFormat::kTextproto);
  if (!proto.ok()) return proto.status();
  absl::StatusOr<model::LayerGraph> layer_graph = LayerGraphFromProto(*proto);
  if (!layer_graph.ok()) return layer_graph.status();
  return model::DescribeLayerGraph(*std::move(layer_graph));
}

/// Of a graph with one input of the given shape, "1, 50, 128".
Counts CountOf(const std::string& shape, const std::string& layers) {
  const auto description = Describe("inputs { shape: [" + shape + "] }\n" + layers);
  EXPECT_TRUE(description.ok()) << description.status();
  if (!description.ok()) return {};
  const counting::CountRequest request{.model = *description, .batch = {.batch = description->default_batch}};
  const auto report = counting::AnalyticCounter().Count(request);
  EXPECT_TRUE(report.ok()) << report.status();
  if (!report.ok()) return {};
  return {report->parameters, report->forward.macs};
}

// 50 steps x 4 gates x 256 x (128 + 256); both biases of every gate.
TEST(LayerGraphCountsTest, Lstm) {
  EXPECT_EQ(CountOf("1, 50, 128", "layers { recurrent { cell: LSTM hidden_size: 256 } }"), (Counts{395264, 19660800}));
}

// The second layer reads both directions: 512 features.
TEST(LayerGraphCountsTest, BidirectionalLstmOfTwoLayers) {
  EXPECT_EQ(CountOf("1, 50, 128", "layers { recurrent { cell: LSTM hidden_size: 256 layers: 2 bidirectional: true } }"),
            (Counts{2367488, 117964800}));
}

// The hidden state that comes back has 64 features: 4 x 256 x (128 + 64) + 64 x 256 a step.
TEST(LayerGraphCountsTest, LstmWithProjection) {
  EXPECT_EQ(CountOf("1, 50, 128", "layers { recurrent { cell: LSTM hidden_size: 256 projection: 64 } }"),
            (Counts{215040, 10649600}));
}

TEST(LayerGraphCountsTest, Gru) {
  EXPECT_EQ(CountOf("1, 50, 128", "layers { recurrent { cell: GRU hidden_size: 256 } }"), (Counts{296448, 14745600}));
}

TEST(LayerGraphCountsTest, Rnn) {
  EXPECT_EQ(CountOf("1, 50, 128", "layers { recurrent { cell: RNN hidden_size: 256 } }"), (Counts{98816, 4915200}));
}

TEST(LayerGraphCountsTest, RecurrentWithoutBias) {
  EXPECT_EQ(CountOf("1, 50, 128", "layers { recurrent { cell: RNN hidden_size: 256 bias: false } }"),
            (Counts{98304, 4915200}));
}

// torch's default order of dimensions: 50 steps, 2 samples.
TEST(LayerGraphCountsTest, RecurrentWithStepsFirst) {
  const auto description = Describe(
      "inputs { shape: [50, 2, 128] batch_dimension: 1 } layers { recurrent { cell: RNN hidden_size: 256 batch_first: "
      "false } }");
  ASSERT_TRUE(description.ok()) << description.status();
  EXPECT_EQ(description->default_batch, 2);
  const auto report = counting::AnalyticCounter().Count({.model = *description, .batch = {.batch = 4}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->forward.macs, 4 * 4915200);
}

// Two dimensions are one step: torch.nn.LSTMCell over a batch of 4.
TEST(LayerGraphCountsTest, LstmCell) {
  EXPECT_EQ(CountOf("4, 128", "layers { recurrent { cell: LSTM hidden_size: 256 } }"), (Counts{395264, 1572864}));
}

// 4 projections of 128 x 512 x 512, and 2 products of 8 x 128 x 128 x 64.
TEST(LayerGraphCountsTest, MultiHeadAttention) {
  EXPECT_EQ(CountOf("1, 128, 512", "layers { multi_head_attention { heads: 8 } }"), (Counts{1050624, 150994944}));
}

// 10 queries of 64 look at 20 keys of 32: q and out 10 x 64 x 64, k and v 20 x 32 x 64, core 2 x 10 x 20 x 64.
TEST(LayerGraphCountsTest, CrossAttention) {
  const auto description = Describe(R"pb(
    inputs {
      name: "query"
      shape: [ 1, 10, 64 ]
    }
    inputs {
      name: "memory"
      shape: [ 1, 20, 32 ]
    }
    layers {
      inputs: [ "query", "memory" ]
      multi_head_attention { heads: 4 }
    })pb");
  ASSERT_TRUE(description.ok()) << description.status();
  const auto report = counting::AnalyticCounter().Count({.model = *description, .batch = {}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, 2 * (64 * 64 + 64) + 2 * (32 * 64 + 64));
  EXPECT_EQ(report->forward.macs, 2 * 10 * 64 * 64 + 2 * 20 * 32 * 64 + 2 * 10 * 20 * 64);
}

TEST(LayerGraphCountsTest, TransformerEncoderLayer) {
  EXPECT_EQ(CountOf("1, 128, 512", "layers { transformer_encoder { heads: 8 ffn: 2048 } }"),
            (Counts{3152384, 419430400}));
}

TEST(LayerGraphCountsTest, TransformerEncoderOfSixLayers) {
  EXPECT_EQ(CountOf("1, 128, 512", "layers { transformer_encoder { layers: 6 heads: 8 ffn: 2048 } }"),
            (Counts{18914304, 2516582400}));
  EXPECT_EQ(CountOf("1, 128, 512", "layers { repeat: 6 transformer_encoder { heads: 8 ffn: 2048 } }"),
            (Counts{18914304, 2516582400}));
}

// torch.nn.TransformerDecoderLayer(512, 8): another attention of 1,050,624 parameters and a third norm.
TEST(LayerGraphCountsTest, TransformerDecoderLayer) {
  const auto description = Describe(R"pb(
    inputs {
      name: "target"
      shape: [ 1, 64, 512 ]
    }
    inputs {
      name: "memory"
      shape: [ 1, 128, 512 ]
    }
    layers {
      inputs: [ "target", "memory" ]
      transformer_decoder { heads: 8 ffn: 2048 }
    })pb");
  ASSERT_TRUE(description.ok()) << description.status();
  const auto report = counting::AnalyticCounter().Count({.model = *description, .batch = {}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, 4204032);
  const int64_t projection = 512 * 512;
  EXPECT_EQ(report->forward.macs, 4 * 64 * projection + 2 * 64 * 64 * 512                 // Self-attention,
                                      + 2 * (64 + 128) * projection + 2 * 64 * 128 * 512  // cross-attention,
                                      + 2 * 64 * 512 * 2048);                             // feed-forward layer.
}

// A Llama block: 8 heads on 2 of keys and values, gated feed-forward layer of 1376, RMS norms, no biases.
TEST(LayerGraphCountsTest, LlamaBlock) {
  EXPECT_EQ(CountOf("1, 128, 512",
                    "layers { transformer_decoder { heads: 8 kv_heads: 2 ffn: 1376 gated: true activation: SILU "
                    "norm: RMS_NORM norm_position: PRE bias: false rotary: true } }"),
            (Counts{2769920, 371195904}));
}

// 4 experts of 2 x 64 x 128 parameters behind a router of 64 x 4, of which each of 10 tokens takes 2, and a shared one of 32.
TEST(LayerGraphCountsTest, MixtureOfExperts) {
  const int64_t attention = 4 * 64 * 64;
  const int64_t expert = 2 * 64 * 128;
  const int64_t shared = 2 * 64 * 32;
  EXPECT_EQ(CountOf("1, 10, 64",
                    "layers { transformer_encoder { heads: 4 bias: false "
                    "moe { experts: 4 top_k: 2 expert_ffn: 128 shared_ffn: 32 } } }"),
            (Counts{attention + 4 * expert + shared + 64 * 4 + 2 * 64,
                    10 * (attention + 2 * expert + shared + 64 * 4) + 2 * 10 * 10 * 64}));
}

// 28 x 28 inputs x 64 x 32 x 4 x 4.
TEST(LayerGraphCountsTest, TransposedConvolution) {
  EXPECT_EQ(CountOf("1, 64, 28, 28", "layers { conv_transpose { out_channels: 32 kernel: 4 stride: 2 padding: 1 } }"),
            (Counts{32800, 25690112}));
  EXPECT_EQ(CountOf("1, 64, 28, 28",
                    "layers { conv_transpose { out_channels: 32 kernel: 4 stride: 2 padding: 1 groups: 4 } }"),
            (Counts{8224, 6422528}));
}

TEST(LayerGraphCountsTest, Convolutions) {
  EXPECT_EQ(CountOf("1, 64, 256", "layers { conv { out_channels: 128 kernel: 5 padding: 2 } }"),
            (Counts{41088, 10485760}));
  EXPECT_EQ(CountOf("1, 64, 56, 56", "layers { conv { out_channels: 128 kernel: 3 padding: 1 } }"),
            (Counts{73856, 231211008}));
  EXPECT_EQ(CountOf("1, 64, 56, 56", "layers { conv { out_channels: 128 kernel: 3 same: true } }"),
            (Counts{73856, 231211008}));
  EXPECT_EQ(CountOf("1, 64, 56, 56", "layers { conv { out_channels: 64 kernel: 3 padding: 1 groups: 64 } }"),
            (Counts{640, 1806336}));
  EXPECT_EQ(CountOf("1, 3, 16, 56, 56", "layers { conv { out_channels: 32 kernel: 3 stride: [1, 2, 2] padding: 1 } }"),
            (Counts{2624, 32514048}));
}

TEST(LayerGraphCountsTest, MultiLayerPerceptron) {
  EXPECT_EQ(CountOf("1, 1, 28, 28", R"pb(
              layers { flatten {} }
              layers { linear { out_features: 512 } }
              layers { activation { kind: RELU } }
              layers { linear { out_features: 256 } }
              layers { activation { kind: RELU } }
              layers { linear { out_features: 10 } })pb"),
            (Counts{535818, 535040}));
}

// torchvision's vit_b_16: 196 patches and a class token, 768 wide, 12 blocks.
TEST(LayerGraphCountsTest, VisionTransformer) {
  EXPECT_EQ(
      CountOf("1, 3, 224, 224", R"pb(
        layers {
          name: "conv_proj"
          conv { out_channels: 768 kernel: 16 stride: 16 }
        }
        layers { flatten { start: 2 } }
        layers { permute { dimensions: [ 0, 2, 1 ] } }
        layers {
          name: "class_token"
          class_token {}
        }
        layers {
          name: "pos_embedding"
          position_embedding { entries: 197 }
        }
        layers {
          name: "encoder"
          transformer_encoder { layers: 12 heads: 12 ffn: 3072 activation: GELU norm_position: PRE final_norm: true }
        }
        layers { select { dimension: 1 index: 0 } }
        layers {
          name: "head"
          linear { out_features: 1000 }
        })pb"),
      (Counts{86567656, 17563828224}));
}

// A matrix of 64 x 32 for every one of 8 samples.
TEST(LayerGraphCountsTest, MatrixProductOfTwoInputs) {
  const auto description = Describe(R"pb(
    inputs {
      name: "a"
      shape: [ 8, 10, 64 ]
    }
    inputs {
      name: "b"
      shape: [ 8, 32, 64 ]
    }
    layers {
      inputs: [ "a", "b" ]
      matmul { transpose_second: true }
    })pb");
  ASSERT_TRUE(description.ok()) << description.status();
  const auto report = counting::AnalyticCounter().Count({.model = *description, .batch = {.batch = 8}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, 0);
  EXPECT_EQ(report->forward.macs, 8 * 10 * 64 * 32);
}

// A tied head has no weight of its own; neither it nor the embeddings count as non-embedding parameters.
TEST(LayerGraphCountsTest, TiedLanguageModel) {
  const auto description = Describe(R"pb(
    inputs {
      name: "tokens"
      shape: [ 1, 16 ]
      dtype: "int64"
    }
    layers {
      name: "wte"
      embedding { entries: 100 width: 32 }
    }
    layers {
      name: "wpe"
      position_embedding { entries: 64 }
    }
    layers {
      name: "h"
      transformer_decoder { layers: 2 heads: 4 ffn: 128 activation: GELU norm_position: PRE final_norm: true }
    }
    layers {
      name: "lm_head"
      linear { out_features: 100 bias: false tied_to: "wte" }
    })pb");
  ASSERT_TRUE(description.ok()) << description.status();
  const auto report = counting::AnalyticCounter().Count({.model = *description, .batch = {.batch = 1, .seq_len = 32}});
  ASSERT_TRUE(report.ok()) << report.status();
  const int64_t block = 12 * 32 * 32 + 13 * 32;
  EXPECT_EQ(report->non_embedding_parameters, 2 * block + 2 * 32);
  EXPECT_EQ(report->parameters, 2 * block + 2 * 32 + 100 * 32 + 64 * 32);
  EXPECT_EQ(report->forward.macs, 32 * (2 * 12 * 32 * 32 + 32 * 100) + 2 * 2 * 32 * 32 * 32);
  EXPECT_EQ(report->forward.causal_macs, report->forward.macs - 2 * 32 * 32 * 32);
}

// A block that runs three times is counted once: 20 x 20 + 20 and a norm of 2 x 20; its products three times, for 2 samples.
TEST(LayerGraphCountsTest, SharedLayersRunWithoutParametersOfTheirOwn) {
  EXPECT_EQ(CountOf("2, 20", R"pb(
              layers {
                sequence {
                  layers { linear { out_features: 20 } }
                  layers { norm { kind: LAYER_NORM } }
                }
              }
              layers {
                repeat: 2
                shared: true
                sequence {
                  layers { linear { out_features: 20 } }
                  layers { norm { kind: LAYER_NORM } }
                }
              })pb"),
            (Counts{20 * 20 + 20 + 40, 3 * 2 * 20 * 20}));
}

// A mask out of nothing costs nothing; a cosine of 6 elements, of which the table knows nothing, 1 FLOP each; tripled FLOPs where they
// are stated.
TEST(LayerGraphCountsTest, Operations) {
  const auto description = Describe(R"pb(
    inputs { shape: [ 2, 3 ] }
    layers {
      name: "mask"
      operation {
        kind: "mask"
        shape: [ 1, 3 ]
        flops_per_element: 0
      }
    }
    layers {
      name: "cos"
      inputs: [ "input", "mask" ]
      operation { kind: "cos" }
    }
    layers {
      name: "expand"
      operation {
        kind: "expand"
        shape: [ 0, 5, 3 ]
        flops_per_element: 3
      }
    }
    layers { linear { out_features: 7 bias: false } })pb");
  ASSERT_TRUE(description.ok()) << description.status();
  const auto report = counting::AnalyticCounter().Count({.model = *description, .batch = {.batch = 4}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, 3 * 7);
  EXPECT_EQ(report->forward.macs, 4 * 5 * 3 * 7);
  EXPECT_EQ(report->forward.other_flops, 4 * 3 + 3 * 4 * 5 * 3);
}

}  // namespace
}  // namespace planner::convert
