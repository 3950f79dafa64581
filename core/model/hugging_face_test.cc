#include "core/model/hugging_face.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace planner::model {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Parameters of a tree: all of them, and those that a token uses.
struct Parameters {
  int64_t total = 0;
  int64_t active = 0;
};

int64_t OwnParameters(const Operation& operation) {
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

Parameters ParametersOf(const Module& module) {
  Parameters sum{OwnParameters(module.operation), OwnParameters(module.operation)};
  for (const Module& child : module.children) {
    const Parameters of_child = ParametersOf(child);
    sum.total += of_child.total;
    sum.active += of_child.active;
  }
  return {sum.total * module.instances, sum.active * std::min(module.instances, module.calls)};
}

/// The module at a dotted path, or null.
const Module* Find(const Module& module, std::string_view path) {
  for (const Module& child : module.children) {
    if (child.name == path) return &child;
    if (path.starts_with(child.name) && path.size() > child.name.size() && path[child.name.size()] == '.') {
      if (const Module* found = Find(child, path.substr(child.name.size() + 1))) return found;
    }
  }
  return nullptr;
}

ModelDescription Parse(std::string_view json, const HuggingFaceOptions& options = {}) {
  absl::StatusOr<ModelDescription> description = ParseHuggingFaceConfig(json, options);
  EXPECT_TRUE(description.ok()) << description.status();
  return description.ok() ? *std::move(description) : ModelDescription{};
}

Module Expand(const ModelDescription& description, const BatchShape& shape = {}) {
  if (!description.expand) return {};
  absl::StatusOr<Module> module = description.expand(shape);
  EXPECT_TRUE(module.ok()) << module.status();
  return module.ok() ? *std::move(module) : Module{};
}

BatchShape Sizes(int64_t batch, std::optional<int64_t> seq_len) { return {batch, seq_len, {}}; }
BatchShape Input(std::vector<int64_t> input) { return {1, std::nullopt, {std::move(input)}}; }

// ---- Published parameter counts ----

struct Published {
  std::string name;
  std::string json;
  int64_t total;
  int64_t active = 0;  ///< 0: as total.
  int64_t stored = 0;  ///< 0: as total.
};

void PrintTo(const Published& published, std::ostream* stream) { *stream << published.name; }

class PublishedParameters : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedParameters, AreExact) {
  const Published& published = GetParam();
  const ModelDescription description = Parse(published.json);
  const Parameters parameters = ParametersOf(Expand(description));
  EXPECT_EQ(parameters.total, published.total);
  EXPECT_EQ(parameters.active, published.active > 0 ? published.active : published.total);
  EXPECT_EQ(parameters.total + description.extra_stored_parameters,
            published.stored > 0 ? published.stored : published.total);
}

