// Heads of the classes that a configuration names.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/model/config_tree.h"
#include "core/model/published_configs.h"

namespace planner::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(HuggingFaceHeadsTest, HeadsFollowArchitectures) {
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

TEST(HuggingFaceHeadsTest, EncoderHeadsHaveAsManyLabelsAsTheFileNames) {
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
TEST(HuggingFaceHeadsTest, HeadsAreThoseOfTheClass) {
  constexpr int64_t kDense = 768 * 768 + 768, kScore = 768 + 1;
  const std::string gpt2 =
      R"({"model_type":"gpt2","n_embd":768,"n_head":12,"n_layer":12,"n_positions":1024,"vocab_size":50257})";
  const std::string distilbert = R"({"model_type":"distilbert","dim":768,"hidden_dim":3072,"n_heads":12,"n_layers":6,
                                     "max_position_embeddings":512,"vocab_size":30522})";
  const std::string electra =
      R"({"model_type":"electra","embedding_size":768,"hidden_size":768,"intermediate_size":3072,
      "num_attention_heads":12,"num_hidden_layers":12,"max_position_embeddings":512,"vocab_size":30522})";
  const std::string t5 =
      R"({"model_type":"t5","d_model":512,"d_ff":2048,"d_kv":64,"num_layers":6,"num_heads":8,"vocab_size":32128})";
  const std::string labels = R"(,"id2label":{"0":"a","1":"b","2":"c"})";
  const auto parameters = [](const std::string& json) {
    const ModelDescription description = Parse(json);
    EXPECT_THAT(description.warnings, IsEmpty()) << json;
    return ParametersOf(Expand(description)).total;
  };
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2DoubleHeadsModel")), 124439808 + kScore);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2DoubleHeadsModel", R"(,"summary_proj_to_labels":false)")),
            124439808 + kDense);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2DoubleHeadsModel", R"(,"summary_use_proj":false)")), 124439808);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2ForSequenceClassification", labels)), 124439808 + 3 * 768);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2ForTokenClassification", labels)), 124439808 + 3 * kScore);
  EXPECT_EQ(parameters(WithClass(gpt2, "GPT2ForQuestionAnswering", labels)), 124439808 + 2 * kScore);
  EXPECT_EQ(parameters(WithClass(Bert(""), "BertForMultipleChoice")), 109482240 + kScore);
  EXPECT_EQ(parameters(WithClass(Bert(""), "BertForTokenClassification", labels)), 109482240 - kDense + 3 * kScore);
  EXPECT_EQ(parameters(WithClass(Roberta(""), "RobertaForMultipleChoice")), 124645632 + kScore);
  EXPECT_EQ(parameters(WithClass(distilbert, "DistilBertForMultipleChoice")), 66362880 + kDense + kScore);
  EXPECT_EQ(parameters(WithClass(electra, "ElectraForMultipleChoice")), 108891648 + kDense + kScore);
  EXPECT_EQ(parameters(WithClass(electra, "ElectraForSequenceClassification", labels)),
            108891648 + kDense + 3 * kScore);
  // The encoder alone: 32128 x 512 + 6 x 3,146,752 + 256 + 512.
  EXPECT_EQ(parameters(WithClass(t5, "T5ForTokenClassification", labels)), 35330816 + 3 * 513);
  EXPECT_EQ(parameters(WithClass(t5, "T5ForQuestionAnswering")), 60506624 + 2 * 513);
  EXPECT_EQ(parameters(WithClass(Bart("large", ""), "BartForSequenceClassification")), 407344131)
      << "three labels by default";
  EXPECT_EQ(parameters(WithClass(Bart("large", ""), "BartForQuestionAnswering", labels)), 406291456 + 2 * 1025);
}

TEST(HuggingFaceHeadsTest, UnknownClassesAreSaid) {
  const std::string bert = Bert("");
  const std::string clip = R"({"model_type":"clip","text_config":{},"vision_config":{}})";
  const std::string vit =
      R"({"hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,"num_hidden_layers":12,
                              "model_type":"vit"})";
  const std::string t5 =
      R"({"model_type":"t5","d_model":512,"d_ff":2048,"d_kv":64,"num_layers":6,"num_heads":8,"vocab_size":32128})";
  for (const std::string& json :
       {WithClass(std::string(kLlama), "LlamaForRewardModel"), WithClass(bert, "BertForRewardModel"),
        WithClass(clip, "CLIPForImageClassification"), WithClass(vit, "ViTForMaskedImageModeling"),
        WithClass(t5, "T5ForRewardModel"), WithClass(t5, "T5ForCausalLM")}) {
    EXPECT_THAT(Parse(json).warnings, ElementsAre(HasSubstr("architectures names "))) << json;
  }
}

}  // namespace
}  // namespace planner::model
