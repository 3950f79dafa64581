#include "services/catalog/catalog.h"

#include <algorithm>
#include <map>
#include <thread>

#include "core/base/error.h"
#include "core/counting/analytic_counter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::catalog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<counting::CostReport> CountOne(const CatalogEntry& entry) {
  return counting::AnalyticCounter().Count(
      {.model = entry.description, .batch = {}, .mode = counting::Mode::kInference, .with_modules = false});
}

class BuiltInCatalogTest : public testing::Test {
 protected:
  counting::CostReport Count(std::string_view name) {
    const absl::StatusOr<std::shared_ptr<const CatalogEntry>> entry = catalog_.Find(name);
    EXPECT_TRUE(entry.ok()) << entry.status();
    if (!entry.ok()) return {};
    absl::StatusOr<counting::CostReport> report = CountOne(**entry);
    EXPECT_TRUE(report.ok()) << name << ": " << report.status();
    return report.value_or(counting::CostReport{});
  }

  std::vector<std::shared_ptr<const CatalogEntry>> Entries() {
    absl::StatusOr<std::vector<std::shared_ptr<const CatalogEntry>>> entries = catalog_.Entries();
    EXPECT_TRUE(entries.ok()) << entries.status();
    return entries.value_or(std::vector<std::shared_ptr<const CatalogEntry>>());
  }

  const ModelCatalog catalog_;
};

TEST_F(BuiltInCatalogTest, EveryModelHasItsPublishedParameters) {
  int published = 0;
  for (const std::shared_ptr<const CatalogEntry>& entry : Entries()) {
    const absl::StatusOr<counting::CostReport> report = CountOne(*entry);
    ASSERT_TRUE(report.ok()) << entry->name << ": " << report.status();
    EXPECT_GT(report->forward.macs, 0) << entry->name;
    if (entry->notes.parameters == 0) continue;
    ++published;
    EXPECT_EQ(report->parameters, entry->notes.parameters) << entry->name;
  }
  EXPECT_GE(published, 190);
}

TEST_F(BuiltInCatalogTest, EveryModelSaysWhatItIs) {
  for (const std::shared_ptr<const CatalogEntry>& entry : Entries()) {
    EXPECT_EQ(entry->description.name, entry->name);
    EXPECT_NE(entry->description.family, "") << entry->name;
    EXPECT_THAT(entry->description.warnings, testing::IsEmpty()) << entry->name;
    EXPECT_NE(entry->notes.note, "") << entry->name;
    EXPECT_NE(entry->source_text, "") << entry->name;
  }
}

