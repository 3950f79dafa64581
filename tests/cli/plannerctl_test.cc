// plannerctl from outside, against a planner in process, a plannerd on TCP and one on a Unix socket.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/process.h"

namespace planner::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

/// A folder that goes away with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "planner-cli-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string Path(const std::string& name) const { return (path_ / name).string(); }
  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name) << content;
    return Path(name);
  }
  std::string string() const { return path_.string(); }

 private:
  fs::path path_;
};

/// The names of a JSON object's members.
std::vector<std::string> Keys(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

/// The values of one member of every object of a list.
std::vector<std::string> Column(const nlohmann::json& list, const char* key) {
  std::vector<std::string> values;
  for (const auto& object : list) values.push_back(object[key].get<std::string>());
  return values;
}

enum class Where { kInProcess, kTcp, kUnix };

class PlannerctlTest : public ::testing::TestWithParam<Where> {
 protected:
  PlannerctlTest() {
    if (GetParam() != Where::kInProcess) daemon_ = std::make_unique<Daemon>(folder_.string());
  }

  std::vector<std::string> Command(const std::vector<std::string>& arguments) const {
    std::vector<std::string> command = {PLANNERCTL_PATH};
    if (GetParam() == Where::kInProcess) {
      command.insert(command.end(), {"--state_dir", folder_.Path("state")});
    } else {
      command.insert(command.end(),
                     {"--server", GetParam() == Where::kTcp ? daemon_->tcp_address() : daemon_->unix_address()});
    }
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }

  Outcome Run(const std::vector<std::string>& arguments, const std::string& input = "") const {
    return RunProgram(Command(arguments), input);
  }

  /// The answer of a command that must succeed, as JSON.
  nlohmann::json Json(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.end(), {"-o", "json"});
    const Outcome outcome = Run(arguments, input);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(outcome.out.ends_with("}\n"));
    return nlohmann::json::parse(outcome.out, nullptr, false);
  }

  TemporaryFolder folder_;
  std::unique_ptr<Daemon> daemon_;
};

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

TEST_P(PlannerctlTest, UnknownNamesListTheNearest) {
  const Outcome gpu = Run({"gpu", "get", "a10000"});
  EXPECT_EQ(gpu.exit_code, 2);
  EXPECT_THAT(gpu.err, HasSubstr("A100"));
  const Outcome model = Run({"estimate", "--model", "lama-7b", "--tokens", "1B"});
  EXPECT_EQ(model.exit_code, 2);
  EXPECT_THAT(model.err, AllOf(StartsWith("plannerctl: error: --model: "), HasSubstr("llama-7b")));
}

TEST_P(PlannerctlTest, ClustersLiveAsTheFileSays) {
  const std::string file = folder_.Write(
      "clusters.yaml", "name: main\nnode_pools:\n- {gpu_type: h100, node_count: 4, price_per_gpu_hour: 2}\n");
  Outcome outcome = Run({"cluster", "apply", "-f", file});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "cluster/main created\n");
  EXPECT_EQ(Run({"cluster", "apply", "-f", file}).out, "cluster/main unchanged\n");
  EXPECT_EQ(
      Run({"cluster", "apply", "-f", "-"}, "node_pools { gpu_type: \"h100\" node_count: 8 }\nname: \"main\"\n").out,
      "cluster/main configured\n");
  EXPECT_EQ(Run({"cluster", "apply", "-f", file}).exit_code, 0);
  EXPECT_EQ(Json({"cluster", "get", "main"})["nodePools"][0]["nodeCount"], "4");
  EXPECT_EQ(Json({"cluster", "list"})["clusters"].size(), 1U);
  EXPECT_THAT(Run({"cluster", "list"}).out, HasSubstr("main"));
  for (const char* format : {"json", "yaml"}) {  // What is printed can be applied again.
    EXPECT_EQ(Run({"cluster", "apply", "-f", "-"}, Run({"cluster", "get", "main", "-o", format}).out).out,
              "cluster/main unchanged\n");
    EXPECT_EQ(Run({"cluster", "apply", "-f", "-"}, Run({"cluster", "list", "-o", format}).out).out,
              "cluster/main unchanged\n");
  }
  const nlohmann::json answer = Json({"estimate", "--model", "llama-7b", "--tokens", "100B", "--cluster", "main"});
  EXPECT_EQ(answer["recommendations"][0]["currency"], "USD");
  EXPECT_LE(std::stoi(answer["recommendations"][0]["gpuCount"].get<std::string>()), 32);
  EXPECT_EQ(Run({"cluster", "delete", "main"}).out, "cluster/main deleted\n");
  EXPECT_EQ(Run({"cluster", "get", "main"}).exit_code, 2);
  EXPECT_EQ(Run({"cluster", "apply", "-f", "-"}, "name: main\nnodes: 3\n").exit_code, 2);
  EXPECT_EQ(Run({"cluster", "apply", "-f", "-"},
                "name: main\nnode_pools: [{gpu_type: h100, "
                "node_count: -1}]\n")
                .exit_code,
            2);
  EXPECT_EQ(Json({"cluster", "list"})["clusters"].size(), 0U);
}