std::string TestName(const ::testing::TestParamInfo<Published>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

// From the model cards, the safetensors metadata of the published files, or the papers.
const Published kLlamaKin[] = {
    {"llama-7b",
     R"({"architectures":["LLaMAForCausalLM"],"model_type":"llama","hidden_size":4096,"intermediate_size":11008,
         "num_attention_heads":32,"num_hidden_layers":32,"vocab_size":32000})",
     6738415616},
    {"llama-3.2-1b",
     R"({"model_type":"llama","hidden_size":2048,"intermediate_size":8192,"num_attention_heads":32,"head_dim":64,
         "num_hidden_layers":16,"num_key_value_heads":8,"vocab_size":128256,"tie_word_embeddings":true})",
     1235814400},
    {"mistral-nemo",
     R"({"model_type":"mistral","hidden_size":5120,"intermediate_size":14336,"num_attention_heads":32,"head_dim":128,
         "num_hidden_layers":40,"num_key_value_heads":8,"vocab_size":131072,"sliding_window":null})",
     12247782400},
    {"qwen-7b",
     R"({"model_type":"qwen","hidden_size":4096,"intermediate_size":22016,"num_attention_heads":32,
         "num_hidden_layers":32,"kv_channels":128,"vocab_size":151936,"no_bias":true,"seq_length":8192})",
     7721324544},
    {"qwen2-7b",
     R"({"model_type":"qwen2","hidden_size":3584,"intermediate_size":18944,"num_attention_heads":28,
         "num_hidden_layers":28,"num_key_value_heads":4,"vocab_size":152064,"max_position_embeddings":32768})",
     7615616512},
    {"qwen3-0.6b",
     R"({"model_type":"qwen3","hidden_size":1024,"intermediate_size":3072,"num_attention_heads":16,"head_dim":128,
         "num_hidden_layers":28,"num_key_value_heads":8,"vocab_size":151936,"tie_word_embeddings":true})",
     596049920, 0, 751632384},
    {"qwen3-4b",
     R"({"model_type":"qwen3","hidden_size":2560,"intermediate_size":9728,"num_attention_heads":32,"head_dim":128,
         "num_hidden_layers":36,"num_key_value_heads":8,"vocab_size":151936,"tie_word_embeddings":true})",
     4022468096},
    {"gemma-7b",
     R"({"model_type":"gemma","hidden_size":3072,"intermediate_size":24576,"num_attention_heads":16,"head_dim":256,
         "num_hidden_layers":28,"num_key_value_heads":16,"vocab_size":256000})",
     8537680896},
    {"gemma-2-9b",
     R"({"model_type":"gemma2","hidden_size":3584,"intermediate_size":14336,"num_attention_heads":16,"head_dim":256,
         "num_hidden_layers":42,"num_key_value_heads":8,"vocab_size":256000,"sliding_window":4096})",
     9241705984},
    {"gemma-3-1b",
     R"({"model_type":"gemma3_text","hidden_size":1152,"intermediate_size":6912,"num_attention_heads":4,
         "head_dim":256,"num_hidden_layers":26,"num_key_value_heads":1,"vocab_size":262144})",
     999885952},
    {"phi-3.5-mini",
     R"({"model_type":"phi3","hidden_size":3072,"intermediate_size":8192,"num_attention_heads":32,
         "num_hidden_layers":32,"num_key_value_heads":32,"vocab_size":32064,"sliding_window":262144})",
     3821079552},
    {"baichuan-7b",
     R"({"architectures":["BaiChuanForCausalLM"],"model_type":"baichuan","hidden_size":4096,
         "intermediate_size":11008,"num_attention_heads":32,"num_hidden_layers":32,"vocab_size":64000,
         "max_position_embeddings":4096})",
     7000559616},
    {"baichuan2-7b",
     R"({"model_type":"baichuan","hidden_size":4096,"intermediate_size":11008,"num_attention_heads":32,
         "num_hidden_layers":32,"vocab_size":125696,"max_position_embeddings":4096})",
     7505973248},
    {"baichuan-13b",
     R"({"model_type":"baichuan","hidden_size":5120,"intermediate_size":13696,"num_attention_heads":40,
         "num_hidden_layers":40,"vocab_size":64000,"model_max_length":4096})",
     13264901120},
    {"internlm2-7b",
     R"({"architectures":["InternLM2ForCausalLM"],"model_type":"internlm2","bias":false,"hidden_size":4096,
         "intermediate_size":14336,"num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":8,
         "vocab_size":92544})",
     7737708544},
    {"olmo-7b",
     R"({"model_type":"olmo","hidden_size":4096,"intermediate_size":11008,"num_attention_heads":32,
         "num_hidden_layers":32,"vocab_size":50304})",
     6888095744},
    {"olmo-2-13b",
     R"({"model_type":"olmo2","hidden_size":5120,"intermediate_size":13824,"num_attention_heads":40,
         "num_hidden_layers":40,"num_key_value_heads":40,"vocab_size":100352})",
     13716198400},
    {"stablelm-3b-4e1t",
     R"({"model_type":"stablelm","hidden_size":2560,"intermediate_size":6912,"num_attention_heads":32,
         "num_hidden_layers":32,"num_key_value_heads":32,"vocab_size":50304})",
     2795443200},
    {"stablelm-2-1_6b",
     R"({"model_type":"stablelm","hidden_size":2048,"intermediate_size":5632,"num_attention_heads":32,
         "num_hidden_layers":24,"num_key_value_heads":32,"vocab_size":100352,"use_qkv_bias":true})",
     1644515328},
    // By hand, since its card counts otherwise: 40 (65,536,000 attention + 212,336,640 feed-forward + 10,240 norm + 6,400
    // norms of 40 heads) + 2 x 100,352 x 5120 + 10,240.
    {"stablelm-2-12b",
     R"({"model_type":"stablelm","hidden_size":5120,"intermediate_size":13824,"num_attention_heads":32,
         "num_hidden_layers":40,"num_key_value_heads":8,"vocab_size":100352,"use_qkv_bias":false,
         "qk_layernorm":true,"use_parallel_residual":true})",
     12143185920},
    {"starcoder2-3b",
     R"({"model_type":"starcoder2","hidden_size":3072,"intermediate_size":12288,"num_attention_heads":24,
         "num_hidden_layers":30,"num_key_value_heads":2,"vocab_size":49152,"sliding_window":4096})",
     3030371328},
    {"command-r",
     R"({"model_type":"cohere","hidden_size":8192,"intermediate_size":22528,"num_attention_heads":64,
         "num_hidden_layers":40,"num_key_value_heads":64,"vocab_size":256000})",
     34980831232},
    {"glm-4-9b",
     R"({"model_type":"glm","hidden_size":4096,"intermediate_size":13696,"num_attention_heads":32,"head_dim":128,
         "num_hidden_layers":40,"num_key_value_heads":2,"vocab_size":151552,"attention_bias":true})",
     9399951360},
    {"glm-4-9b-0414",
     R"({"model_type":"glm4","hidden_size":4096,"intermediate_size":13696,"num_attention_heads":32,"head_dim":128,
         "num_hidden_layers":40,"num_key_value_heads":2,"vocab_size":151552,"attention_bias":true})",
     9400279040},
};
INSTANTIATE_TEST_SUITE_P(Llama, PublishedParameters, ::testing::ValuesIn(kLlamaKin), TestName);

