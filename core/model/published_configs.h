#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

// Configurations of published models with their parameter counts, for tests.

namespace planner::model {

struct Published {
  std::string name;
  std::string json;
  int64_t total;
  int64_t active = 0;  ///< 0: as total.
  int64_t stored = 0;  ///< 0: as total.
};

inline void PrintTo(const Published& published, std::ostream* stream) { *stream << published.name; }

// From the model cards, the safetensors metadata of the published files, or the papers.
inline const Published kLlamaKin[] = {
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

inline const Published kOldNames[] = {
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

inline const Published kGpts[] = {
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

inline constexpr char kDeepSeekV3[] =
    R"({"model_type":"deepseek_v3","hidden_size":7168,"intermediate_size":18432,"moe_intermediate_size":2048,
        "num_attention_heads":128,"num_key_value_heads":128,"num_hidden_layers":61,"vocab_size":129280,
        "first_k_dense_replace":3,"n_routed_experts":256,"n_shared_experts":1,"num_experts_per_tok":8,
        "q_lora_rank":1536,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,
        "topk_method":"noaux_tc","scoring_func":"sigmoid","num_nextn_predict_layers":1,
        "quantization_config":{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[128,128]}})";

inline const Published kExperts[] = {
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

inline std::string Bert(std::string_view more) {
  return R"({"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12,
             "max_position_embeddings":512,"type_vocab_size":2,"vocab_size":30522)" +
         std::string(more) + "}";
}
inline std::string Roberta(std::string_view more) {
  return R"({"model_type":"roberta","hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,
             "num_hidden_layers":12,"max_position_embeddings":514,"type_vocab_size":1,"vocab_size":50265)" +
         std::string(more) + "}";
}

inline const Published kEncoders[] = {
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

inline std::string Bart(std::string_view size, std::string_view more) {
  const bool large = size == "large";
  return std::string(R"({"model_type":"bart","vocab_size":50265,"max_position_embeddings":1024,)") +
         (large ? R"("d_model":1024,"encoder_layers":12,"decoder_layers":12,"encoder_attention_heads":16,
                    "decoder_attention_heads":16,"encoder_ffn_dim":4096,"decoder_ffn_dim":4096)"
                : R"("d_model":768,"encoder_layers":6,"decoder_layers":6,"encoder_attention_heads":12,
                    "decoder_attention_heads":12,"encoder_ffn_dim":3072,"decoder_ffn_dim":3072)") +
         std::string(more) + "}";
}

inline const Published kEncoderDecoders[] = {
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

inline std::string Labels(int count) {
  std::string labels;
  for (int i = 0; i < count; ++i) {
    labels += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"x\"";
  }
  return R"(,"id2label":{)" + labels + "}}";
}
inline std::string Vit(std::string_view model_type, std::string_view architecture) {
  return R"({"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12,
             "image_size":224,"patch_size":16,"model_type":")" +
         std::string(model_type) + R"(","architectures":[")" + std::string(architecture) + R"("])" + Labels(1000);
}

inline const Published kOthers[] = {
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

/// A small one, for tests of structure.
inline constexpr char kLlama[] =
    R"({"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_attention_heads":4,"num_hidden_layers":3,
        "num_key_value_heads":2,"vocab_size":100,"max_position_embeddings":512})";

}  // namespace planner::model
