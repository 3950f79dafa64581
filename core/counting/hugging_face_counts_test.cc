// Hugging Face configurations, counted: figures published by calflops (its README, batch 1, 128 positions), each under
// the condition that it was measured with.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "core/counting/analytic_counter.h"
#include "core/model/hugging_face.h"

namespace planner::counting {
namespace {

CostReport CountConfig(const std::string& json, const model::BatchShape& batch) {
  const absl::StatusOr<model::ModelDescription> description = model::ParseHuggingFaceConfig(json);
  EXPECT_TRUE(description.ok()) << description.status();
  if (!description.ok()) return {};
  const CountRequest request{.model = *description, .batch = batch, .mode = Mode::kInference};
  const absl::StatusOr<CostReport> report = AnalyticCounter().Count(request);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *report : CostReport{};
}

std::string Llama(int64_t vocab) {
  return R"({"model_type":"llama","hidden_size":4096,"intermediate_size":11008,"num_attention_heads":32,
             "num_hidden_layers":32,"vocab_size":)" +
         std::to_string(vocab) + "}";
}

std::string Bloom(int64_t hidden, int64_t layers, int64_t heads) {
  return R"({"architectures":["BloomModel"],"model_type":"bloom","vocab_size":250880,"hidden_size":)" +
         std::to_string(hidden) + R"(,"n_layer":)" + std::to_string(layers) + R"(,"n_head":)" + std::to_string(heads) +
         "}";
}

std::string Pythia(int64_t hidden, int64_t layers, int64_t heads, int64_t vocab) {
  return R"({"architectures":["GPTNeoXModel"],"model_type":"gpt_neox","hidden_size":)" + std::to_string(hidden) +
         R"(,"intermediate_size":)" + std::to_string(4 * hidden) + R"(,"num_hidden_layers":)" + std::to_string(layers) +
         R"(,"num_attention_heads":)" + std::to_string(heads) + R"(,"vocab_size":)" + std::to_string(vocab) + "}";
}

std::string Moss(const char* architecture) {
  return std::string(R"({"architectures":[")") + architecture +
         R"("],"model_type":"moss","n_embd":6144,"n_head":24,"n_layer":34,"n_positions":2048,"rotary_dim":64,
            "vocab_size":107008})";
}

struct PublishedCount {
  std::string name;
  std::string json;
  int64_t parameters;
  int64_t macs;
  /// calflops sees torch.baddbmm but not torch.bmm, so of BLOOM's attention only Q K^T: half of its MACs.
  bool only_query_key = false;
};

void PrintTo(const PublishedCount& published, std::ostream* stream) { *stream << published.name; }

class PublishedCounts : public ::testing::TestWithParam<PublishedCount> {};

TEST_P(PublishedCounts, AreExact) {
  const PublishedCount& published = GetParam();
  const CostReport report = CountConfig(published.json, {.batch = 1, .seq_len = 128, .inputs = {}});
  EXPECT_EQ(report.parameters, published.parameters);
  int64_t macs = report.forward.macs;
  if (published.only_query_key) macs -= report.attention_forward.macs / 2;
  EXPECT_EQ(macs, published.macs);
}