const Published kOldNames[] = {
    {"stablelm-3b-4e1t as stablelm_epoch",
     R"({"architectures":["StableLMEpochForCausalLM"],"model_type":"stablelm_epoch","hidden_size":2560,
         "intermediate_size":6912,"num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":32,
         "rope_pct":0.25,"vocab_size":50304})",
     2795443200},
    {"xlm-roberta-base without model_type",
     R"({"architectures":["XLMRobertaModel"],"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,
         "num_hidden_layers":12,"max_position_embeddings":514,"type_vocab_size":1,"vocab_size":250002})",
     278043648},
};
INSTANTIATE_TEST_SUITE_P(OldNames, PublishedParameters, ::testing::ValuesIn(kOldNames), TestName);

const Published kGpts[] = {
    {"gpt2",
     R"({"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","n_ctx":1024,"n_embd":768,"n_head":12,"n_layer":12,
         "n_positions":1024,"vocab_size":50257})",
     124439808},
    {"gpt_bigcode starcoder",
     R"({"model_type":"gpt_bigcode","n_embd":6144,"n_head":48,"n_layer":40,"n_inner":24576,"n_positions":8192,
         "vocab_size":49152,"multi_query":true})",
     15517456384},
    {"gpt-j-6b",
     R"({"model_type":"gptj","n_embd":4096,"n_head":16,"n_layer":28,"n_inner":null,"n_positions":2048,
         "rotary_dim":64,"vocab_size":50400})",
     6050882784},
    {"codegen-350m",
     R"({"model_type":"codegen","n_embd":1024,"n_head":16,"n_layer":20,"n_inner":null,"n_positions":2048,
         "rotary_dim":32,"vocab_size":51200})",
     356712448},
    {"moss-moon-003-sft",
     R"({"model_type":"moss","n_embd":6144,"n_head":24,"n_layer":34,"n_positions":2048,"rotary_dim":64,
         "vocab_size":107008})",
     16717980160},
    {"pythia-12b",
     R"({"model_type":"gpt_neox","hidden_size":5120,"intermediate_size":20480,"num_attention_heads":40,
         "num_hidden_layers":36,"vocab_size":50688})",
     11846072320},
    {"gpt-neox-20b",
     R"({"model_type":"gpt_neox","hidden_size":6144,"intermediate_size":24576,"num_attention_heads":64,
         "num_hidden_layers":44,"vocab_size":50432})",
     20554567680},
    {"opt-125m",
     R"({"model_type":"opt","hidden_size":768,"ffn_dim":3072,"num_attention_heads":12,"num_hidden_layers":12,
         "max_position_embeddings":2048,"vocab_size":50272,"word_embed_proj_dim":768})",
     125239296},
    {"opt-350m",
     R"({"model_type":"opt","hidden_size":1024,"ffn_dim":4096,"num_attention_heads":16,"num_hidden_layers":24,
         "max_position_embeddings":2048,"vocab_size":50272,"word_embed_proj_dim":512,
         "do_layer_norm_before":false})",
     331196416},
    {"bloom-560m", R"({"model_type":"bloom","hidden_size":1024,"n_head":16,"n_layer":24,"vocab_size":250880})",
     559214592},
    {"bloom", R"({"model_type":"bloom","n_embed":14336,"num_attention_heads":112,"n_layer":70,"vocab_size":250880})",
     176247271424},
    {"falcon-7b",
     R"({"model_type":"falcon","hidden_size":4544,"num_attention_heads":71,"num_hidden_layers":32,
         "vocab_size":65024,"multi_query":true,"parallel_attn":true,"new_decoder_architecture":false,"bias":false})",
     6921720704, 0, 7217189760},
    {"falcon-40b as RefinedWeb",
     R"({"model_type":"RefinedWeb","hidden_size":8192,"n_head":128,"n_head_kv":8,"n_layer":60,"vocab_size":65024})",
     41303293952, 0, 41835970560},
    {"falcon-7b without model_type",
     R"({"architectures":["RWForCausalLM"],"hidden_size":4544,"n_head":71,"n_layer":32,"vocab_size":65024,
         "multi_query":true,"parallel_attn":true,"bias":false,"alibi":false})",
     6921720704, 0, 7217189760},
    {"falcon-rw-1b",
     R"({"model_type":"falcon","hidden_size":2048,"num_attention_heads":32,"num_hidden_layers":24,
         "vocab_size":50304,"multi_query":false,"parallel_attn":false,"bias":true,"alibi":true})",
     1311625216, 0, 1414647808},
    {"mpt-7b",
     R"({"model_type":"mpt","d_model":4096,"n_heads":32,"n_layers":32,"expansion_ratio":4,"max_seq_len":2048,
         "vocab_size":50432,"no_bias":true,"attn_config":{"alibi":true}})",
     6649286656},
    // Grouped heads need no attn_type beside them. Of 32 heads 8 keep their keys and values: mpt-7b less
    // 32 layers · 2 · 4096 · (32 − 8) · 128 = 805,306,368.
    {"mpt with kv_n_heads",
     R"({"model_type":"mpt","d_model":4096,"n_heads":32,"n_layers":32,"expansion_ratio":4,"max_seq_len":2048,
         "vocab_size":50432,"no_bias":true,"attn_config":{"kv_n_heads":8}})",
     6649286656 - 805306368},
    // One head of keys and values: what gpt_bigcode counts for the same sizes.
    {"santacoder",
     R"({"architectures":["GPT2LMHeadCustomModel"],"model_type":"gpt2","n_embd":2048,"n_head":16,"n_layer":24,
         "n_inner":8192,"n_positions":2048,"vocab_size":49280,"attention_head_type":"multiquery"})",
     1124886528},
    {"phi-1.5 as mixformer-sequential",
     R"({"architectures":["MixFormerSequentialForCausalLM"],"model_type":"mixformer-sequential","n_embd":2048,
         "n_head":32,"n_inner":null,"n_layer":24,"n_positions":2048,"vocab_size":51200})",
     1418270720},
    {"phi-2 as phi-msft",
     R"({"model_type":"phi-msft","n_embd":2560,"n_head":32,"n_head_kv":null,"n_inner":null,"n_layer":32,
         "n_positions":2048,"vocab_size":51200})",
     2779683840},
    {"phi-2",
     R"({"model_type":"phi","hidden_size":2560,"intermediate_size":10240,"num_attention_heads":32,
         "num_hidden_layers":32,"vocab_size":51200})",
     2779683840},
    {"chatglm-6b",
     R"({"model_type":"chatglm","hidden_size":4096,"inner_hidden_size":16384,"num_attention_heads":32,
         "num_layers":28,"vocab_size":130528,"max_sequence_length":2048})",
     6173286400},
    {"chatglm2-6b",
     R"({"architectures":["ChatGLMModel"],"model_type":"chatglm","hidden_size":4096,"ffn_hidden_size":13696,
         "num_attention_heads":32,"num_layers":28,"kv_channels":128,"padded_vocab_size":65024,"seq_length":32768,
         "multi_query_attention":true,"multi_query_group_num":2,"add_qkv_bias":true,"add_bias_linear":false,
         "rmsnorm":true})",
     6243584000},
};
INSTANTIATE_TEST_SUITE_P(Gpt, PublishedParameters, ::testing::ValuesIn(kGpts), TestName);

