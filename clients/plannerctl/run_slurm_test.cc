// What plannerctl does for Slurm, against a fake planner.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "clients/plannerctl/fake_planner.h"

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class RunSlurmTest : public RunTest {
 protected:
  RunSlurmTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "planner-run-slurm-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~RunSlurmTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::filesystem::path folder_;
};

TEST_F(RunSlurmTest, SubmitCheckAnswersInLinesAndInJson) {
  const std::vector<std::string> job = {"slurm",      "submit-check", "--gres",
                                        "gpu:a100:8", "--comment",    "planner:model=gpt2,tokens=1B"};
  ASSERT_EQ(Run(job), 0) << err();
  EXPECT_THAT(out(), StartsWith("planner-slurm 1\naction=accept\n"));
  EXPECT_EQ(plans_.create_request.plan().request().model().preset(), "gpt2");
  EXPECT_EQ(plans_.create_request.plan().request().resources().max_gpus(), 8);
  std::vector<std::string> as_json = {"-o", "json"};
  as_json.insert(as_json.end(), job.begin(), job.end());
  ASSERT_EQ(Run(as_json), 0);
  EXPECT_EQ(nlohmann::json::parse(out())["action"], "accept");
}

TEST_F(RunSlurmTest, SubmitCheckReadsTheWiresMessage) {
  input_ = "planner-slurm 1\ntres_per_node=gres:gpu:a100:8\ncomment=planner:model=x%27%24%28touch%29\nend\n";
  ASSERT_EQ(Run({"slurm", "submit-check", "-f", "-"}), 0) << err();
  EXPECT_EQ(plans_.create_request.plan().request().model().preset(), "x'$(touch)");
  input_ = "garbage";
  EXPECT_EQ(Run({"slurm", "submit-check", "-f", "-"}), 2);
  input_ = std::string(size_t{1} << 20, 'A');
  EXPECT_EQ(Run({"slurm", "submit-check", "-f", "-"}), 2);
}

TEST_F(RunSlurmTest, SubmitCheckRefusesByPolicyAndSaysSoByItsExitCode) {
  const std::string policy = Write("policy.yaml", "default: {mode: enforce}\n");
  EXPECT_EQ(Run({"slurm", "submit-check", "--policy", policy, "--gres", "gpu:a100:8", "--comment",
                 "planner:model=gpt2,tokenz=1"}),
            3);
  EXPECT_THAT(out(), HasSubstr("action=refuse\n"));
  EXPECT_EQ(Run({"slurm", "submit-check", "--socket", folder_ / "nobody", "--gres", "gpu:8", "--server", "planner:1"}), 4);
  EXPECT_THAT(err(), HasSubstr("error: --socket: No such file or directory"));
  EXPECT_THAT(err(), Not(HasSubstr("planner:1"))) << "nobody has asked there";
}

TEST_F(RunSlurmTest, CheckPolicyNamesTheField) {
  const std::string good = Write("good.yaml", "default: {on_failure: closed}\n");
  EXPECT_EQ(Run({"slurm", "check-policy", good, "--fallback", folder_ / "fallback"}), 0) << err();
  std::ifstream file(folder_ / "fallback");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(text, "planner-slurm 1\non_failure=closed\nend\n");
  const std::string bad = Write("bad.yaml", "partitions: {gpu: {mode: perhaps}}\n");
  EXPECT_EQ(Run({"slurm", "check-policy", bad}), 2);
  EXPECT_THAT(err(), HasSubstr("bad.yaml: partitions.gpu.mode: is none of"));
}

