// plannerctl from outside, against a planner in process, a plannerd on TCP and one on a Unix socket: what it answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/plannerctl_fixture.h"

namespace planner::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

INSTANTIATE_TEST_SUITE_P(Everywhere, PlannerctlTest, ::testing::Values(Where::kInProcess, Where::kTcp, Where::kUnix),
                         [](const auto& where) -> std::string {
                           switch (where.param) {
                             case Where::kInProcess:
                               return "InProcess";
                             case Where::kTcp:
                               return "Tcp";
                             case Where::kUnix:
                               return "Unix";
                           }
                           return "";
                         });

TEST_P(PlannerctlTest, EstimateHasEveryFieldOfTheContract) {
  const nlohmann::json answer =
      Json({"estimate", "--model", "llama-7b", "--tokens", "1T", "--gpu", "a100", "--gpus", "256"});
  EXPECT_THAT(Keys(answer), IsSupersetOf({"modelFlops", "hardwareFlops", "parameterCount", "activeParameterCount",
                                          "recommendations", "infeasibleReasons", "warnings", "provenance"}));
  EXPECT_EQ(answer["parameterCount"], "6738415616");
  EXPECT_GT(answer["modelFlops"].get<double>(), 6 * 6.7e9 * 1e12);
  ASSERT_FALSE(answer["recommendations"].empty());
  const nlohmann::json& best = answer["recommendations"][0];
  EXPECT_THAT(Keys(best), IsSupersetOf({"gpuType",
                                        "gpuCount",
                                        "nodeCount",
                                        "layout",
                                        "stepDuration",
                                        "totalDuration",
                                        "totalDurationLow",
                                        "totalDurationHigh",
                                        "startTime",
                                        "finishTime",
                                        "gpuHours",
                                        "cost",
                                        "currency",
                                        "energyKwh",
                                        "memoryPerGpu",
                                        "modelFlopsUtilization",
                                        "hardwareFlopsUtilization",
                                        "tokensPerSecond",
                                        "utilizationSource",
                                        "limitedBy",
                                        "explanation"}));
  EXPECT_THAT(Keys(best["layout"]),
              IsSupersetOf({"dataParallel", "tensorParallel", "pipelineParallel", "virtualPipeline", "contextParallel",
                            "expertParallel", "microBatchSize", "zeroStage", "recompute"}));
  EXPECT_THAT(Keys(best["memoryPerGpu"]),
              IsSupersetOf({"totalBytes", "capacityBytes", "parameterBytes", "gradientBytes", "optimizerBytes",
                            "activationBytes", "overheadBytes"}));
  EXPECT_EQ(best["gpuType"], "A100-SXM-80GB");
  EXPECT_EQ(best["gpuCount"], "256");
  EXPECT_EQ(best["utilizationSource"], "PREDICTED");
  EXPECT_TRUE(best["totalDuration"].get<std::string>().ends_with("s"));
}

TEST_P(PlannerctlTest, GivenUtilizationIsArithmetic) {
  const nlohmann::json answer = Json(
      {"estimate", "--model", "llama-7b", "--tokens", "1T", "--gpu", "a100", "--gpus", "256", "--utilization", "45%"});
  const nlohmann::json& best = answer["recommendations"][0];
  EXPECT_EQ(best["utilizationSource"], "GIVEN");
  const double seconds = std::stod(best["totalDuration"].get<std::string>());
  EXPECT_NEAR(seconds, answer["hardwareFlops"].get<double>() / (256 * 312e12 * 0.45), seconds * 1e-6);
}

TEST_P(PlannerctlTest, EstimateIsATableForPeople) {
  const Outcome outcome =
      Run({"estimate", "--model", "llama-7b", "--tokens", "1T", "--gpu", "a100", "--gpus", "256", "--explain"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("Answer  256 × A100-SXM-80GB in 32 nodes for "));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\nCost "), HasSubstr("6.74B parameters, 1T tokens"), HasSubstr("GPU TYPE"),
                                 HasSubstr(" GiB"), HasSubstr("How the numbers came about\n  - ")));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\033")));
}

TEST_P(PlannerctlTest, InfeasibleExitsWith3AndSaysByHowMuch) {
  const std::vector<std::string> arguments = {"estimate", "--model", "llama-65b", "--tokens", "1T",
                                              "--gpu",    "a100",    "--gpus",    "1"};
  const Outcome table = Run(arguments);
  EXPECT_EQ(table.exit_code, 3);
  EXPECT_THAT(table.out, HasSubstr("no plan meets the request"));
  EXPECT_THAT(table.err, AllOf(HasSubstr("plannerctl: error: infeasible: "), HasSubstr("GiB")));
  std::vector<std::string> with_json = arguments;
  with_json.insert(with_json.end(), {"-o", "json"});
  const Outcome json = Run(with_json);
  EXPECT_EQ(json.exit_code, 3);
  EXPECT_FALSE(nlohmann::json::parse(json.out)["infeasibleReasons"].empty());
}

