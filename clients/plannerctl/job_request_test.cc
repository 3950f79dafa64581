#include "clients/plannerctl/job_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;

class SlurmWordsTest : public ::testing::Test {
 protected:
  SlurmWordsTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "planner-words-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(folder_ / "allowed/m");
    std::ofstream(folder_ / "allowed/m/config.json") << R"({"model_type": "gpt2", "n_layer": 2})";
    std::ofstream(folder_ / "allowed/weights.pt") << "x";
    std::ofstream(folder_ / "secret.json") << R"({"password": "hunter2"})";
    std::filesystem::create_symlink(folder_ / "secret.json", folder_ / "allowed/link.json");
    std::filesystem::create_directories(folder_ / "allowed-not");
    std::ofstream(folder_ / "allowed-not/config.json") << "{}";
  }
  ~SlurmWordsTest() override { std::filesystem::remove_all(folder_); }

  std::string Error(const jobs::JobWords& words) const {
    return std::string(RequestOfWords(words, {(folder_ / "allowed").string()}).status().message());
  }
  std::filesystem::path folder_;
};

TEST_F(SlurmWordsTest, WordsAreTheFlagsOfEstimate) {
  const auto request = RequestOfWords(
      {{"model", "llama-3-8b"}, {"tokens", "1.5T"}, {"seq-len", "4k"}, {"tp", "8"}, {"fixed", "true"}}, {});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->model().preset(), "llama-3-8b");
  EXPECT_EQ(request->data_set().token_count(), 1.5e12);
  EXPECT_EQ(request->data_set().seq_len(), 4000);
  EXPECT_EQ(request->layout().tensor_parallel(), 8);
  EXPECT_FALSE(request->resources().has_min_gpus());
}

TEST_F(SlurmWordsTest, WrongWordsAreNamed) {
  EXPECT_THAT(Error({{"model", "gpt2"}, {"tokenz", "1"}}),
              HasSubstr("--tokenz: is no word of a job; did you mean --tokens?"));
  EXPECT_THAT(Error({{"model", "gpt2"}, {"tokens", "many"}}), HasSubstr("--tokens: is not a number"));
  EXPECT_THAT(Error({{"model", "gpt2"}, {"gpus", "8"}}), HasSubstr("gpus: is no word of a job")) << "Slurm says that";
  EXPECT_THAT(Error({{"tokens", "1B"}}), HasSubstr("model: is missing"));
}

TEST_F(SlurmWordsTest, OnlyFilesOfAllowedFoldersAreRead) {
  const std::string model = (folder_ / "allowed/m").string();
  const auto request = RequestOfWords({{"model", model}}, {(folder_ / "allowed").string()});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->model().has_hugging_face_config());
  const std::string refused = "--model: is no description in a folder that this site allows";
  EXPECT_EQ(RequestOfWords({{"model", model}}, {}).status().message(), refused);
  for (const char* path :
       {"secret.json", "allowed/link.json", "allowed/../secret.json", "allowed-not/config.json", "allowed/none.json"}) {
    EXPECT_EQ(Error({{"model", (folder_ / path).string()}}), refused) << path;
  }
  EXPECT_EQ(Error({{"model", "/etc/shadow"}}), refused);
  EXPECT_THAT(Error({{"model", (folder_ / "allowed/weights.pt").string()}}), HasSubstr("make a plan with plannerctl"));
  for (const char* name : {"../../etc/passwd", "./secret.json", "x'$(touch pwned)'", "-"}) {
    const auto named = RequestOfWords({{"model", name}}, {"/"});
    ASSERT_TRUE(named.ok());
    EXPECT_EQ(named->model().preset(), name) << "a name, and no file";
  }
}

TEST_F(SlurmWordsTest, SlurmsScriptsPassAllWordsOnAsVariables) {
  for (const char* script : {"job_submit.lua", "cli_filter.lua"}) {
    std::ifstream file(std::string(SLURM_FOLDER) + "/" + script);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const size_t begin = text.find("local ENVIRONMENT = {");
    ASSERT_NE(begin, std::string::npos) << script;
    const std::string list = text.substr(begin, text.find('}', begin) - begin);
    for (std::string word : AllWords()) {
      for (char& c : word) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
      EXPECT_NE(list.find('"' + word + '"'), std::string::npos) << script << ": " << word;
    }
  }
}

}  // namespace
}  // namespace planner::plannerctl