const PublishedCount kPublishedCounts[] = {
    {"llama-7b", Llama(32000), 6738415616, 850000871424},
    {"chinese-llama-7b", Llama(49953), 6885486592, 859413413888},
    {"baichuan-7b",
     R"({"model_type":"baichuan","hidden_size":4096,"intermediate_size":11008,"num_attention_heads":32,
         "num_hidden_layers":32,"vocab_size":64000,"max_position_embeddings":4096})",
     7000559616, 866778087424},
    {"qwen-7b",
     R"({"model_type":"qwen","hidden_size":4096,"intermediate_size":22016,"num_attention_heads":32,
         "num_hidden_layers":32,"kv_channels":128,"vocab_size":151936,"no_bias":true,"seq_length":8192})",
     7721324544, 912881876992},
    {"chatglm-6b",
     R"({"model_type":"chatglm","hidden_size":4096,"inner_hidden_size":16384,"num_attention_heads":32,
         "num_layers":28,"vocab_size":130528,"max_sequence_length":2048})",
     6173286400, 793746866176},
    {"chatglm2-6b",
     R"({"model_type":"chatglm","hidden_size":4096,"ffn_hidden_size":13696,"num_attention_heads":32,"num_layers":28,
         "kv_channels":128,"padded_vocab_size":65024,"seq_length":32768,"multi_query_attention":true,
         "multi_query_group_num":2,"add_qkv_bias":true,"add_bias_linear":false})",
     6243584000, 768799145984},
    // Measured as the bare models, without a head.
    {"bloom-1b7", Bloom(2048, 24, 16), 1722408960, 155424129024, true},
    {"bloom-7b1", Bloom(4096, 30, 32), 7069016064, 775107379200, true},
    {"pythia-1.4b", Pythia(2048, 24, 16, 50304), 1311625216, 156229435392},
    {"pythia-12b", Pythia(5120, 36, 40, 50688), 11586549760, 1455591260160},
    {"moss-moon-003-sft", Moss("MossForCausalLM"), 16717980160, 2062389608448},
    {"moss-moon-003-sft-plugin", Moss("MossModel"), 16060416000, 1978235092992},
    {"chinese-roberta-wwm-ext",
     R"({"architectures":["BertModel"],"model_type":"bert","hidden_size":768,"intermediate_size":3072,
         "num_attention_heads":12,"num_hidden_layers":12,"max_position_embeddings":512,"type_vocab_size":2,
         "vocab_size":21128})",
     102267648, 11174215680},
};
INSTANTIATE_TEST_SUITE_P(Calflops, PublishedCounts, ::testing::ValuesIn(kPublishedCounts), [](const auto& row) {
  std::string name = row.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

TEST(HuggingFaceCounts, VitAgreesWithTorchvision) {
  std::string labels;
  for (int i = 0; i < 1000; ++i) labels += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"x\"";
  const CostReport report = CountConfig(
      R"({"architectures":["ViTForImageClassification"],"model_type":"vit","hidden_size":768,
          "intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12,"id2label":{)" +
          labels + "}}",
      {});
  EXPECT_EQ(report.parameters, 86567656);
  EXPECT_EQ(report.forward.macs, 17563828224);
}

TEST(HuggingFaceCounts, LlamaOtherFlopsByKind) {
  const CostReport report = CountConfig(Llama(32000), {.batch = 1, .seq_len = 128, .inputs = {}});
  const auto flops = [&](std::string_view kind) {
    for (const OperatorCost& cost : report.operators) {
      if (cost.kind == kind) return cost.forward.other_flops;
    }
    return int64_t{-1};
  };
  // calflops counts 1 an element: 45,088,768 for silu, 16,777,216 for softmax. Ours are 4 and 5.
  EXPECT_EQ(flops("silu"), 4 * 45088768);
  EXPECT_EQ(flops("softmax"), 5 * 16777216);
  EXPECT_EQ(flops("mul"), 45088768);
  EXPECT_EQ(flops("add"), 32 * 2 * 128 * 4096);
  EXPECT_EQ(flops("rotary"), 3 * 32 * 128 * 2 * 4096);
}

TEST(HuggingFaceCounts, NonEmbeddingParametersLeaveOutTablesAndHead) {
  const CostReport llama = CountConfig(Llama(32000), {});
  EXPECT_EQ(llama.non_embedding_parameters, 6738415616 - 2 * 32000 * 4096);
  const CostReport gpt2 = CountConfig(
      R"({"model_type":"gpt2","n_embd":768,"n_head":12,"n_layer":12,"n_positions":1024,"vocab_size":50257})", {});
  EXPECT_EQ(gpt2.non_embedding_parameters, 124439808 - (50257 + 1024) * 768);
}

TEST(HuggingFaceCounts, MixtureOfExpertsCountsTheSelectedOnes) {
  const CostReport report = CountConfig(
      R"({"model_type":"mixtral","hidden_size":4096,"intermediate_size":14336,"num_attention_heads":32,
          "num_hidden_layers":32,"num_key_value_heads":8,"num_local_experts":8,"num_experts_per_tok":2,
          "vocab_size":32000})",
      {.batch = 1, .seq_len = 128, .inputs = {}});
  EXPECT_EQ(report.expert_parameters, int64_t{32} * 8 * 3 * 4096 * 14336);
  // Every active weight but the table and the norms multiplies every token.
  const int64_t products = 12879925248 - int64_t{32000} * 4096 - int64_t{65} * 4096;
  EXPECT_EQ(report.forward.macs - report.attention_forward.macs, products * 128);
}

}  // namespace
}  // namespace planner::counting
