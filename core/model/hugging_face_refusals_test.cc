// What is not described, and what no batch fits.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/model/config_tree.h"
#include "core/model/published_configs.h"

namespace planner::model {
namespace {

using ::testing::HasSubstr;

TEST(HuggingFaceRefusalsTest, RefusesWhatWouldBeCountedWrong) {
  const auto error = [](const std::string& json) {
    return base::DetailOf(ParseHuggingFaceConfig(json).status()).field;
  };
  const std::string bert = R"({"model_type":"bert","hidden_size":64,"intermediate_size":256,"num_attention_heads":4,
      "num_hidden_layers":2,"vocab_size":100,"max_position_embeddings":32)";
  EXPECT_EQ(error(bert + R"(,"position_embedding_type":"relative_key"})"), "position_embedding_type");
  EXPECT_EQ(error(bert + R"(,"add_cross_attention":true})"), "add_cross_attention");
  EXPECT_EQ(error(bert + R"(,"position_embedding_type":"absolute","add_cross_attention":false})"), "");
  const std::string mamba = R"({"d_model":64,"n_layer":2,"vocab_size":100,"ssm_cfg":)";
  EXPECT_EQ(error(mamba + "{}}"), "");
  EXPECT_EQ(error(mamba + R"({"layer":"Mamba1"}})"), "");
  EXPECT_EQ(error(mamba + R"({"layer":"Mamba2"}})"), "ssm_cfg.layer");
  EXPECT_EQ(error(mamba + R"({},"attn_layer_idx":[1]})"), "attn_layer_idx");
}

struct Bad {
  std::string name;
  std::string patch;  ///< Fields that replace those of kLlama.
  std::string field;
  std::string text;
};

class BadConfig : public ::testing::TestWithParam<Bad> {};

TEST_P(BadConfig, IsNamed) {
  const Bad& bad = GetParam();
  // Later fields of the same name win.
  std::string json = kLlama;
  json.pop_back();
  json += "," + bad.patch + "}";
  const absl::Status status = ParseHuggingFaceConfig(json).status();
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(base::DetailOf(status).field, bad.field) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(bad.text));
}