constexpr char kDeepSeekV3[] =
    R"({"model_type":"deepseek_v3","hidden_size":7168,"intermediate_size":18432,"moe_intermediate_size":2048,
        "num_attention_heads":128,"num_key_value_heads":128,"num_hidden_layers":61,"vocab_size":129280,
        "first_k_dense_replace":3,"n_routed_experts":256,"n_shared_experts":1,"num_experts_per_tok":8,
        "q_lora_rank":1536,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,
        "topk_method":"noaux_tc","scoring_func":"sigmoid","num_nextn_predict_layers":1,
        "quantization_config":{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[128,128]}})";

const Published kExperts[] = {
    {"mixtral-8x7b",
     R"({"model_type":"mixtral","hidden_size":4096,"intermediate_size":14336,"num_attention_heads":32,
         "num_hidden_layers":32,"num_key_value_heads":8,"num_local_experts":8,"num_experts_per_tok":2,
         "vocab_size":32000})",
     46702792704, 12879925248},
    {"qwen1.5-moe-a2.7b",
     R"({"model_type":"qwen2_moe","hidden_size":2048,"intermediate_size":5632,"moe_intermediate_size":1408,
         "shared_expert_intermediate_size":5632,"num_attention_heads":16,"num_hidden_layers":24,
         "num_key_value_heads":16,"num_experts":60,"num_experts_per_tok":4,"vocab_size":151936})",
     14315784192, 2689173504},
    {"qwen3-30b-a3b",
     R"({"model_type":"qwen3_moe","hidden_size":2048,"intermediate_size":6144,"moe_intermediate_size":768,
         "num_attention_heads":32,"head_dim":128,"num_hidden_layers":48,"num_key_value_heads":4,"num_experts":128,
         "num_experts_per_tok":8,"vocab_size":151936,"mlp_only_layers":[],"decoder_sparse_step":1})",
     30532122624, 3353032704},
    {"deepseek-v2-lite",
     R"({"model_type":"deepseek_v2","hidden_size":2048,"intermediate_size":10944,"moe_intermediate_size":1408,
         "num_attention_heads":16,"num_hidden_layers":27,"vocab_size":102400,"first_k_dense_replace":1,
         "n_routed_experts":64,"n_shared_experts":2,"num_experts_per_tok":6,"q_lora_rank":null,"kv_lora_rank":512,
         "qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,"topk_method":"greedy"})",
     15706484224, 2661150208},
    {"deepseek-v3", kDeepSeekV3, 671026419200, 37552297472, 684531386000},
    {"gpt-oss-20b",
     R"({"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,"num_attention_heads":64,"head_dim":64,
         "num_hidden_layers":24,"num_key_value_heads":8,"num_local_experts":32,"experts_per_token":4,
         "attention_bias":true,"sliding_window":128,"vocab_size":201088})",
     20914757184, 4187440704},
    {"gpt-oss-120b",
     R"({"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,"num_attention_heads":64,"head_dim":64,
         "num_hidden_layers":36,"num_key_value_heads":8,"num_local_experts":128,"num_experts_per_tok":4,
         "vocab_size":201088})",
     116829156672, 5711982912},
    // By hand: 48 (62,914,560 attention + 16 x 125,829,120 routed + 125,829,120 shared + 81,920 router + 10,240
    // norms) + 2 x 202,048 x 5120 + 5120; active with 1 of the 16.
    {"llama-4-scout",
     R"({"model_type":"llama4","text_config":{"model_type":"llama4_text","hidden_size":5120,"intermediate_size":8192,
         "intermediate_size_mlp":16384,"num_attention_heads":40,"head_dim":128,"num_hidden_layers":48,
         "num_key_value_heads":8,"num_local_experts":16,"num_experts_per_tok":1,"vocab_size":202048}})",
     107769861120, 17172894720},
};
INSTANTIATE_TEST_SUITE_P(Experts, PublishedParameters, ::testing::ValuesIn(kExperts), TestName);