class RunImportTest : public RunSlurmTest {
 protected:
  int Import(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"cluster", "import",          "slurm",    "main",
                                          "--sinfo", folder_ / "sinfo", "--squeue", folder_ / "squeue"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
  void StoresNothingBut(const std::string& node) {
    v1::Cluster& cluster = clusters_.clusters["main"];
    cluster.set_name("main");
    cluster.add_node_pools()->set_name("a100");
    cluster.mutable_node_pools(0)->set_node_names(node);
  }
};

TEST_F(RunImportTest, StoresWhatSlurmSays) {
  Write(
      "sinfo",
      R"({"nodes": [{"name": "n1", "state": "idle", "gres": "gpu:a100:8"}, {"name": "n2", "state": ["DOWN"], "gres": "gpu:a100:8"}]})");
  Write("squeue", R"({"jobs": []})");
  ASSERT_EQ(Import({"--gpu-type", "a100=A100-SXM-80GB"}), 0) << err();
  const v1::NodePool& pool = clusters_.clusters.at("main").node_pools(0);
  EXPECT_EQ(pool.gpu_type(), "A100-SXM-80GB");
  EXPECT_EQ(pool.node_names(), "n[1-2]");
  EXPECT_EQ(pool.node_conditions(0).state(), v1::NodeCondition::DOWN);
  const std::string etag = clusters_.clusters.at("main").etag();
  ASSERT_EQ(Import({"--gpu-type", "a100=A100-SXM-80GB"}), 0) << err();
  EXPECT_EQ(clusters_.clusters.at("main").etag(), etag) << "nothing has changed, nothing is written";
}

TEST_F(RunImportTest, WhatCannotBeReadChangesNothing) {
  StoresNothingBut("n1");
  for (const auto& [sinfo, squeue] : std::vector<std::pair<std::string, std::string>>{
           {"", R"({"jobs": []})"},
           {R"({"nodes": []})", R"({"jobs": []})"},
           {R"({"nodes": [{"name": "n9", "state": "idle", "gres": "gpu:a100:8"}]})", "{"}}) {
    Write("sinfo", sinfo);
    Write("squeue", squeue);
    EXPECT_NE(Import(), 0);
    EXPECT_EQ(clusters_.clusters.at("main").node_pools(0).node_names(), "n1");
  }
}

TEST_F(RunImportTest, AsksForFinishedJobsAndHiddenPartitionsToo) {
  // Of 23.11: the JSON tells of what the command would show, and scontrol has one.
  const std::string path = std::getenv("PATH");
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"scontrol",
            "[ \"$*\" = '--all show nodes --json' ] && echo '{\"nodes\": [{\"name\": \"n1\", \"state\": [\"IDLE\"], "
            "\"gres\": \"gpu:a100:8\"}]}'"},
           {"squeue",
            "case \"$*\" in *--all*--states=all*--json*)\n"
            "echo '{\"jobs\": [{\"job_id\": 7, \"job_state\": [\"COMPLETED\"], \"start_time\": {\"set\": true, "
            "\"infinite\": false, \"number\": 1700000000},"
            "\"admin_comment\": \"planner:plan=plans/p1\"}]}';;\n*) echo '{\"jobs\": []}';; esac"}}) {
    const std::string file = Write(name, "#!/bin/sh\n" + text + "\n");
    std::filesystem::permissions(file, std::filesystem::perms(0755));
  }
  setenv("PATH", (folder_.string() + ":" + path).c_str(), 1);
  runs_.run.set_name("runs/r1");
  runs_.run.set_state(v1::Run::RUNNING);
  const int code = Run({"cluster", "import", "slurm", "main", "--runs"});
  setenv("PATH", path.c_str(), 1);
  ASSERT_EQ(code, 0) << err();
  EXPECT_EQ(clusters_.clusters.at("main").node_pools(0).node_names(), "n1");
  EXPECT_EQ(runs_.finish_request.state(), v1::Run::SUCCEEDED);
}

TEST_F(RunImportTest, TellsOfJobsAsRuns) {
  Write("sinfo", R"({"nodes": [{"name": "n1", "state": "idle", "gres": "gpu:a100:8"}]})");
  Write("squeue",
        R"({"jobs": [{"job_id": 7, "job_state": "FAILED", "start_time": 1700000000, "cluster": "c", "name": "train",
                               "admin_comment": "planner:plan=plans/p1"}]})");
  runs_.run.set_name("runs/r1");
  runs_.run.set_state(v1::Run::RUNNING);
  ASSERT_EQ(Import({"--runs"}), 0) << err();
  EXPECT_EQ(runs_.start_request.run().plan(), "plans/p1");
  EXPECT_EQ(runs_.start_request.run().start_time().seconds(), 1700000000);
  EXPECT_EQ(runs_.start_request.run().description(), "slurm job 7 of c: train");
  EXPECT_EQ(runs_.finish_request.state(), v1::Run::FAILED);
}

}  // namespace
}  // namespace planner::plannerctl