const Bad kBadConfigs[] = {
    {"type of the type", R"("model_type":5)", "model_type", "must be a string"},
    {"zero", R"("hidden_size":0)", "hidden_size", "value=0"},
    {"negative", R"("num_hidden_layers":-3)", "num_hidden_layers", "value=-3"},
    {"fraction", R"("vocab_size":10.5)", "vocab_size", "value=10.5"},
    {"string", R"("intermediate_size":"128")", "intermediate_size", "\"128\""},
    {"huge", R"("vocab_size":1e15)", "vocab_size", "must be a whole number"},
    {"overflow", R"("vocab_size":99999999999999999999999)", "vocab_size", "must be a whole number"},
    {"null is missing", R"("hidden_size":null)", "hidden_size", "is missing"},
    {"layers", R"("num_hidden_layers":1000000)", "num_hidden_layers", "100000"},
    {"heads", R"("num_attention_heads":5,"num_key_value_heads":5)", "num_attention_heads", "heads=5 hidden=64"},
    {"kv heads", R"("num_key_value_heads":3)", "num_key_value_heads", "kv_heads=3 heads=4"},
    {"flag", R"("tie_word_embeddings":"yes")", "tie_word_embeddings", "\"yes\""},
    {"activation", R"("hidden_act":"magic")", "hidden_act", "magic"},
    {"missing experts", R"("model_type":"mixtral","num_experts_per_tok":2)", "num_local_experts", "is missing"},
    {"too many experts a token", R"("model_type":"mixtral","num_local_experts":4,"num_experts_per_tok":5)",
     "num_experts_per_tok", "experts_per_token=5 experts=4"},
    {"layer types length", R"("model_type":"qwen3","layer_types":["full_attention"])", "layer_types",
     "entries=1 layers=3"},
    {"layer types value",
     R"("model_type":"qwen3","layer_types":["full_attention","linear_attention","full_attention"])", "layer_types[1]",
     "linear_attention"},
    {"gemma head_dim", R"("model_type":"gemma")", "head_dim", "is missing"},
    {"nested", R"("model_type":"llava","text_config":{"model_type":"llama","hidden_size":-1})",
     "text_config.hidden_size", "value=-1"},
    {"nested type", R"("model_type":"wrapper","text_config":{"model_type":"unknown"})", "text_config.model_type",
     "unknown"},
};
INSTANTIATE_TEST_SUITE_P(All, BadConfig, ::testing::ValuesIn(kBadConfigs), [](const auto& bad) {
  std::string name = bad.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

TEST(HuggingFaceRefusalsTest, MalformedTextIsInvalid) {
  std::string deep(100, '[');
  for (const std::string& text :
       {std::string(), std::string("{"), std::string(kLlama, 40), std::string("[1]"), std::string("null"),
        std::string("\"x\""), std::string(R"({"hidden_size":NaN})"), "{\"a\":" + deep + std::string(100, ']') + "}",
        "{\"a\":\"" + std::string(5 << 20, 'x') + "\"}", std::string("{\"model_type\":\"\xff\xfe\"}"),
        std::string("{}"), std::string(R"({"model_type":3})"), std::string(R"({"architectures":"x"})"),
        std::string(R"({"model_type":"x","text_config":[]})")}) {
    EXPECT_EQ(ParseHuggingFaceConfig(text).status().code(), absl::StatusCode::kInvalidArgument) << text.substr(0, 60);
  }
}

/// Every fixture of the tests above.
std::vector<std::string> AllConfigs() {
  std::vector<std::string> configs;
  for (const Published& p : kLlamaKin) configs.push_back(p.json);
  for (const Published& p : kGpts) configs.push_back(p.json);
  for (const Published& p : kExperts) configs.push_back(p.json);
  for (const Published& p : kEncoders) configs.push_back(p.json);
  for (const Published& p : kEncoderDecoders) configs.push_back(p.json);
  for (const Published& p : kOthers) configs.push_back(p.json);
  return configs;
}

TEST(HuggingFaceRefusalsTest, EveryNumberMayBeHostile) {
  int described = 0;
  int refused = 0;
  for (const std::string& json : AllConfigs()) {
    for (size_t i = 1; i < json.size(); ++i) {
      if (json[i - 1] != ':' || !std::isdigit(static_cast<unsigned char>(json[i]))) continue;
      const size_t end = json.find_first_of(",}", i);
      for (const char* value : {"0", "1", "-1", "1.5", "1e12", "null"}) {
        const std::string hostile = json.substr(0, i) + value + json.substr(end);
        const absl::StatusOr<ModelDescription> description = ParseHuggingFaceConfig(hostile);
        if (!description.ok()) {
          EXPECT_EQ(description.status().code(), absl::StatusCode::kInvalidArgument) << hostile;
          EXPECT_NE(base::DetailOf(description.status()).field, "") << hostile;
          ++refused;
          continue;
        }
        const absl::StatusOr<Module> module = description->expand(BatchShape{.batch = 3});
        EXPECT_TRUE(module.ok() || module.status().code() == absl::StatusCode::kOutOfRange) << module.status();
        ++described;
      }
    }
  }
  // That both ways out were taken often: the loop finds its numbers.
  EXPECT_GT(described, 500);
  EXPECT_GT(refused, 500);
}

TEST(HuggingFaceRefusalsTest, BatchesThatDoNotFitAreInvalid) {
  const auto code = [](const std::string& json, const BatchShape& shape) {
    return Parse(json).expand(shape).status().code();
  };
  EXPECT_EQ(code(kLlama, Sizes(0, std::nullopt)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kLlama, Sizes(1, -1)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kLlama, Sizes(1, 100000)), absl::StatusCode::kOk);  // Rotary positions have no table.
  EXPECT_EQ(code(kGpts[0].json, Sizes(1, 1025)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(Roberta(""), Sizes(1, 512)), absl::StatusCode::kOk);
  EXPECT_EQ(code(Roberta(""), Sizes(1, 513)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kLlama, Input({4, 16})), absl::StatusCode::kOk);
  EXPECT_EQ(code(kLlama, Input({4, 16, 3})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kOthers[0].json, Input({4, 3, 224, 224})), absl::StatusCode::kOk);
  EXPECT_EQ(code(kOthers[0].json, Input({4, 3, 256, 256})), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(kLlama, Sizes(1000000000000, 1000000000000)), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace planner::model