std::string Bert(std::string_view more) {
  return R"({"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12,
             "max_position_embeddings":512,"type_vocab_size":2,"vocab_size":30522)" +
         std::string(more) + "}";
}
std::string Roberta(std::string_view more) {
  return R"({"model_type":"roberta","hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,
             "num_hidden_layers":12,"max_position_embeddings":514,"type_vocab_size":1,"vocab_size":50265)" +
         std::string(more) + "}";
}

const Published kEncoders[] = {
    {"bert-base without architectures", Bert(R"(,"model_type":"bert")"), 109482240},
    {"bert-base without model_type", Bert(""), 109482240},
    {"BertModel", Bert(R"(,"architectures":["BertModel"])"), 109482240},
    {"BertForMaskedLM", Bert(R"(,"architectures":["BertForMaskedLM"])"), 109514298},
    {"BertForPreTraining", Bert(R"(,"architectures":["BertForPreTraining"])"), 110106428},
    {"BertForSequenceClassification",
     Bert(R"(,"architectures":["BertForSequenceClassification"],"id2label":{"0":"a","1":"b","2":"c"})"),
     109482240 + 3 * 769},
    {"chinese-roberta-wwm-ext",
     R"({"architectures":["BertModel"],"model_type":"bert","hidden_size":768,"intermediate_size":3072,
         "num_attention_heads":12,"num_hidden_layers":12,"max_position_embeddings":512,"type_vocab_size":2,
         "vocab_size":21128})",
     102267648},
    {"roberta-base", Roberta(""), 124645632},
    {"RobertaForMaskedLM", Roberta(R"(,"architectures":["RobertaForMaskedLM"])"), 124697433},
    {"RobertaForSequenceClassification",
     Roberta(R"(,"architectures":["RobertaForSequenceClassification"],"num_labels":2)"), 124647170},
    {"albert-base-v2",
     R"({"model_type":"albert","embedding_size":128,"hidden_size":768,"intermediate_size":3072,
         "num_attention_heads":12,"num_hidden_layers":12,"num_hidden_groups":1,"inner_group_num":1,
         "max_position_embeddings":512,"type_vocab_size":2,"vocab_size":30000})",
     11683584},
    {"distilbert-base",
     R"({"model_type":"distilbert","dim":768,"hidden_dim":3072,"n_heads":12,"n_layers":6,
         "max_position_embeddings":512,"vocab_size":30522})",
     66362880},
    {"electra-base-discriminator",
     R"({"model_type":"electra","embedding_size":768,"hidden_size":768,"intermediate_size":3072,
         "num_attention_heads":12,"num_hidden_layers":12,"max_position_embeddings":512,"type_vocab_size":2,
         "vocab_size":30522})",
     108891648},
};
INSTANTIATE_TEST_SUITE_P(Encoders, PublishedParameters, ::testing::ValuesIn(kEncoders), TestName);

