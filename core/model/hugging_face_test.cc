#include "core/model/hugging_face.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/config_tree.h"
#include "core/model/published_configs.h"

namespace planner::model {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(HuggingFaceTest, NamesModulesAsThePublishedWeights) {
  const Module model = Expand(Parse(kLlama), Sizes(2, 10));
  const Module* layers = Find(model, "model.layers");
  ASSERT_NE(layers, nullptr);
  EXPECT_EQ(layers->instances, 3);
  EXPECT_EQ(layers->calls, 3);
  EXPECT_EQ(layers->role, Role::kBlock);
  EXPECT_EQ(layers->kind, "LlamaDecoderLayer");
  const Module* key = Find(model, "model.layers.self_attn.k_proj");
  ASSERT_NE(key, nullptr);
  const Linear& linear = std::get<Linear>(key->operation);
  EXPECT_EQ(linear.rows, 20);
  EXPECT_EQ(linear.in_features, 64);
  EXPECT_EQ(linear.out_features, 32);
  const Module* core = Find(model, "model.layers.self_attn.core");
  ASSERT_NE(core, nullptr);
  const Attention& attention = std::get<Attention>(core->operation);
  EXPECT_EQ(attention.batch, 2);
  EXPECT_EQ(attention.keys, 10);
  EXPECT_TRUE(attention.causal);
  ASSERT_NE(Find(model, "lm_head"), nullptr);
  EXPECT_EQ(Find(model, "lm_head")->role, Role::kHead);
  EXPECT_EQ(Find(model, "model.embed_tokens")->role, Role::kEmbedding);
}

TEST(HuggingFaceTest, ElementwiseWorkIsInTheTree) {
  const Module model = Expand(Parse(kLlama), Sizes(2, 10));
  const auto elements = [&](std::string_view path) {
    const Module* module = Find(model, path);
    return module == nullptr ? -1 : std::get<Elementwise>(module->operation).elements;
  };
  EXPECT_EQ(elements("model.layers.self_attn.softmax"), 2 * 4 * 10 * 10);
  EXPECT_EQ(elements("model.layers.self_attn.rotary"), 2 * 10 * (4 + 2) * 16);
  EXPECT_EQ(elements("model.layers.mlp.activation"), 2 * 10 * 128);
  EXPECT_EQ(elements("model.layers.mlp.gated"), 2 * 10 * 128);
  EXPECT_EQ(elements("model.layers.feed_forward_residual"), 2 * 10 * 64);
}

TEST(HuggingFaceTest, FillsInTheShape) {
  const ModelDescription mixtral = Parse(kExperts[0].json);
  ASSERT_TRUE(mixtral.transformer.has_value());
  const TransformerShape& shape = *mixtral.transformer;
  EXPECT_EQ(shape.layers, 32);
  EXPECT_EQ(shape.hidden, 4096);
  EXPECT_EQ(shape.kv_heads, 8);
  EXPECT_EQ(shape.experts, 8);
  EXPECT_EQ(shape.experts_per_token, 2);
  EXPECT_EQ(shape.expert_ffn, 14336);
  EXPECT_EQ(shape.moe_layers, 32);
  EXPECT_TRUE(shape.gated);
  const TransformerShape deep = *Parse(kDeepSeekV3).transformer;
  EXPECT_EQ(deep.qk_dim, 192);
  EXPECT_EQ(deep.v_dim, 128);
  EXPECT_EQ(deep.moe_layers, 58);
  EXPECT_EQ(deep.shared_expert_ffn, 2048);
  EXPECT_EQ(deep.ffn, 18432);
  EXPECT_EQ(deep.attention_projection, 187105280);
  EXPECT_EQ(deep.cached_elements, 512 + 64);
  EXPECT_EQ(shape.cached_elements, 0);
  EXPECT_EQ(shape.attention_projection, 0);
  const TransformerShape t5 = *Parse(kEncoderDecoders[1].json).transformer;
  EXPECT_EQ(t5.layers, 24);
  EXPECT_EQ(t5.ffn, 3072);
}

TEST(HuggingFaceTest, GroupsLayersByWhatTheyDifferIn) {
  const Module deep = Expand(Parse(kDeepSeekV3));
  ASSERT_NE(Find(deep, "model.layers.dense"), nullptr);
  ASSERT_NE(Find(deep, "model.layers.moe"), nullptr);
  EXPECT_EQ(Find(deep, "model.layers.dense")->instances, 3);
  EXPECT_EQ(Find(deep, "model.layers.moe")->instances, 58);
  const Module* experts = Find(deep, "model.layers.moe.mlp.experts");
  ASSERT_NE(experts, nullptr);
  EXPECT_TRUE(experts->expert);
  EXPECT_EQ(experts->instances, 256);
  EXPECT_EQ(experts->calls, 8);
}

/// Layers by the window that their attention has.
std::map<int64_t, int64_t> Windows(const Module& module, int64_t instances = 1) {
  std::map<int64_t, int64_t> windows;
  if (const auto* attention = std::get_if<Attention>(&module.operation)) windows[attention->window] = instances;
  for (const Module& child : module.children) {
    for (const auto& [window, count] : Windows(child, instances * module.instances)) windows[window] += count;
  }
  return windows;
}

TEST(HuggingFaceTest, SlidingWindows) {
  using ::testing::Pair;
  const auto windows_of = [](const std::string& json) { return Windows(Expand(Parse(json))); };
  EXPECT_THAT(windows_of(kLlamaKin[8].json), ElementsAre(Pair(0, 21), Pair(4096, 21)));  // gemma-2-9b
  EXPECT_THAT(windows_of(kLlamaKin[9].json), ElementsAre(Pair(0, 4), Pair(4096, 22)));   // gemma-3-1b: 5 of 6
  EXPECT_THAT(windows_of(kLlamaKin[10].json), ElementsAre(Pair(262144, 32)));            // phi-3.5
  EXPECT_THAT(windows_of(kExperts[5].json), ElementsAre(Pair(0, 12), Pair(128, 12)));    // gpt-oss
  EXPECT_THAT(windows_of(kExperts[7].json), ElementsAre(Pair(0, 12), Pair(8192, 36)));   // llama 4
  EXPECT_THAT(windows_of(kLlamaKin[2].json), ElementsAre(Pair(0, 40)));                  // null: none
  const std::string qwen2 =
      R"({"model_type":"qwen2","hidden_size":64,"intermediate_size":128,"num_attention_heads":4,
          "num_hidden_layers":6,"vocab_size":100,"sliding_window":32,"max_window_layers":4)";
  EXPECT_THAT(windows_of(qwen2 + R"(,"use_sliding_window":true})"), ElementsAre(Pair(0, 4), Pair(32, 2)));
  EXPECT_THAT(windows_of(qwen2 + R"(,"use_sliding_window":false})"), ElementsAre(Pair(0, 6)));
  EXPECT_THAT(windows_of(qwen2 + R"(,"layer_types":["sliding_attention","full_attention","full_attention",
      "full_attention","full_attention","full_attention"],"use_sliding_window":true})"),
              ElementsAre(Pair(0, 5), Pair(32, 1)));
}