TEST_P(PlannerctlTest, PlansLiveTheirStates) {
  const nlohmann::json plan = Json({"plan", "create", "--model", "llama-7b", "--tokens", "100B", "--gpu", "h100",
                                    "--gpus", "64", "--description", "first"});
  const std::string name = plan["name"];
  EXPECT_THAT(name, StartsWith("plans/"));
  EXPECT_EQ(plan["state"], "PLANNED");
  EXPECT_EQ(Json({"plan", "get", name})["description"], "first");
  EXPECT_EQ(Json({"plan", "confirm", name})["state"], "CONFIRMED");
  EXPECT_EQ(Run({"plan", "confirm", name}).exit_code, 1);  // It no longer is planned.
  EXPECT_EQ(Json({"plan", "cancel", name})["state"], "CANCELLED");

  const Outcome infeasible =
      Run({"plan", "create", "--model", "llama-65b", "--gpu", "h100", "--gpus", "1", "-o", "json"});
  EXPECT_EQ(infeasible.exit_code, 3) << infeasible.err;
  const std::string other = nlohmann::json::parse(infeasible.out)["name"];
  EXPECT_THAT(Column(Json({"plan", "list"})["plans"], "name"), IsSupersetOf({name, other}));
  EXPECT_THAT(Run({"plan", "list"}).out, HasSubstr("cancelled"));
  EXPECT_THAT(Column(Json({"plan", "diff", name, other})["differences"], "path"), Contains("request.model.preset"));
  EXPECT_EQ(Run({"plan", "delete", name, other}).exit_code, 0);
  EXPECT_EQ(Run({"plan", "get", name}).exit_code, 2);
}

TEST_P(PlannerctlTest, ReservationsAreMadeListedAndGivenBack) {
  Run({"cluster", "apply", "-f", "-"}, "name: main\nnode_pools: [{name: h, gpu_type: h100, node_count: 4}]\n");
  const nlohmann::json made =
      Json({"cluster", "reserve", "main", "--gpus", "16", "--start", "2099-01-01", "--for", "2d", "--tenant", "t"});
  EXPECT_EQ(made["nodes"], "h-[0-1]");
  EXPECT_EQ(made["endTime"], "2099-01-03T00:00:00Z");
  EXPECT_EQ(made["state"], "FIRM");
  const Outcome overlapping =
      Run({"cluster", "reserve", "main", "--nodes", "h-1", "--start", "2099-01-02", "--end", "2099-01-04"});
  EXPECT_EQ(overlapping.exit_code, 1);
  EXPECT_THAT(overlapping.err, HasSubstr("not all free"));
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "8", "--start", "2020-01-01", "--for", "1h"}).exit_code, 2);
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--nodes", "x", "--for", "1h"}).exit_code, 2);
  EXPECT_THAT(Run({"cluster", "reserve", "main", "--gpus", "8", "--for", "1h", "--hold", "5m"}).out,
              HasSubstr("held until"));
  EXPECT_EQ(Json({"cluster", "reservations", "main"})["reservations"].size(), 2U);
  EXPECT_THAT(Run({"cluster", "calendar", "main"}).out, HasSubstr("(t)"));
  EXPECT_EQ(Run({"cluster", "release", made["name"]}).exit_code, 0);
  EXPECT_EQ(Run({"cluster", "release", made["name"]}).exit_code, 2);
  EXPECT_EQ(Json({"cluster", "reservations", "main"})["reservations"].size(), 1U);
}

