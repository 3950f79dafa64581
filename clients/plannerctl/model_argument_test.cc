#include "clients/plannerctl/model_argument.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace planner::plannerctl {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr char kTextGraph[] =
    "inputs { name: \"x\" shape: [1, 8] }\n"
    "layers { linear { out_features: 4 } }\n";
constexpr char kYamlGraph[] = "inputs:\n  - name: x\n    shape: [1, 8]\nlayers:\n  - linear: {out_features: 4}\n";
constexpr char kJsonGraph[] = R"({"inputs":[{"name":"x","shape":[1,8]}],"layers":[{"linear":{"outFeatures":4}}]})";

class ReadModelArgumentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& content) {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << content;
    return path.string();
  }

  static absl::StatusOr<v1::Model> Read(const std::string& argument, const std::string& input = "") {
    std::istringstream in(input);
    return ReadModelArgument(argument, in);
  }

  static std::string Error(const std::string& argument, const std::string& input = "") {
    const auto model = Read(argument, input);
    EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(model.status().message());
  }

  fs::path folder_;
};

TEST_F(ReadModelArgumentTest, NamesArePresets) {
  EXPECT_EQ(Read("llama-7b")->preset(), "llama-7b");
  EXPECT_EQ(Read("meta-llama/Llama-2-7b")->preset(), "meta-llama/Llama-2-7b");
  EXPECT_EQ(Read("llama-3.1-70b")->preset(), "llama-3.1-70b");
}

TEST_F(ReadModelArgumentTest, ConfigsAreTakenAsTheyAre) {
  const std::string config = R"({"model_type": "llama"})";
  EXPECT_EQ(Read(Write("tiny.json", config))->hugging_face_config(), config);
  EXPECT_EQ(Read((folder_ / "tiny.json").string())->display_name(), "tiny");
  Write("mine/config.json", R"({"architectures": ["GPT2LMHeadModel"]})");
  EXPECT_EQ(Read((folder_ / "mine").string())->display_name(), "mine");
  EXPECT_EQ(Read((folder_ / "mine/").string())->display_name(), "mine");
  EXPECT_TRUE(Read(Write("old.json", R"({"n_embd": 8})"))->has_hugging_face_config());
  EXPECT_TRUE(Read(Write("no_ending", config))->has_hugging_face_config());
}

TEST_F(ReadModelArgumentTest, LayerGraphsInThreeFormats) {
  for (const auto& [name, text] : {std::pair{"a.textproto", kTextGraph},
                                   {"a.pbtxt", kTextGraph},
                                   {"a.yaml", kYamlGraph},
                                   {"a.yml", kYamlGraph},
                                   {"a.json", kJsonGraph},
                                   {"text", kTextGraph},
                                   {"yaml", kYamlGraph},
                                   {"json", kJsonGraph}}) {
    const auto model = Read(Write(name, text));
    ASSERT_TRUE(model.ok()) << name << ": " << model.status();
    EXPECT_EQ(model->layer_graph().layers(0).linear().out_features(), 4) << name;
  }
}

TEST_F(ReadModelArgumentTest, StandardInputIsSniffed) {
  EXPECT_TRUE(Read("-", R"( {"model_type": "llama"})")->has_hugging_face_config());
  EXPECT_TRUE(Read("-", kTextGraph)->has_layer_graph());
  EXPECT_TRUE(Read("-", kYamlGraph)->has_layer_graph());
  EXPECT_THAT(Error("-"), HasSubstr("is empty"));
  EXPECT_THAT(Error("-", "PK\x03\x04 and so on"), HasSubstr("give its path"));
}

TEST_F(ReadModelArgumentTest, TorchScriptFilesAreNamedByTheirContent) {
  const std::string content = "PK\x03\x04 and so on";
  for (const char* name : {"net.pt", "net.ts", "net.pth", "net"}) {
    const auto model = Read(Write(name, content));
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->uploaded_file().sha256(), Read(Write("same.pt", content))->uploaded_file().sha256());
    EXPECT_NE(model->uploaded_file().sha256(), Read(Write("other.pt", content + "."))->uploaded_file().sha256());
    EXPECT_EQ(model->display_name(), "net");
  }
  EXPECT_THAT(Error(Write("text.pt", "anything")), HasSubstr("not a TorchScript file"));
  EXPECT_THAT(Error(Write("empty.pt", "")), HasSubstr("is empty"));
  fs::create_directories(folder_ / "folder.pt");
  EXPECT_THAT(Error((folder_ / "folder.pt").string()), HasSubstr("is a folder"));
}

TEST_F(ReadModelArgumentTest, MissingFilesAreNotPresets) {
  for (const char* path : {"/nowhere/config.json", "./nothing", "../nothing", "model.json", "graph.yaml",
                           "graph.textproto", "module.pt"}) {
    EXPECT_THAT(Error(path), HasSubstr("no such file"));
  }
  fs::create_directories(folder_ / "empty");
  EXPECT_THAT(Error((folder_ / "empty").string()), HasSubstr("without a config.json"));
  // A plain name, too: it is no preset's while there is such a folder.
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  EXPECT_THAT(Error("empty"), HasSubstr("empty: is a folder without a config.json"));
  fs::current_path(before);
  EXPECT_FALSE(Read("").ok());
}

TEST_F(ReadModelArgumentTest, WhatIsNoDescriptionIsSaid) {
  EXPECT_THAT(Error(Write("a.json", R"({"model_type": "lla)")), HasSubstr("not valid JSON"));
  EXPECT_THAT(Error(Write("a.json", "[1]")), HasSubstr("not an object"));
  EXPECT_THAT(Error(Write("a.json", R"({"name": "x"})")), HasSubstr("neither"));
  EXPECT_THAT(Error(Write("a.yaml", "layers: [{linear: {out: 3}}]")), HasSubstr("out"));
}

TEST_F(ReadModelArgumentTest, HugeFilesAreRefusedUnread) {
  const std::string path = Write("huge.json", "{}");
  fs::resize_file(path, uintmax_t{200} << 20);  // Sparse.
  EXPECT_THAT(Error(path), HasSubstr("larger than 4 MiB"));
  EXPECT_THAT(Error("-", std::string((4U << 20) + 1, ' ')), HasSubstr("larger than 4 MiB"));
  EXPECT_THAT(Error(Write("deep.json", std::string(1 << 20, '['))), HasSubstr("JSON"));
}

}  // namespace
}  // namespace planner::plannerctl
