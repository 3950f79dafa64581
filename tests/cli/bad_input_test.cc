// Wrong values, hostile files, full disks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/plannerctl_fixture.h"

namespace planner::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_P(PlannerctlTest, FlagsThatDoNotApplyAreIgnoredWithAWarning) {
  const Outcome outcome = Run({"count", "--model", "vit-b-16", "--seq-len", "77", "-o", "json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, StartsWith("plannerctl: warning: "));
  const auto answer = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(answer["parameterCount"], "86567656");
  EXPECT_FALSE(answer["batchShape"].contains("seqLen")) << "what is ignored was not counted";

  // A text has one input; its length is said once.
  const Outcome twice = Run({"estimate", "--model", "gpt2", "--gpus", "1", "--gpu", "a100", "--seq-len", "77",
                             "--input", "x=1x128", "--input", "2x3"});
  EXPECT_EQ(twice.exit_code, 0) << twice.err;
  EXPECT_THAT(twice.err,
              AllOf(HasSubstr("warning: --seq-len is ignored: "), HasSubstr("warning: --input[1] is ignored: "),
                    HasSubstr("warning: --input[0].name is ignored: ")));
  const Outcome count = Run({"count", "--model", "gpt2", "--seq-len", "77", "--input", "1x128", "--input", "2x3"});
  EXPECT_THAT(count.err,
              AllOf(HasSubstr("warning: --seq-len is ignored: "), HasSubstr("warning: --input[1] is ignored: ")));
  EXPECT_THAT(count.out, AllOf(HasSubstr("input 1x128"), Not(HasSubstr("77 positions")), Not(HasSubstr("2x3"))));
}

TEST_P(PlannerctlTest, UnknownNamesListTheNearest) {
  const Outcome gpu = Run({"gpu", "get", "a10000"});
  EXPECT_EQ(gpu.exit_code, 2);
  EXPECT_THAT(gpu.err, HasSubstr("A100"));
  const Outcome model = Run({"estimate", "--model", "lama-7b", "--tokens", "1B"});
  EXPECT_EQ(model.exit_code, 2);
  EXPECT_THAT(model.err, AllOf(StartsWith("plannerctl: error: --model: "), HasSubstr("llama-7b")));
}

TEST_P(PlannerctlTest, BadValuesExitWith2AndNameTheFlag) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--tokens", "-5"}, "--tokens"},
      {{"--tokens", "0"}, "--tokens"},
      {{"--tokens", "nan"}, "--tokens"},
      {{"--tokens", "1e30"}, "--tokens"},
      {{"--gpus", "0"}, "--gpus"},
      {{"--gpus", "64-8"}, "--gpus"},
      {{"--utilization", "1.5"}, "--utilization"},
      {{"--mfu", "0"}, "--mfu"},
      {{"--gpu", "abacus"}, "--gpu"},
      {{"--precision", "bf17"}, "--precision"},
      {{"--optimizer", "adman"}, "--optimizer"},
      {{"--global-batch", "-1"}, "--global-batch"},
      {{"--budget", "-1"}, "--budget"},
      {{"--cluster", "nowhere"}, "--cluster"},
      {{"--zero", "4"}, "--zero"},
      {{"--seq-len", "0"}, "--seq-len"},
      {{"--seq-len", "10000000000"}, "--seq-len"},
      {{"--input", "1x0"}, "--input"},
      {{"--samples", "0"}, "--samples"},
      {{"--samples", "inf"}, "--samples"},
      {{"--tokens", "1B", "--epochs", "-1"}, "--epochs"},
      {{"--tokens", "1B", "--epochs", "1e9"}, "--epochs"},
      {{"--tokens", "1B", "--samples", "1B"}, "--tokens or --samples"},
      {{"--tokens", "1B", "--budget", "nan"}, "--budget"},
      {{"--tokens", "1B", "--price", "-1"}, "--price"},
      {{"--tokens", "1B", "--deadline", "0s"}, "--deadline"},
      {{"--tokens", "1B", "--deadline", "-3d"}, "--deadline"},
      {{"--deadline", "3d"}, "--tokens or --samples"},
      {{"--utilization", "nan"}, "--utilization"},
      {{"--utilization", "0"}, "--utilization"},
      {{"--utilization", "0.4", "--mfu", "0.4"}, "--"},
      {{"--gpus", "8-4"}, "--gpus"},
      {{"--gpus", "1e30"}, "--gpus"},
      {{"--gpus", "1.5"}, "--gpus"},
      {{"--gpus", ""}, "--gpus"},
      {{"--global-batch", "1e30"}, "--global-batch"},
      {{"--tp", "0"}, "--tp"},
      {{"--pp", "-2"}, "--pp"},
      {{"--vpp", "0"}, "--vpp"},
      {{"--dp", "nan"}, "--dp"},
      {{"--cp", "1e9"}, "--cp"},
      {{"--ep", "0"}, "--ep"},
      {{"--micro-batch", "0"}, "--micro-batch"},
      {{"--lora-rank", "0"}, "--lora-rank"},
      {{"--framework", "ddp", "--tp", "2"}, "--tp: contradicts --framework ddp"},
  };
  for (const auto& [flags, expected] : cases) {
    std::vector<std::string> arguments = {"estimate", "--model", "gpt2"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << ::testing::PrintToString(flags) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, StartsWith("plannerctl: error: " + expected));
  }
}