std::string Bart(std::string_view size, std::string_view more) {
  const bool large = size == "large";
  return std::string(R"({"model_type":"bart","vocab_size":50265,"max_position_embeddings":1024,)") +
         (large ? R"("d_model":1024,"encoder_layers":12,"decoder_layers":12,"encoder_attention_heads":16,
                    "decoder_attention_heads":16,"encoder_ffn_dim":4096,"decoder_ffn_dim":4096)"
                : R"("d_model":768,"encoder_layers":6,"decoder_layers":6,"encoder_attention_heads":12,
                    "decoder_attention_heads":12,"encoder_ffn_dim":3072,"decoder_ffn_dim":3072)") +
         std::string(more) + "}";
}

const Published kEncoderDecoders[] = {
    {"t5-small",
     R"({"model_type":"t5","d_model":512,"d_ff":2048,"d_kv":64,"num_layers":6,"num_heads":8,"vocab_size":32128})",
     60506624},
    {"t5-base",
     R"({"model_type":"t5","d_model":768,"d_ff":3072,"d_kv":64,"num_layers":12,"num_heads":12,"vocab_size":32128})",
     222903552},
    {"flan-t5-base",
     R"({"model_type":"t5","d_model":768,"d_ff":2048,"d_kv":64,"num_layers":12,"num_decoder_layers":12,
         "num_heads":12,"vocab_size":32128,"feed_forward_proj":"gated-gelu","tie_word_embeddings":false})",
     247577856},
    {"mt5-small",
     R"({"model_type":"mt5","d_model":512,"d_ff":1024,"d_kv":64,"num_layers":8,"num_heads":6,"vocab_size":250112,
         "feed_forward_proj":"gated-gelu"})",
     300176768},
    {"bart-base", Bart("base", ""), 139420416},
    {"bart-large", Bart("large", ""), 406291456},
    {"bart-large-mnli",
     Bart("large", R"(,"architectures":["BartForSequenceClassification"],"id2label":{"0":"a","1":"b","2":"c"})"),
     407344131},
    {"whisper-tiny",
     R"({"model_type":"whisper","d_model":384,"encoder_layers":4,"decoder_layers":4,"encoder_attention_heads":6,
         "decoder_attention_heads":6,"encoder_ffn_dim":1536,"decoder_ffn_dim":1536,"num_mel_bins":80,
         "vocab_size":51865})",
     37760640},
    {"whisper-large-v2",
     R"({"model_type":"whisper","d_model":1280,"encoder_layers":32,"decoder_layers":32,"encoder_attention_heads":20,
         "decoder_attention_heads":20,"encoder_ffn_dim":5120,"decoder_ffn_dim":5120,"num_mel_bins":80,
         "vocab_size":51865})",
     1543304960},
};
INSTANTIATE_TEST_SUITE_P(EncoderDecoders, PublishedParameters, ::testing::ValuesIn(kEncoderDecoders), TestName);

std::string Labels(int count) {
  std::string labels;
  for (int i = 0; i < count; ++i) {
    labels += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"x\"";
  }
  return R"(,"id2label":{)" + labels + "}}";
}
std::string Vit(std::string_view model_type, std::string_view architecture) {
  return R"({"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12,
             "image_size":224,"patch_size":16,"model_type":")" +
         std::string(model_type) + R"(","architectures":[")" + std::string(architecture) + R"("])" + Labels(1000);
}