TEST_P(PlannerctlTest, UtilizationIsReportedAndShown) {
  Run({"cluster", "apply", "-f", "-"}, "name: main\nnode_pools: [{name: h, gpu_type: h100, node_count: 2}]\n");
  const std::string now = Json({"cluster", "get", "main"})["updateTime"];
  const Outcome reported =
      Run({"cluster", "report-utilization", "main", "-f", "-"},
          "node,gpu,time,busy_ratio\nh-0,0," + now + ",0.25\nh-1,7," + now + ",0.75\nh-2,0," + now + ",1\n");
  EXPECT_EQ(reported.exit_code, 1) << "one is of no node";
  EXPECT_EQ(reported.out, "2 samples taken, 1 refused\n");
  EXPECT_THAT(reported.err, HasSubstr("samples[2].node: is no node of the cluster: node=\"h-2\""));
  const nlohmann::json summary = Json({"cluster", "utilization", "main", "--since", "1h"})["pools"][0]["summary"];
  EXPECT_EQ(summary["sampleCount"], "2");
  EXPECT_EQ(summary["busyRatio"], 0.5);
  EXPECT_THAT(Run({"cluster", "utilization", "main"}).out, HasSubstr("50.0 %"));
  EXPECT_EQ(Run({"cluster", "utilization", "none"}).exit_code, 2);
  EXPECT_EQ(Run({"cluster", "report-utilization", "none", "-f", "-"}, "node\n").exit_code, 2);
}

TEST_P(PlannerctlTest, AWatchEndsWithThePlan) {
  const std::string name = Json({"plan", "create", "--model", "gpt2", "--gpus", "1", "--gpu", "a100"})["name"];
  EXPECT_EQ(Run({"plan", "cancel", name}).exit_code, 0);
  const Outcome watched = Run({"plan", "watch", name});
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.out, HasSubstr("cancelled"));
  EXPECT_EQ(Run({"plan", "watch", "none"}).exit_code, 2);
  EXPECT_EQ(Run({"cluster", "watch", "none"}).exit_code, 2);
}

TEST_P(PlannerctlTest, RunsLiveTheirStates) {
  const std::string plan = Json({"plan", "create", "--model", "llama-7b", "--tokens", "1B", "--gpu", "h100", "--gpus", "64"})["name"];
  const nlohmann::json run = Json({"run", "start", plan, "--description", "job 7", "--start-time", "2025-01-01T00:00:00Z", "--request-id", "r1"});
  const std::string name = run["name"];
  EXPECT_THAT(name, StartsWith("runs/"));
  EXPECT_EQ(Json({"run", "start", plan, "--request-id", "r1"})["name"], name);
  EXPECT_EQ(run["state"], "RUNNING");
  EXPECT_EQ(run["planned"]["gpuCount"], "64");
  EXPECT_EQ(Run({"run", "start", "plans/nope"}).exit_code, 2);

  const nlohmann::json once = Json({"run", "report", name, "--step", "10", "--time", "2025-01-01T00:01:00Z", "--loss", "9.5"});
  EXPECT_EQ(once["acceptedCount"], "1");
  const nlohmann::json lines =
      Json({"run", "report", name, "-f", "-"}, "step,time,loss\n20,2025-01-01T00:02:00Z,8.5\n30,2025-01-01T00:03:00Z,7.5\n");
  EXPECT_EQ(lines["acceptedCount"], "2");
  EXPECT_EQ(lines["run"]["actual"]["reportCount"], "3");
  EXPECT_EQ(lines["run"]["actual"]["stepDuration"], "6s");
  const Outcome wrong = Run({"run", "report", name, "-f", "-"}, "{\"step\": 40, \"time\": \"2024-01-01T00:00:00Z\"}\n{\"step\": NaN}\n");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("line 1: time: lies before the run"), HasSubstr("line 2: is no JSON object")));
  const Outcome future = Run({"run", "report", name, "--step", "40", "--time", "2999-01-01"});
  EXPECT_EQ(future.exit_code, 2);
  EXPECT_THAT(future.err, HasSubstr("--time: lies in the future"));

  EXPECT_EQ(Json({"run", "get", name})["samples"].size(), 3u);
  EXPECT_THAT(Run({"run", "get", name}).out, AllOf(HasSubstr("PLANNED"), HasSubstr("job 7"), HasSubstr("Loss")));
  EXPECT_THAT(Run({"run", "list", "--state", "running"}).out, HasSubstr("job 7"));
  EXPECT_EQ(Run({"run", "delete", name}).exit_code, 1);  // It still runs.
  EXPECT_EQ(Json({"run", "finish", name, "--state", "failed", "--message", "disk full"})["state"], "FAILED");
  EXPECT_EQ(Run({"run", "finish", name}).exit_code, 1);
  EXPECT_EQ(Run({"run", "report", name, "--step", "50"}).exit_code, 1);
  EXPECT_EQ(Run({"run", "delete", name}).exit_code, 0);
  EXPECT_EQ(Run({"run", "get", name}).exit_code, 2);
}