TEST_F(BuiltInCatalogTest, NamesAreSortedAndMany) {
  const std::vector<std::string> names = catalog_.Names();
  EXPECT_GE(names.size(), 200u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST_F(BuiltInCatalogTest, NamesOfTheContractAreThere) {
  EXPECT_THAT(catalog_.Names(),
              testing::IsSupersetOf({"gpt2",           "gpt3-175b",  "bert-base",    "t5-base",    "llama-7b",
                                     "llama-65b",      "llama-2-7b", "llama-2-70b",  "llama-3-8b", "llama-3.1-70b",
                                     "llama-3.1-405b", "mistral-7b", "mixtral-8x7b", "qwen2-7b",   "qwen3-235b-a22b",
                                     "deepseek-v3",    "bloom-176b", "opt-175b",     "falcon-40b", "resnet50",
                                     "vit-b-16"}));
}

TEST_F(BuiltInCatalogTest, NamesAndAliasesBelongToOneModelEach) {
  std::map<std::string, std::string> owners;
  for (const std::shared_ptr<const CatalogEntry>& entry : Entries()) {
    std::vector<std::string> names = entry->notes.aliases;
    names.push_back(entry->name);
    for (const std::string& name : names) {
      EXPECT_EQ(owners.emplace(FoldName(name), entry->name).first->second, entry->name) << name;
      const auto found = catalog_.Find(name);
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_EQ((*found)->name, entry->name) << name;
    }
  }
}

TEST_F(BuiltInCatalogTest, FindsSpellings) {
  const std::map<std::string, std::string> spellings = {
      {"LLaMA-7B", "llama-7b"},           {"meta-llama/Llama-2-7b-hf", "llama-2-7b"},
      {"Llama 2 7 B", "llama-2-7b"},      {"LLAMA3.1_405B", "llama-3.1-405b"},
      {"Qwen3_30B_a3B", "qwen3-30b-a3b"}, {"vit_b_16", "vit-b-16"},
      {"DeepSeek-R1", "deepseek-v3"},     {"google/t5-v1_1-base", "flan-t5-base"}};
  for (const auto& [spelling, name] : spellings) {
    const auto entry = catalog_.Find(spelling);
    ASSERT_TRUE(entry.ok()) << entry.status();
    EXPECT_EQ((*entry)->name, name) << spelling;
  }
}

TEST_F(BuiltInCatalogTest, UnknownNameSaysTheNearest) {
  const absl::Status status = catalog_.Find("lama-7b").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              StartsWith("model.preset: no model is named \"lama-7b\"; nearest: llama-7b, "));
  EXPECT_EQ(base::DetailOf(status).field, "model.preset");
  EXPECT_EQ(base::DetailOf(status).reason, "UNKNOWN_MODEL");
  EXPECT_EQ(catalog_.Find("").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BuiltInCatalogTest, LongNamesAreNotCompared) {
  EXPECT_EQ(catalog_.Find(std::string(16 << 20, 'a')).status().message(),
            "model.preset: no model has a name that long: bytes=16777216");
}

TEST_F(BuiltInCatalogTest, KeepsWhatItRead) {
  std::vector<std::shared_ptr<const CatalogEntry>> found(4);
  std::vector<std::thread> threads;
  for (std::shared_ptr<const CatalogEntry>& entry : found) {
    threads.emplace_back([this, &entry] { entry = catalog_.Find("huggyllama/llama-7b").value_or(nullptr); });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_NE(found[0], nullptr);
  EXPECT_THAT(found, testing::Each(found[0]));
}

// Forward MACs of one 224 x 224 image as torch's own FLOP counter has them for torchvision's models.
TEST_F(BuiltInCatalogTest, VisionModelsCostWhatTorchCounts) {
  EXPECT_EQ(Count("resnet50").forward.macs, 4'089'184'256);
  EXPECT_EQ(Count("vit-b-16").forward.macs, 17'563'828'224);
}

// The technical reports say 37 B of DeepSeek-V3, 22 B of Qwen3-235B and 32 B of Kimi K2.
TEST_F(BuiltInCatalogTest, ActiveParametersOfExperts) {
  EXPECT_EQ(Count("deepseek-v3").active_parameters, 37'552'297'472);
  EXPECT_EQ(Count("qwen3-235b-a22b").active_parameters, 22'190'763'520);
  EXPECT_EQ(Count("kimi-k2").active_parameters / 1'000'000'000, 32);
}

TEST(ModelCatalogTest, ReadsAFileOnlyWhenItIsAskedFor) {
  const std::vector<base::EmbeddedFile> files = {
      {"models/good.json", R"({"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 10,
                               "n_positions": 4, "_planner": {"aliases": ["Better"]}})"},
      {"models/bad.json", "{"}};
  const ModelCatalog catalog(files);
  EXPECT_THAT(catalog.Names(), ElementsAre("bad", "good"));
  EXPECT_TRUE(catalog.Find("good").ok());
  EXPECT_TRUE(catalog.Find("better").ok());
  EXPECT_EQ(catalog.Find("bad").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(catalog.Find("bad").status().message()), StartsWith("models/bad.json"));
  EXPECT_EQ(catalog.Entries().status(), catalog.Find("bad").status());
}

TEST(ModelCatalogTest, ReadsLayerGraphs) {
  const std::vector<base::EmbeddedFile> files = {
      {"models/mlp.textproto",
       "# aliases: perceptron\ninputs { shape: [1, 784] }\nlayers { linear { out_features: 10 } }\n"},
      {"models/odd.textproto", "layers { lineal {} }\n"}};
  const ModelCatalog catalog(files);
  const auto entry = catalog.Find("Perceptron");
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ((*entry)->description.name, "mlp");
  EXPECT_EQ((*entry)->description.family, "layer_graph");
  const absl::StatusOr<counting::CostReport> report = CountOne(**entry);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, 784 * 10 + 10);
  EXPECT_EQ(report->forward.macs, 784 * 10);
  EXPECT_EQ(catalog.Find("odd").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(FoldNameTest, SeparatorsMatterBetweenDigitsOnly) {
  EXPECT_EQ(FoldName("Llama-2-7B"), "llama2-7b");
  EXPECT_EQ(FoldName("llama2_7b"), "llama2-7b");
  EXPECT_EQ(FoldName("llama-27b"), "llama27b");
  EXPECT_EQ(FoldName("resnext101_32x8d"), "resnext101-32x8d");
  EXPECT_EQ(FoldName("- a --b-"), "ab");
}

TEST(PresetNotesTest, OfAConfiguration) {
  const auto notes = ReadNotes(
      {"a.json", R"({"model_type": "gpt2", "_planner": {"aliases": ["x", "org/y"], "parameters": 12, "note": "n"}})"});
  ASSERT_TRUE(notes.ok()) << notes.status();
  EXPECT_THAT(notes->aliases, ElementsAre("x", "org/y"));
  EXPECT_EQ(notes->parameters, 12);
  EXPECT_EQ(notes->note, "n");
}

TEST(PresetNotesTest, OfALayerGraph) {
  const auto notes = ReadNotes({"a.textproto",
                                "# A network.\n# aliases: x, org/y\n# parameters: 12\n# note: n: m\n"
                                "name: \"a\"\n# aliases: z\n"});
  ASSERT_TRUE(notes.ok()) << notes.status();
  EXPECT_THAT(notes->aliases, ElementsAre("x", "org/y"));
  EXPECT_EQ(notes->parameters, 12);
  EXPECT_EQ(notes->note, "n: m");
}

TEST(PresetNotesTest, RefusesWhatIsNoNote) {
  const std::map<std::string, std::string> wrong = {
      {R"({"_planner": 1})", "_planner"},
      {R"({"_planner": {"aliases": "x"}})", "_planner.aliases"},
      {R"({"_planner": {"aliases": [1]}})", "_planner.aliases"},
      {R"({"_planner": {"parameters": -1}})", "_planner.parameters"},
      {R"({"_planner": {"parameters": 0}})", "_planner.parameters"},
      {R"({"_planner": {"parameters": 1.5}})", "_planner.parameters"},
      {R"({"_planner": {"parameters": 9223372036854775808}})", "_planner.parameters"},
      {R"({"_planner": {"alias": []}})", "_planner.alias"}};
  for (const auto& [text, field] : wrong) {
    EXPECT_EQ(base::DetailOf(ReadNotes({"a.json", text}).status()).field, field) << text;
  }
  EXPECT_THAT(std::string(ReadNotes({"a.textproto", "# parameters: many\n"}).status().message()), HasSubstr("above 0"));
}

TEST(PresetNameTest, IsTheStem) {
  EXPECT_EQ(PresetName({"models/llama-3.1-8b.json", ""}), "llama-3.1-8b");
  EXPECT_EQ(PresetName({"resnet50.textproto", ""}), "resnet50");
}

}  // namespace
}  // namespace planner::catalog