TEST_P(PlannerctlTest, CountIsExactAndComplete) {
  const nlohmann::json answer = Json({"count", "--model", "resnet50"});
  EXPECT_EQ(answer["parameterCount"], "25557032");
  EXPECT_EQ(answer["forward"]["macs"], "4089184256");
  EXPECT_EQ(answer["forward"]["flops"], "8178368512");
  EXPECT_THAT(Keys(answer), IsSupersetOf({"parameterCount", "activeParameterCount", "storedParameterCount",
                                          "nonEmbeddingParameterCount", "forward", "backward", "activationBytes",
                                          "modules", "operators", "uncountedOperators", "warnings", "provenance"}));
  EXPECT_THAT(Keys(answer["forward"]), IsSupersetOf({"macs", "causalMacs", "flops", "otherFlops"}));
  EXPECT_THAT(Keys(answer["backward"]), IsSupersetOf({"macs", "flops", "otherFlops"}));
  EXPECT_THAT(Keys(answer["modules"][0]),
              IsSupersetOf({"path", "kind", "parameterCount", "forward", "backward", "activationBytes"}));
  EXPECT_THAT(Keys(answer["operators"][0]), IsSupersetOf({"kind", "callCount", "forward", "backward"}));
  EXPECT_THAT(Keys(answer["provenance"]), IsSupersetOf({"counter", "counterVersion", "backward"}));
}

TEST_P(PlannerctlTest, CountFollowsItsFlags) {
  const auto macs = [this](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"count", "--model"});
    return std::stoll(Json(flags)["forward"]["macs"].get<std::string>());
  };
  EXPECT_EQ(macs({"resnet50", "--batch", "2"}), 2 * 4089184256);
  EXPECT_EQ(macs({"resnet50", "--input", "2x3x224x224"}), 2 * 4089184256);
  const nlohmann::json inference = Json({"count", "--model", "llama-7b", "--seq_len", "128", "--mode", "inference"});
  EXPECT_EQ(inference["backward"]["macs"], "0");
  EXPECT_EQ(Json({"count", "--model", "llama-7b", "--depth", "0"})["modules"].size(), 1U);
}

TEST_P(PlannerctlTest, AnInputsShapeSaysTheLengthOfASequence) {
  const auto estimate = [&](const std::string& flag, const std::string& value) {
    auto answer = Json({"estimate", "--model", "gpt2", "--tokens", "1B", "--gpu", "a100", "--gpus", "8", flag, value});
    return std::pair(answer["modelFlops"].get<double>(), answer["recommendations"][0]["tokensPerSecond"].get<double>());
  };
  EXPECT_EQ(estimate("--input", "1x128"), estimate("--seq-len", "128"));
}

TEST_P(PlannerctlTest, ModelsComeFromFilesAndStandardInput) {
  const std::string config = R"({"model_type":"llama","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,)"
                             R"("num_attention_heads":4,"vocab_size":100,"max_position_embeddings":64})";
  fs::create_directory(folder_.Path("tiny"));
  folder_.Write("tiny/config.json", config);
  const nlohmann::json from_folder = Json({"count", "--model", folder_.Path("tiny")});
  EXPECT_EQ(from_folder["model"], "tiny");
  // 2 x 100 x 64 embedding and head, 2 layers of 4 x 64^2 + 3 x 64 x 128 + 2 x 64, 64 of the norm.
  EXPECT_EQ(from_folder["parameterCount"], "95040");
  EXPECT_EQ(Json({"count", "--model", "-"}, config)["parameterCount"], "95040");
  const std::string graph =
      folder_.Write("mlp.yaml", "inputs:\n- {name: x, shape: [1, 8]}\nlayers:\n- linear: {out_features: 4}\n");
  const nlohmann::json from_graph = Json({"count", "--model", graph});
  EXPECT_EQ(from_graph["parameterCount"], "36");
  EXPECT_EQ(from_graph["forward"]["macs"], "32");
}