// The batch is given, so that no card count can have this layout: an answer, not a wrong value.
TEST_P(PlannerctlTest, ABatchThatTheLayoutDoesNotDivideIsInfeasible) {
  const Outcome outcome = Run({"estimate", "--model", "gpt2", "--gpu", "a100", "--global-batch", "7", "--dp", "2"});
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("does not divide the global batch of 7"));
}

TEST_P(PlannerctlTest, WhatMeansNothingHereIsAWarning) {
  const std::vector<std::string> job = {"estimate", "--model", "gpt2", "--gpu", "a100", "--gpus", "8"};
  const auto warnings = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = job;
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(warnings({"--framework", "foo"}),
              AllOf(StartsWith("plannerctl: warning: --framework \"foo\" is not known"), HasSubstr("torchtitan")));
  EXPECT_THAT(warnings({"--lora-rank", "8"}), StartsWith("plannerctl: warning: --lora-rank is ignored: "));
  EXPECT_EQ(warnings({"--framework", "fsdp"}), "");
  EXPECT_EQ(warnings({"--lora-rank", "8", "--finetune", "lora"}), "");
}

TEST_P(PlannerctlTest, HostileFilesExitWith2) {
  const std::string huge = folder_.Write("huge.json", "{}");
  fs::resize_file(huge, uintmax_t{200} << 20);
  const std::vector<std::string> files = {
      huge,
      folder_.Write("truncated.json", R"({"model_type": "llama", "hidden_size": 40)"),
      folder_.Write("missing.json", R"({"model_type": "llama", "hidden_size": 4096})"),
      folder_.Write("unknown.json", R"({"model_type": "nonsense", "hidden_size": 64})"),
      folder_.Write("heads.json", R"({"model_type":"llama","hidden_size":64,"intermediate_size":128,)"
                                  R"("num_hidden_layers":2,"num_attention_heads":7,"vocab_size":100})"),
      folder_.Write("negative.json", R"({"model_type":"llama","hidden_size":-64,"intermediate_size":128,)"
                                     R"("num_hidden_layers":2,"num_attention_heads":4,"vocab_size":100})"),
      folder_.Write("absurd.json", R"({"model_type":"llama","hidden_size":9000000000000000000,)"
                                   R"("intermediate_size":9000000000000000000,"num_hidden_layers":2000000000,)"
                                   R"("num_attention_heads":4,"vocab_size":9000000000000000000})"),
      folder_.Write("deep.json", std::string(1 << 20, '[')),
      folder_.Write("deep.yaml", "layers: " + std::string(100000, '[')),
      folder_.Write("cycle.textproto",
                    "inputs { name: \"x\" shape: [1, 8] }\n"
                    "layers { name: \"a\" inputs: \"b\" linear { out_features: 4 } }\n"
                    "layers { name: \"b\" inputs: \"a\" linear { out_features: 4 } }\n"),
      folder_.Write("module.pt", "PK"),
      "/dev/zero",
      folder_.string(),
  };
  for (const std::string& file : files) {
    for (const char* command : {"estimate", "count"}) {
      const Outcome outcome = Run({command, "--model", file});
      EXPECT_EQ(outcome.exit_code, 2) << file << ": " << outcome.err;
      EXPECT_EQ(outcome.out, "");
      EXPECT_THAT(outcome.err, StartsWith("plannerctl: error: --model: "));
    }
  }
}

TEST_P(PlannerctlTest, FullDisksExitWith1AndLostReadersEndItSilently) {
  const Outcome full = RunProgram(Command({"gpu", "list"}), "", {}, Output::kFullDisk);
  EXPECT_EQ(full.exit_code, 1) << full.err;
  EXPECT_THAT(full.err, HasSubstr("cannot be written"));
  const Outcome lost = RunProgram(Command({"gpu", "list"}), "", {}, Output::kClosedPipe);
  EXPECT_EQ(lost.exit_code, 0) << lost.err;
  EXPECT_EQ(lost.err, "");
}

}  // namespace
}  // namespace planner::cli
