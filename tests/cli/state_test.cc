// Clusters, plans, reservations and runs, from the command line.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/plannerctl_fixture.h"

namespace planner::cli {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::StartsWith;

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

}  // namespace
}  // namespace planner::cli
