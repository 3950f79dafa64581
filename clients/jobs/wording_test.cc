#include "clients/jobs/wording.h"

#include <gtest/gtest.h>

namespace planner::jobs {
namespace {

TEST(InWordsTest, FlagsAreTheWordsOfTheJob) {
  const Wording annotations = {.word_prefix = "planner.io/", .gpu_type = "nvidia.com/gpu.product"};
  const auto said = [&](std::string_view text) { return InWords(text, annotations); };
  EXPECT_EQ(said("--tokens: is not a number: value=\"many\""), "planner.io/tokens: is not a number: value=\"many\"");
  EXPECT_EQ(said("--tokens or --samples: takes one of them"),
            "planner.io/tokens or planner.io/samples: takes one of them");
  EXPECT_EQ(said("--tokns: is no word of a job; did you mean --tokens?"),
            "planner.io/tokns: is no word of a job; did you mean planner.io/tokens?");
  EXPECT_EQ(said("--model: model.preset: no model is named \"x\""), "planner.io/model: no model is named \"x\"");
  EXPECT_EQ(said("--gpu[0]: no GPU type is named \"x\""), "nvidia.com/gpu.product: no GPU type is named \"x\"");
  EXPECT_EQ(said("--cluster: there is no cluster \"x\""), "the policy's cluster: there is no cluster \"x\"");
  EXPECT_EQ(InWords("--tokens: must be above 0", Wording()), "tokens: must be above 0");
}

TEST(InWordsTest, WhatIsNoFlagStays) {
  for (const std::string text :
       {"", "-", "a--b", "value=\"--x\"", "8 GPUs: needs 120 GiB of 80 GiB", "spec.template: is no object"}) {
    EXPECT_EQ(InWords(text, {.word_prefix = "planner.io/"}), text);
  }
  EXPECT_EQ(InWords("--", {.word_prefix = "p/"}), "p/");
  EXPECT_EQ(InWords("--gpu[", {.gpu_type = "type"}), "type");
}

}  // namespace
}  // namespace planner::jobs