const Published kOthers[] = {
    {"vit-base-patch16-224", Vit("vit", "ViTForImageClassification"), 86567656},
    {"vit-base-patch16-224-in21k", Vit("vit", "ViTModel"), 86389248},
    {"deit-base-distilled", Vit("deit", "DeiTForImageClassificationWithTeacher"), 87338192},
    {"clip-vit-base-patch32",
     R"({"model_type":"clip","projection_dim":512,
         "text_config":{"hidden_size":512,"intermediate_size":2048,"num_attention_heads":8,"num_hidden_layers":12},
         "vision_config":{"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,
                          "num_hidden_layers":12,"patch_size":32}})",
     151277313},
    {"clip-vit-base-patch32, all defaults", R"({"model_type":"clip","text_config":{},"vision_config":{}})", 151277313},
    {"mamba-130m-hf",
     R"({"model_type":"mamba","hidden_size":768,"num_hidden_layers":24,"state_size":16,"conv_kernel":4,"expand":2,
         "time_step_rank":48,"vocab_size":50280})",
     129135360},
    {"mamba-130m, original",
     R"({"d_model":768,"n_layer":24,"vocab_size":50277,"ssm_cfg":{},"pad_vocab_size_multiple":8})", 129135360},
};
INSTANTIATE_TEST_SUITE_P(Others, PublishedParameters, ::testing::ValuesIn(kOthers), TestName);

// ---- Structure ----

constexpr char kLlama[] =
    R"({"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_attention_heads":4,"num_hidden_layers":3,
        "num_key_value_heads":2,"vocab_size":100,"max_position_embeddings":512})";

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

TEST(HuggingFaceTest, AlbertSharesOneBlock) {
  const Module model = Expand(Parse(kEncoders[10].json));
  const Module* block = Find(model, "encoder.albert_layer_groups.albert_layers");
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block->instances, 1);
  EXPECT_EQ(block->calls, 12);
}

TEST(HuggingFaceTest, HeadsFollowArchitectures) {
  const auto with = [](const char* architecture) {
    return std::string(R"({"model_type":"gpt_neox","architectures":[")") + architecture +
           R"("],"hidden_size":64,"intermediate_size":256,"num_attention_heads":4,"num_hidden_layers":2,
             "vocab_size":100,"num_labels":3})";
  };
  const Module bare = Expand(Parse(with("GPTNeoXModel")));
  EXPECT_EQ(Find(bare, "embed_out"), nullptr);
  EXPECT_NE(Find(bare, "embed_in"), nullptr);
  const Module causal = Expand(Parse(with("GPTNeoXForCausalLM")));
  EXPECT_NE(Find(causal, "embed_out"), nullptr);
  EXPECT_NE(Find(causal, "gpt_neox.embed_in"), nullptr);
  const Module classifier = Expand(Parse(with("GPTNeoXForSequenceClassification")));
  ASSERT_NE(Find(classifier, "score"), nullptr);
  EXPECT_EQ(std::get<Linear>(Find(classifier, "score")->operation).out_features, 3);
  EXPECT_THAT(Parse(with("GPTNeoXForSomething")).warnings, ElementsAre(HasSubstr("GPTNeoXForSomething")));
}

TEST(HuggingFaceTest, EncoderHeadsHaveAsManyLabelsAsTheFileNames) {
  const auto with = [](const char* type, const char* architecture) {
    return std::string(R"({"model_type":")") + type + R"(","architectures":[")" + architecture +
           R"("],"hidden_size":64,"intermediate_size":256,"num_attention_heads":4,"num_hidden_layers":2,
             "vocab_size":100,"max_position_embeddings":32,"embedding_size":16,"num_labels":5})";
  };
  const Module answers = Expand(Parse(with("bert", "BertForQuestionAnswering")));
  EXPECT_EQ(std::get<Linear>(Find(answers, "qa_outputs")->operation).out_features, 5);
  const Module pairs = Expand(Parse(with("albert", "AlbertForPreTraining")));
  EXPECT_EQ(std::get<Linear>(Find(pairs, "sop_classifier.classifier")->operation).out_features, 5);
  const Module next = Expand(Parse(with("bert", "BertForNextSentencePrediction")));
  EXPECT_EQ(std::get<Linear>(Find(next, "cls.seq_relationship")->operation).out_features, 2);
}

/// A configuration with a class, and labels where it has them.
std::string WithClass(std::string json, std::string_view architecture, std::string_view more = "") {
  json.erase(json.rfind('}'));
  return json + R"(,"architectures":[")" + std::string(architecture) + "\"]" + std::string(more) + "}";
}