TEST_P(PlannerctlTest, YamlIsTheSameAnswer) {
  const Outcome outcome = Run({"gpu", "get", "a100", "-o", "yaml"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(YAML::Load(outcome.out)["name"].as<std::string>(), "A100-SXM-80GB");
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

constexpr char kRuns[] =
    "id,source,model,n_layers,hidden,ffn_hidden,heads,vocab,seq_len,gpu_type,n_gpus,tp,global_batch,recompute,"
    "iteration_time_s,peak_mem_gib,mem_unit,status\n"
    "full,a paper / table 5,<img src=x onerror=alert(1)>,48,6144,24576,64,51200,2048,a100,8,8,4,full,1.42,50,GiB,ok\n"
    "selective,a paper / table 6,GPT 22B,48,6144,24576,64,51200,2048,a100,8,8,4,selective,1.10,,,\n"
    "one-card,</title><script>alert(1)</script>,GPT 22B,48,6144,24576,64,51200,2048,a100,1,1,4,full,,,,oom\n"
    "doubtful,our notes,GPT 22B,48,6144,24576,64,51200,2048,a100,8,8,4,full,14,,,suspect\n";

TEST_P(PlannerctlTest, ValidateHasEveryFieldOfTheContract) {
  const std::string file = folder_.Write("runs.csv", kRuns);
  const nlohmann::json answer = Json({"validate", "--runs", file});
  ASSERT_EQ(answer["rows"].size(), 4U);
  for (const auto& row : answer["rows"]) {
    EXPECT_THAT(Keys(row),
                IsSupersetOf({"id", "source", "measuredStepSeconds", "predictedStepSeconds", "lowStepSeconds",
                              "highStepSeconds", "measuredPeakMemoryGib", "predictedPeakMemoryGib", "skipped"}));
    EXPECT_EQ(row.contains("fits"), row["skipped"] == "");
  }
  EXPECT_THAT(Column(answer["rows"], "id"), ElementsAre("full", "selective", "one-card", "doubtful"));
  EXPECT_EQ(answer["rows"][0]["measuredStepSeconds"], 1.42);
  EXPECT_EQ(answer["rows"][0]["fits"], true);
  EXPECT_EQ(answer["rows"][2]["fits"], false);
  for (const nlohmann::json& group : {answer["groups"][0], answer["overall"]}) {
    EXPECT_THAT(Keys(group),
                IsSupersetOf({"source", "rowCount", "timeMape", "timeMedianRatio", "timeCoverage90", "memoryMape"}));
  }
  EXPECT_THAT(Column(answer["groups"], "source"),
              ElementsAre("a paper / table 5", "a paper / table 6", "</title><script>alert(1)</script>", "our notes"));
  EXPECT_EQ(answer["overall"]["rowCount"], 4);
  EXPECT_EQ(Json({"validate", "--runs", "-"}, kRuns), answer);
  const Outcome yaml = Run({"validate", "--runs", file, "-o", "yaml"});
  EXPECT_EQ(YAML::Load(yaml.out)["rows"].size(), 4U);
}

TEST_P(PlannerctlTest, ValidateIsATableAndAPageForPeople) {
  const std::string file = folder_.Write("runs.csv", kRuns);
  const std::string page = folder_.Path("page.html");
  const Outcome outcome = Run({"validate", "--runs", file, "--html", page, "--rows"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(outcome.out, AllOf(StartsWith("ID "), HasSubstr("4 rows: 3 predicted, 1 skipped\n"),
                                 HasSubstr("1 of 1 rows that ran out of memory are predicted not to fit"),
                                 HasSubstr("\nSOURCE "), HasSubstr("\nGPU FAMILY "), HasSubstr("\nAmpere ")));
  std::stringstream html;
  html << std::ifstream(page).rdbuf();
  EXPECT_THAT(html.str(), AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("<svg"), HasSubstr("prefers-color-scheme"),
                                HasSubstr("&lt;img src=x onerror"), HasSubstr("&lt;script&gt;")));
  for (const char* never : {"<script", "<img", "<link", "http:", "https:", "url("}) {
    EXPECT_THAT(html.str(), Not(HasSubstr(never)));
  }
}

TEST_P(PlannerctlTest, TablesThatAreWrongExitWith2) {
  const std::string huge = folder_.Write("huge.csv", "id\n");
  fs::resize_file(huge, uintmax_t{200} << 20);
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {huge, "larger than 8 MiB"},
      {folder_.Write("empty.csv", ""), "is empty"},
      {folder_.Write("other.csv", "name,price\nbread,2\n"), "\"id\""},
      {folder_.Write("open.csv", "id,tp\n1,\"2\n"), "line 2"},
      {folder_.Write("binary.csv", std::string("PK\x03\x04\0\0\xff", 7)), "line 1"},
      {folder_.Path("missing.csv"), "no such file"},
      {folder_.string(), "is a folder"},
  };
  for (const auto& [file, text] : wrong) {
    const Outcome outcome = Run({"validate", "--runs", file});
    EXPECT_EQ(outcome.exit_code, 2) << file << ": " << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, AllOf(StartsWith("plannerctl: error: --runs: "), HasSubstr(text)));
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

TEST_P(PlannerctlTest, VersionNamesBothSides) {
  const nlohmann::json answer = Json({"version"});
  EXPECT_EQ(answer["client"]["version"], answer["server"]["version"]);
}

/// What needs no planner, or one that is not there.
class PlannerctlAloneTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(PlannerctlAloneTest, SlipsOfTheHandAreUnderstood) {
  const auto error = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), PLANNERCTL_PATH);
    const Outcome outcome = RunProgram(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    return outcome.err;
  };
  EXPECT_THAT(error({"estimte", "--model", "gpt2"}),
              HasSubstr("\"estimte\" is no command or flag here; did you mean estimate?\n"));
  EXPECT_THAT(error({"plan", "crete"}), HasSubstr("did you mean create?"));
  EXPECT_THAT(error({"estimate", "--modle", "gpt2"}), HasSubstr("did you mean --model?"));
  EXPECT_THAT(error({"estimate", "--model", "gpt2", "--sever=x"}), HasSubstr("did you mean --server?"));
  EXPECT_THAT(error({"count", "gpt2"}), HasSubstr("did you mean --model gpt2?"));
  EXPECT_THAT(error({"whatever"}), HasSubstr("\"whatever\" is no command or flag here\n"));
  const Outcome help = RunProgram({PLANNERCTL_PATH, "help", "estimate"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("--global-batch"));
}

TEST_F(PlannerctlAloneTest, WrongCommandsExitWith2) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{PLANNERCTL_PATH},
                                             {PLANNERCTL_PATH, "divine"},
                                             {PLANNERCTL_PATH, "estimate", "--modle", "gpt2"},
                                             {PLANNERCTL_PATH, "-o", "csv", "gpu", "list"}}) {
    const Outcome outcome = RunProgram(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, StartsWith("plannerctl: error: "));
  }
}