TEST_P(PlannerctlTest, CataloguesAreListed) {
  const nlohmann::json gpus = Json({"gpu", "list"});
  EXPECT_GE(gpus["gpuTypes"].size(), 55U);
  EXPECT_EQ(Json({"gpu", "get", "a100"})["name"], "A100-SXM-80GB");
  EXPECT_EQ(Json({"gpu", "get", "H200"})["name"], "H200-SXM-141GB");
  const nlohmann::json models = Json({"model", "list"});
  EXPECT_GE(models["models"].size(), 60U);
  EXPECT_THAT(
      Column(models["models"], "name"),
      IsSupersetOf({"gpt2",         "gpt3-175b",   "bert-base",       "t5-base",       "llama-7b",       "llama-65b",
                    "llama-2-7b",   "llama-2-70b", "llama-3-8b",      "llama-3.1-70b", "llama-3.1-405b", "mistral-7b",
                    "mixtral-8x7b", "qwen2-7b",    "qwen3-235b-a22b", "deepseek-v3",   "bloom-176b",     "opt-175b",
                    "falcon-40b",   "resnet50",    "vit-b-16"}));
  EXPECT_EQ(Json({"model", "get", "gpt2"})["parameterCount"], "124439808");
  EXPECT_THAT(Column(Json({"precision", "list"})["precisions"], "name"), IsSupersetOf({"bf16", "fp16", "fp32", "fp8"}));
  EXPECT_THAT(Column(Json({"counter", "list"})["counters"], "name"), Contains("analytic"));
  for (const char* noun : {"gpu", "model", "precision", "counter"}) {
    const Outcome table = Run({noun, "list"});
    EXPECT_EQ(table.exit_code, 0) << table.err;
    EXPECT_EQ(table.err, "");
    EXPECT_GT(std::count(table.out.begin(), table.out.end(), '\n'), 1);
  }
}

TEST_P(PlannerctlTest, YamlIsTheSameAnswer) {
  const Outcome outcome = Run({"gpu", "get", "a100", "-o", "yaml"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(YAML::Load(outcome.out)["name"].as<std::string>(), "A100-SXM-80GB");
}

TEST_P(PlannerctlTest, CountsBeyond64BitsAreAtTheSizeThatWasAskedFor) {
  const Outcome positions = Run({"count", "--model", "llama-3-8b", "--seq-len", "2000000000"});
  EXPECT_EQ(positions.exit_code, 2);
  EXPECT_THAT(positions.err, AllOf(StartsWith("plannerctl: error: --seq-len: "), HasSubstr("seq_len=2000000000")));
  EXPECT_THAT(Run({"estimate", "--model", "llama-3-8b", "--seq-len", "2000000000"}).err,
              StartsWith("plannerctl: error: --seq-len: "));
  EXPECT_THAT(Run({"count", "--model", "vgg16", "--batch", "2000000000"}).err,
              StartsWith("plannerctl: error: --batch: "));
  EXPECT_THAT(Run({"count", "--model", "llama-3-8b", "--input", "1x2000000000"}).err,
              StartsWith("plannerctl: error: --input[0]: "));
}

TEST_P(PlannerctlTest, SeveralNamesAreDoneAsFarAsTheyGo) {
  const std::string file = folder_.Write("two.yaml",
                                         "clusters:\n- name: a\n  node_pools: [{gpu_type: h100, node_count: 1}]\n"
                                         "- name: b\n  node_pools: [{gpu_type: h100, node_count: 1}]\n");
  ASSERT_EQ(Run({"cluster", "apply", "-f", file}).exit_code, 0);
  const Outcome clusters = Run({"cluster", "delete", "a", "nosuch", "b"});
  EXPECT_EQ(clusters.exit_code, 1);
  EXPECT_EQ(clusters.out, "cluster/a deleted\ncluster/b deleted\n");
  EXPECT_THAT(clusters.err, StartsWith("plannerctl: error: nosuch: "));
  EXPECT_EQ(Json({"cluster", "list"})["clusters"].size(), 0U);

  const std::string name = Json({"plan", "create", "--model", "gpt2", "--gpus", "1", "--gpu", "a100"})["name"];
  const Outcome plans = Run({"plan", "delete", "20200101-000000-none", name});
  EXPECT_EQ(plans.exit_code, 1);
  EXPECT_THAT(plans.out, HasSubstr("deleted"));
  EXPECT_EQ(Json({"plan", "list"})["plans"].size(), 0U);
}

TEST_P(PlannerctlTest, ANamelessConfigurationGoesByItsClassOrType) {
  const std::string sizes =
      R"("model_type":"gpt2","n_embd":64,"n_layer":2,"n_head":2,"vocab_size":100,"n_positions":64})";
  EXPECT_THAT(Run({"count", "--model", "-"}, R"({"architectures":["GPT2LMHeadModel"],)" + sizes).out,
              HasSubstr("Counted      GPT2LMHeadModel on batch 1"));
  EXPECT_THAT(Run({"count", "--model", "-"}, "{" + sizes).out, HasSubstr("Counted      gpt2 on batch 1"));
  const Outcome twice = Run({"count", "--model", "-"}, R"({"n_layer":1,)" + sizes);
  EXPECT_EQ(twice.exit_code, 0);
  EXPECT_THAT(twice.err, HasSubstr("warning: the configuration has \"n_layer\" more than once"));
}

TEST_P(PlannerctlTest, VersionNamesBothSides) {
  const nlohmann::json answer = Json({"version"});
  EXPECT_EQ(answer["client"]["version"], answer["server"]["version"]);
}

}  // namespace
}  // namespace planner::cli