TEST(HuggingFaceTest, WhatInferenceKeeps) {
  EXPECT_EQ(Parse(kLlamaKin[8].json).transformer->window_layers, 21);  // gemma-2-9b
  EXPECT_EQ(Parse(kLlamaKin[2].json).transformer->window_layers, 0);
  // mamba-130m: 24 blocks of 1,536 channels with 16 states and 4 inputs of the convolution.
  const RecurrentState state = Parse(kOthers[5].json).state;
  EXPECT_EQ(state.blocks, 24);
  EXPECT_EQ(state.elements, 24 * 1536 * 20);
}

TEST(HuggingFaceTest, AlbertSharesOneBlock) {
  const Module model = Expand(Parse(kEncoders[10].json));
  const Module* block = Find(model, "encoder.albert_layer_groups.albert_layers");
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block->instances, 1);
  EXPECT_EQ(block->calls, 12);
}

TEST(HuggingFaceTest, DefaultLengthIsBounded) {
  EXPECT_EQ(Parse(kLlama).default_seq_len, 512);
  EXPECT_EQ(Parse(kGpts[0].json).default_seq_len, 1024);
  EXPECT_EQ(Parse(kGpts[9].json).default_seq_len, 2048);  // ALiBi: no longest position.
  EXPECT_EQ(Parse(kLlamaKin[4].json).default_seq_len, 4096);
  EXPECT_EQ(Parse(kOthers[0].json).has_sequence, false);
}

// ---- Old, nested and unknown files ----

TEST(HuggingFaceTest, OldFilesGoByTheirClass) {
  const ModelDescription description = Parse(
      R"({"architectures":["Qwen2MoeForCausalLM"],"hidden_size":64,"intermediate_size":128,
          "moe_intermediate_size":32,"shared_expert_intermediate_size":64,"num_attention_heads":4,
          "num_hidden_layers":2,"num_experts":4,"num_experts_per_tok":2,"vocab_size":100})");
  EXPECT_EQ(description.family, "qwen2_moe");
}

TEST(HuggingFaceTest, ClassNamesMayBeSpelledOtherwise) {
  const ModelDescription description = Parse(
      R"({"architectures":["LLaMAForCausalLM"],"hidden_size":64,"intermediate_size":128,"num_attention_heads":4,
          "num_hidden_layers":2,"vocab_size":100})");
  EXPECT_EQ(description.family, "llama");
}

