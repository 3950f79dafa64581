#include "clients/slurm/job_words.h"

#include <gtest/gtest.h>

#include <random>

namespace planner::slurm {
namespace {

TEST(JobWordsTest, ReadsTheComment) {
  EXPECT_EQ(*WordsOfComment("planner:model=llama-3-8b,tokens=1T"),
            (jobs::JobWords{{"model", "llama-3-8b"}, {"tokens", "1T"}}));
  EXPECT_EQ(*WordsOfComment("project 7; planner:model=gpt2,fixed the rest is other"),
            (jobs::JobWords{{"model", "gpt2"}, {"fixed", "true"}}));
  EXPECT_EQ(*WordsOfComment("planner:Seq_Len=4k,model=\"a,b c\";more"),
            (jobs::JobWords{{"model", "a,b c"}, {"seq-len", "4k"}}));
}

TEST(JobWordsTest, OtherCommentsSayNothing) {
  for (const char* text : {"", "hello", "myplanner:model=x", "planner", "planner model=x"}) {
    const auto words = WordsOfComment(text);
    ASSERT_TRUE(words.ok()) << text;
    EXPECT_TRUE(words->empty()) << text;
  }
}

TEST(JobWordsTest, RefusesWhatCannotBeRead) {
  for (const std::string& text :
       {std::string("planner:"), std::string("planner:model="), std::string("planner:model=a,model=b"),
        std::string("planner:=x"), std::string("planner:model=\"a"), std::string("planner:model=\"a\"b"),
        std::string("planner:mo'del=a"), std::string("planner:model=a\x01"), std::string("planner:model=a\0b", 17),
        "planner:model=" + std::string(1 << 20, 'A'), std::string("planner:,,,"), std::string("planner: model=x")}) {
    EXPECT_FALSE(WordsOfComment(text).ok()) << text.substr(0, 60);
  }
}

TEST(JobWordsTest, HostileValuesStayValues) {
  EXPECT_EQ(WordsOfComment("planner:model=x'$(touch)'")->at("model"), "x'$(touch)'");
}

TEST(JobWordsTest, ReadsTheEnvironment) {
  EXPECT_EQ(*WordsOfEnvironment({{"PLANNER_MODEL", "gpt2"},
                                 {"PLANNER_SEQ_LEN", "4k"},
                                 {"PLANNER_SERVER", "x:1"},
                                 {"HOME", "/"},
                                 {"PLANNER_PLAN_ID", "p"}}),
            (jobs::JobWords{{"model", "gpt2"}, {"seq-len", "4k"}}));
  EXPECT_FALSE(WordsOfEnvironment({{"PLANNER_MODEL", std::string(5000, 'x')}}).ok());
}

TEST(JobWordsTest, RandomCommentsAreReadOrRefused) {
  std::mt19937 random(3);
  const std::string alphabet = "planner:model=,;\" ab\n";
  std::uniform_int_distribution<size_t> letter(0, alphabet.size() - 1), length(0, 40);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = "planner:";
    for (size_t n = length(random); n > 0; --n) text += alphabet[letter(random)];
    const auto words = WordsOfComment(text);
    if (!words.ok()) continue;
    for (const auto& [name, value] : *words) {
      ASSERT_FALSE(name.empty() || value.empty()) << text;
      ASSERT_EQ(value.find('\n'), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace planner::slurm