// Parameters by the definitions of the classes in transformers: the bare model's, without the pooler where the class has
// none, and the head's.
TEST(HuggingFaceTest, HeadsAreThoseOfTheClass) {
  constexpr int64_t kDense = 768 * 768 + 768, kScore = 768 + 1;
  const std::string gpt2 = R"({"model_type":"gpt2","n_embd":768,"n_head":12,"n_layer":12,"n_positions":1024,"vocab_size":50257})";
  const std::string distilbert = R"({"model_type":"distilbert","dim":768,"hidden_dim":3072,"n_heads":12,"n_layers":6,
                                     "max_position_embeddings":512,"vocab_size":30522})";
  const std::string electra = R"({"model_type":"electra","embedding_size":768,"hidden_size":768,"intermediate_size":3072,
      "num_attention_heads":12,"num_hidden_layers":12,"max_position_embeddings":512,"vocab_size":30522})";
  const std::string t5 = R"({"model_type":"t5","d_model":512,"d_ff":2048,"d_kv":64,"num_layers":6,"num_heads":8,"vocab_size":32128})";
  const std::string labels = R"(,"id2label":{"0":"a","1":"b","2":"c"})";
  const auto parameters = [](const std::string& json) {
    const ModelDescription description = Parse(json);
    EXPECT_THAT(description.warnings, IsEmpty()) << json;
    return ParametersOf(Expand(description)).total;
  };
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2DoubleHeadsModel")), 124439808 + kScore);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2DoubleHeadsModel", R"(,"summary_proj_to_labels":false)")), 124439808 + kDense);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2DoubleHeadsModel", R"(,"summary_use_proj":false)")), 124439808);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2ForSequenceClassification", labels)), 124439808 + 3 * 768);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2ForTokenClassification", labels)), 124439808 + 3 * kScore);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2ForQuestionAnswering", labels)), 124439808 + 2 * kScore);
  EXPECT_EQ(parameters(WithClass(Bert(""), "BertForMultipleChoice")), 109482240 + kScore);
  EXPECT_EQ(parameters(WithClass(Bert(""), "BertForTokenClassification", labels)), 109482240 - kDense + 3 * kScore);
  EXPECT_EQ(parameters(WithClass(Roberta(""), "RobertaForMultipleChoice")), 124645632 + kScore);
  EXPECT_EQ(parameters(WithClass(distilbert, "DistilBertForMultipleChoice")), 66362880 + kDense + kScore);
  EXPECT_EQ(parameters(WithClass(electra, "ElectraForMultipleChoice")), 108891648 + kDense + kScore);
  EXPECT_EQ(parameters(WithClass(electra, "ElectraForSequenceClassification", labels)), 108891648 + kDense + 3 * kScore);
  // The encoder alone: 32128 x 512 + 6 x 3,146,752 + 256 + 512.
  EXPECT_EQ(parameters(WithClass(t5, "T5ForTokenClassification", labels)), 35330816 + 3 * 513);
  EXPECT_EQ(parameters(WithClass(t5, "T5ForQuestionAnswering")), 60506624 + 2 * 513);
  EXPECT_EQ(parameters(WithClass(Bart("large", ""), "BartForSequenceClassification")), 407344131) << "three labels by default";
  EXPECT_EQ(parameters(WithClass(Bart("large", ""), "BartForQuestionAnswering", labels)), 406291456 + 2 * 1025);
}

TEST(HuggingFaceTest, UnknownClassesAreSaid) {
  const std::string bert = Bert("");
  const std::string clip = R"({"model_type":"clip","text_config":{},"vision_config":{}})";
  const std::string vit = R"({"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12,
                              "model_type":"vit"})";
  const std::string t5 = R"({"model_type":"t5","d_model":512,"d_ff":2048,"d_kv":64,"num_layers":6,"num_heads":8,"vocab_size":32128})";
  for (const std::string& json :
       {WithClass(std::string(kLlama), "LlamaForRewardModel"), WithClass(bert, "BertForRewardModel"), WithClass(clip, "CLIPForImageClassification"),
        WithClass(vit, "ViTForMaskedImageModeling"), WithClass(t5, "T5ForRewardModel"), WithClass(t5, "T5ForCausalLM")}) {
    EXPECT_THAT(Parse(json).warnings, ElementsAre(HasSubstr("architectures names "))) << json;
  }
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

TEST(HuggingFaceTest, RefusesWhatWouldBeCountedWrong) {
  const auto error = [](const std::string& json) { return base::DetailOf(ParseHuggingFaceConfig(json).status()).field; };
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

// ---- Bad input ----

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

TEST(HuggingFaceTest, MalformedTextIsInvalid) {
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

TEST(HuggingFaceTest, EveryNumberMayBeHostile) {
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

TEST(HuggingFaceTest, BatchesThatDoNotFitAreInvalid) {
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