TEST_F(PlannerctlAloneTest, MissingServersExitWith4) {
  const std::string socket = "unix:" + folder_.Path("nobody.sock");
  const Outcome by_flag = RunProgram({PLANNERCTL_PATH, "--server", socket, "gpu", "list"});
  EXPECT_EQ(by_flag.exit_code, 4);
  EXPECT_THAT(by_flag.err, HasSubstr("cannot be reached"));
  const Outcome by_variable = RunProgram({PLANNERCTL_PATH, "gpu", "list"}, "", {{"PLANNER_SERVER", socket}});
  EXPECT_EQ(by_variable.exit_code, 4);
  EXPECT_EQ(RunProgram({PLANNERCTL_PATH, "--server", "nowhere", "gpu", "list"}).exit_code, 2);
}

TEST_F(PlannerctlAloneTest, SilentServersExitWith4InTime) {
  const std::string path = folder_.Path("silent.sock");
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  const Outcome outcome =
      RunProgram({PLANNERCTL_PATH, "--server", "unix:" + path, "--timeout", "200ms", "gpu", "list"});
  EXPECT_EQ(outcome.exit_code, 4) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  close(listener);
}

TEST_F(PlannerctlAloneTest, ItBindsNoSharedLibrariesThatMakeItsStartSlow) {
  if (!PLANNERCTL_LINKS_ARCHIVES) GTEST_SKIP() << "a sanitized build";
  const Outcome libraries = RunProgram({"/usr/bin/ldd", PLANNERCTL_PATH});
  ASSERT_EQ(libraries.exit_code, 0) << libraries.err;
  EXPECT_THAT(libraries.out, AllOf(HasSubstr("libsqlite3.so"), Not(HasSubstr("libgrpc")), Not(HasSubstr("libabsl")), Not(HasSubstr("libprotobuf")),
                                   Not(HasSubstr("libpq")), Not(HasSubstr("libldap"))));
}

TEST_F(PlannerctlAloneTest, ReadingLeavesNoTraceInTheStateFolder) {
  const Outcome outcome =
      RunProgram({PLANNERCTL_PATH, "estimate", "--model", "gpt2"}, "", {{"XDG_STATE_HOME", folder_.Path("state")}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_FALSE(fs::exists(folder_.Path("state")));
}

}  // namespace
}  // namespace planner::cli