TEST(HuggingFaceTest, NestedConfigurationsInheritAndWarn) {
  const ModelDescription gemma = Parse(
      R"({"architectures":["Gemma3ForConditionalGeneration"],"model_type":"gemma3",
          "text_config":{"hidden_size":2560,"intermediate_size":10240,"model_type":"gemma3_text",
                         "num_hidden_layers":34,"sliding_window":1024},
          "vision_config":{"hidden_size":1152}})");
  EXPECT_EQ(gemma.family, "gemma3_text");
  EXPECT_THAT(gemma.warnings, Contains(HasSubstr("vision tower")));
  EXPECT_THAT(gemma.warnings, Contains(AllOf(HasSubstr("head_dim"), HasSubstr("defaults of gemma3_text"))));
  // The language part of gemma-3-4b: 4,300,079,472 of all less the tower's 416,866,032 and the projector's 2,950,272.
  EXPECT_EQ(ParametersOf(Expand(gemma)).total, 3880263168);
  // The outer tie_word_embeddings holds for the inner model.
  const ModelDescription tied =
      Parse(std::string(R"({"model_type":"llava","tie_word_embeddings":true,"text_config":)") + kLlama + "}");
  EXPECT_EQ(tied.family, "llama");
  EXPECT_TRUE(tied.transformer->tied_embeddings);
}

TEST(HuggingFaceTest, NestedNullsCountAsAbsent) {
  const ModelDescription gemma = Parse(
      R"({"model_type":"gemma3","text_config":{"hidden_size":2560,"intermediate_size":10240,"model_type":"gemma3_text",
          "num_hidden_layers":34,"sliding_window":1024,"head_dim":null,"num_key_value_heads":null}})");
  EXPECT_EQ(ParametersOf(Expand(gemma)).total, 3880263168);
}

TEST(HuggingFaceTest, OldSpellingsOfKnownFamilies) {
  EXPECT_EQ(Parse(std::string(R"({"model_type":"Yi",)") + std::string(kLlama).substr(1 + std::string(R"("model_type":"llama",)").size())).family, "llama");
  // Google's BERT files, also where a tool has added an empty list of classes.
  EXPECT_EQ(Parse(R"({"architectures":[],"hidden_size":64,"intermediate_size":256,"num_attention_heads":4,"num_hidden_layers":2,
                      "vocab_size":100,"max_position_embeddings":32,"type_vocab_size":2})").family,
            "bert");
  const ModelDescription vit = Parse(R"({"model_type":"vit","hidden_size":64,"intermediate_size":256,
      "num_attention_heads":4,"num_hidden_layers":2,"image_size":[32,32],"patch_size":[16,16]})");
  EXPECT_EQ(std::get<Convolution>(Find(Expand(vit), "embeddings.patch_embeddings.projection")->operation).kernel[0], 16);
  // CLIP ViT-L/14 of the first files: 427,616,513.
  const ModelDescription clip = Parse(R"({"model_type":"clip","projection_dim":768,
      "text_config_dict":{"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12},
      "vision_config_dict":{"hidden_size":1024,"intermediate_size":4096,"num_attention_heads":16,"num_hidden_layers":24,
                            "patch_size":14}})");
  EXPECT_EQ(ParametersOf(Expand(clip)).total, 427616513);
}

TEST(HuggingFaceTest, UnknownTypesListWhatIsSupported) {
  const std::string json = R"({"model_type":"llama9","hidden_size":64,"intermediate_size":128,
      "num_attention_heads":4,"num_hidden_layers":2,"vocab_size":100})";
  const absl::Status status = ParseHuggingFaceConfig(json).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::DetailOf(status).field, "model_type");
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("llama9"), HasSubstr("deepseek_v3"), HasSubstr("--assume-architecture")));
  const ModelDescription assumed = Parse(json, {"llama", ""});
  EXPECT_EQ(assumed.family, "llama");
  EXPECT_THAT(assumed.warnings, ElementsAre(AllOf(HasSubstr("llama9"), HasSubstr("planned as llama"))));
  EXPECT_EQ(ParseHuggingFaceConfig(json, {"lama", ""}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(HuggingFaceTest, SupportedTypesAreSortedAndDistinct) {
  const std::vector<std::string> types = SupportedModelTypes();
  EXPECT_TRUE(std::is_sorted(types.begin(), types.end()));
  EXPECT_EQ(std::adjacent_find(types.begin(), types.end()), types.end());
  EXPECT_THAT(types, Contains("kimi_k2"));
}

}  // namespace
}  // namespace planner::model
