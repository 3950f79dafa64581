// A real Slurm, a real plannerd, and the scripts between them as a site installs them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <nlohmann/json.hpp>

#include "fmt/format.h"
#include "tests/slurm/slurm_cluster.h"

namespace planner::slurm {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// A training of an hour or so on 8 A100s; one that is too large for them; one that takes months on them.
constexpr char kShort[] = "--comment=planner:model=llama-3-8b,tokens=100M";
constexpr char kTooLarge[] = "--comment=planner:model=llama-3.1-405b,tokens=1B";
constexpr char kTooLong[] = "--comment=planner:model=llama-3-8b,tokens=1T";

class SlurmTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { slurm_ = new SlurmCluster(); }
  static void TearDownTestSuite() {
    delete slurm_;
    slurm_ = nullptr;
  }
  void SetUp() override { ASSERT_EQ(slurm_->failure(), ""); }
  static SlurmCluster& slurm() { return *slurm_; }

  /// Held jobs cost no node and tell all that the plugin has done.
  static Said SubmitHeld(std::vector<std::string> options) {
    options.emplace_back("--hold");
    return slurm().Submit(options);
  }
  /// A planner that was away is found again, and jobs are planned.
  static bool IsPlanningAgain() {
    return Eventually([] {
      slurm().ForgetFailures();
      return SubmitHeld({"--gres=gpu:a100:8", kShort}).text.find("planner: time limit set to ") != std::string::npos;
    });
  }

 private:
  static SlurmCluster* slurm_;
};
SlurmCluster* SlurmTest::slurm_ = nullptr;

class SlurmSubmission : public SlurmTest {};

TEST_F(SlurmSubmission, APlannedJobGetsItsTimeLimitAndItsPlan) {
  const Said said = SubmitHeld({"--gres=gpu:a100:8", kShort});
  const std::string job = SlurmCluster::JobOf(said);
  ASSERT_NE(job, "") << said.text;
  EXPECT_THAT(said.text, HasSubstr("planner: time limit set to "));
  EXPECT_THAT(said.text, HasSubstr("8 A100-SXM-80GB GPUs takes "));
  EXPECT_NE(slurm().Field(job, "TimeLimit"), "01:00:00") << "the partition's default";
  const std::string comment = slurm().Field(job, "AdminComment");
  ASSERT_THAT(comment, StartsWith("planner:plan=plans/"));
  const Said plan = slurm().Plannerctl({"plan", "get", comment.substr(std::string("planner:plan=").size())});
  EXPECT_EQ(plan.exit_code, 0) << plan.text;
  EXPECT_THAT(plan.text, HasSubstr("A100-SXM-80GB"));
}

TEST_F(SlurmSubmission, ALimitFarAboveTheNeedIsCapped) {
  const std::string job = SlurmCluster::JobOf(SubmitHeld({"--gres=gpu:a100:8", "--time=6-00:00:00", kShort}));
  ASSERT_NE(job, "");
  EXPECT_THAT(slurm().Field(job, "TimeLimit"), Not(HasSubstr("-"))) << "less than a day";
}

TEST_F(SlurmSubmission, TheWordsMayStandInTheEnvironment) {
  setenv("PLANNER_MODEL", "llama-3-8b", 1);
  setenv("PLANNER_TOKENS", "100M", 1);
  const Said said = SubmitHeld({"--gpus=8"});
  unsetenv("PLANNER_MODEL");
  unsetenv("PLANNER_TOKENS");
  EXPECT_THAT(slurm().Field(SlurmCluster::JobOf(said), "AdminComment"), StartsWith("planner:plan=plans/")) << said.text;
}

TEST_F(SlurmSubmission, TooFewGpusBecomeEnoughWhereTheSiteAllowsIt) {
  const Said said = SubmitHeld(
      {"--partition=amend", "--gres=gpu:a100:8", "--nodes=1", "--comment=planner:model=llama-2-70b,tokens=100M"});
  const std::string job = SlurmCluster::JobOf(said);
  ASSERT_NE(job, "") << said.text;
  EXPECT_THAT(said.text, HasSubstr("changed from 8 to "));
  EXPECT_EQ(slurm().Field(job, "TresPerNode"), "gres:gpu:a100:8");
  EXPECT_GE(std::stoi(slurm().Field(job, "NumNodes")), 2);
}

TEST_F(SlurmSubmission, AJobIsPlannedOnTheNodesThatItsTasksNeed) {
  const Said said = SubmitHeld({"--ntasks=16", "--ntasks-per-node=8", "--gres=gpu:a100:8", kShort});
  const std::string job = SlurmCluster::JobOf(said);
  ASSERT_NE(job, "") << said.text;
  EXPECT_THAT(slurm().Field(job, "NumNodes"), StartsWith("2"));
  EXPECT_THAT(said.text, HasSubstr(" on 16 A100-SXM-80GB GPUs takes "));
}

TEST_F(SlurmSubmission, AdviceAtTheTerminalIsOfTheSameJob) {
  const auto advises = [](const std::vector<std::string>& options, const std::string& text) {
    // It is silent where the machine is too busy to answer it in time.
    return Eventually([&] {
      const std::string said = SubmitHeld(options).text;
      const size_t at = said.find("lua: planner: ");
      return at != std::string::npos && said.substr(at, said.find('\n', at) - at).find(text) != std::string::npos;
    });
  };
  EXPECT_TRUE(advises({"--nodes=2", "--ntasks-per-node=8", "--gpus-per-task=1", kShort}, " on 16 A100-SXM-80GB GPUs takes "));
  EXPECT_TRUE(advises({"--nodes=2", "--sockets-per-node=2", "--gpus-per-socket=2", kShort}, " on 8 A100-SXM-80GB GPUs takes "));
  setenv("PLANNER_TP", "3", 1);
  EXPECT_TRUE(advises({"--partition=advise", "--gpus-per-node=8", kShort}, "tensor parallel 3 does not divide"));
  unsetenv("PLANNER_TP");
}

TEST_F(SlurmSubmission, AnExclusiveJobIsPlannedOnAllGpusOfItsNodes) {
  // Of partition "closed" the policy says how many a node has.
  const Said said = SubmitHeld({"--partition=closed", "--exclusive", "--nodes=2", "--gres=gpu:a100:1", kShort});
  ASSERT_NE(SlurmCluster::JobOf(said), "") << said.text;
  EXPECT_THAT(said.text, HasSubstr("sbatch: planner: llama-3-8b on 16 A100-SXM-80GB GPUs takes "));
  EXPECT_THAT(SubmitHeld({"--partition=closed", "--nodes=2", "--gres=gpu:a100:4", kShort}).text,
              HasSubstr("sbatch: planner: llama-3-8b on 8 A100-SXM-80GB GPUs takes "));
}

TEST_F(SlurmSubmission, NobodyGetsOutOfAPartitionsRulesByNamingAnother) {
  const Said refused = SubmitHeld({"--partition=advise,gpu", "--gres=gpu:a100:8", kTooLong});
  EXPECT_NE(refused.exit_code, 0) << refused.text;
  EXPECT_THAT(refused.text, HasSubstr("the limit is 7 days"));
  const Said advised = SubmitHeld({"--partition=advise,amend", "--gres=gpu:a100:8", kTooLong});
  EXPECT_NE(SlurmCluster::JobOf(advised), "") << advised.text;
}

TEST_F(SlurmSubmission, WhatIsAskedForBesideTheGpusStays) {
  const Said said =
      SubmitHeld({"--partition=amend", "--gres=nvme:10,gpu:a100:8", "--comment=planner:model=llama-2-70b,tokens=100M"});
  const std::string job = SlurmCluster::JobOf(said);
  ASSERT_NE(job, "") << said.text;
  EXPECT_THAT(said.text, HasSubstr("changed from 8 to "));
  EXPECT_EQ(slurm().Field(job, "TresPerNode"), "gres:gpu:a100:8,gres:nvme:10");
}

TEST_F(SlurmSubmission, AnInfeasibleJobIsRefusedWithTheReason) {
  const Said memory = SubmitHeld({"--gres=gpu:a100:8", kTooLarge});
  EXPECT_NE(memory.exit_code, 0);
  EXPECT_THAT(memory.text, HasSubstr("GiB")) << "what is missing of the memory";
  const Said time = SubmitHeld({"--gres=gpu:a100:8", kTooLong});
  EXPECT_NE(time.exit_code, 0);
  EXPECT_THAT(time.text, HasSubstr("would finish in "));
  EXPECT_THAT(time.text, HasSubstr("the limit is 7 days"));
  const Said model = SubmitHeld({"--gres=gpu:a100:8", "--comment=planner:model=lama-3-8b,tokens=1B"});
  EXPECT_NE(model.exit_code, 0);
  EXPECT_THAT(model.text, HasSubstr("llama-3-8b")) << "the nearest name";
}

TEST_F(SlurmSubmission, WhereTheSiteOnlyAdvisesNothingIsChangedOrRefused) {
  const Said said = SubmitHeld({"--partition=advise", "--gres=gpu:a100:8", kTooLong});
  const std::string job = SlurmCluster::JobOf(said);
  ASSERT_NE(job, "") << said.text;
  EXPECT_THAT(said.text, HasSubstr("would finish in "));
  EXPECT_EQ(slurm().Field(job, "TimeLimit"), "01:00:00");
}

TEST_F(SlurmSubmission, WhatIsFixedOrNoneOfThePlannersBusinessIsLeftAlone) {
  const Said fixed = SubmitHeld({"--gres=gpu:a100:8", "--time=6-00:00:00", std::string(kTooLong) + ",fixed"});
  const std::string job = SlurmCluster::JobOf(fixed);
  ASSERT_NE(job, "") << fixed.text;
  EXPECT_EQ(slurm().Field(job, "TimeLimit"), "6-00:00:00");
  EXPECT_EQ(slurm().Field(job, "TresPerNode"), "gres:gpu:a100:8");
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--gres=gpu:a100:8"},
                                                  {kShort},
                                                  {"--gres=gpu:a100:8", "--comment=planner team meeting"},
                                                  {}}) {
    const Said said = SubmitHeld(options);
    const std::string other = SlurmCluster::JobOf(said);
    ASSERT_NE(other, "") << said.text;
    EXPECT_THAT(said.text, Not(HasSubstr("planner: ")));
    EXPECT_EQ(slurm().Field(other, "TimeLimit"), "01:00:00");
    EXPECT_EQ(slurm().Field(other, "AdminComment"), "");
  }
}

class SlurmHostile : public SlurmTest {};

TEST_F(SlurmHostile, HostileTextDoesNothing) {
  const std::string pwned = slurm().folder() / "pwned";
  const std::vector<std::string> texts = {"x'$(touch " + pwned + ")'",
                                          "planner:model=x'$(touch " + pwned + ")',tokens=1B",
                                          "planner:model=`touch " + pwned + "`",
                                          "planner:model=llama-3-8b\naction=refuse\nend",
                                          "planner:model=%s%n%d%x",
                                          "planner:model=/etc/shadow",
                                          "planner:model=../../../../etc/passwd",
                                          "planner:model=\"",
                                          "planner:" + std::string(900, ','),
                                          "planner:model=\xff\xfe\x01"};
  for (const std::string& text : texts) {
    const Said said = SubmitHeld({"--partition=advise", "--gres=gpu:a100:8", "--comment=" + text});
    EXPECT_EQ(said.exit_code, 0) << text << "\n" << said.text;
    EXPECT_THAT(said.text, Not(HasSubstr("root:"))) << "no file is read to anybody";
    const Said named =
        SubmitHeld({"--partition=advise", "--gres=gpu:a100:8", "--job-name=" + text.substr(0, 200), kShort});
    EXPECT_EQ(named.exit_code, 0) << text << "\n" << named.text;
  }
  EXPECT_FALSE(std::filesystem::exists(pwned));
  EXPECT_EQ(RunCommand({"sinfo"}).exit_code, 0) << "slurmctld is there";
  EXPECT_THAT(slurm().LogSince(0), Not(HasSubstr("job_submit.lua has failed")));
}

TEST_F(SlurmHostile, CommentsOfAMegabyteAndZeroBytesDoNothing) {
  // A kernel takes 128 KiB an argument: a megabyte comes in the script's own lines.
  const std::string script = slurm().folder() / "large.sh";
  {
    std::string text = "#!/bin/sh\n#SBATCH --hold --gres=gpu:a100:8 --output=/dev/null --comment=planner:model=";
    text += std::string(size_t{1} << 20, 'A') + "\ntrue\n";
    WriteFile(script, text);
  }
  const size_t log = slurm().LogSize();
  const Said large = RunCommand({"sbatch", script});
  EXPECT_THAT(slurm().LogSince(log), Not(HasSubstr("job_submit.lua has failed"))) << large.text;
  const std::string zero = slurm().folder() / "zero.sh";
  {
    std::string text = "#!/bin/sh\n#SBATCH --hold --gres=gpu:a100:8 --comment=planner:model=llama-3-8b";
    text += std::string(1, '\0') + ",tokens=1B\ntrue\n";
    WriteFile(zero, text);
  }
  RunCommand({"sbatch", zero});
  const std::string comment = "--comment=planner:model=" + std::string(100'000, 'A');
  // Slurm itself takes 1,024 bytes; what the plugin does with more is nothing at all.
  EXPECT_THAT(SubmitHeld({"--gres=gpu:a100:8", comment}).text, Not(HasSubstr("planner: ")));
  EXPECT_THAT(SubmitHeld({"--gres=gpu:a100:8", kShort}).text, HasSubstr("planner: time limit set to "))
      << "and all goes on";
}

class SlurmRuns : public SlurmTest {
 protected:
  /// The runs of a job's plan.
  static nlohmann::json RunsOf(const std::string& job) {
    const std::string comment = slurm().Field(job, "AdminComment");
    const Said said = slurm().Plannerctl(
        {"-o", "json", "run", "list", "--plan", comment.substr(std::string("planner:plan=").size())});
    const nlohmann::json list = nlohmann::json::parse(said.text, nullptr, false);
    return list.is_discarded() ? nlohmann::json::array() : list.value("runs", nlohmann::json::array());
  }
  static bool HasRun(const std::string& job, const std::string& state) {
    const nlohmann::json runs = RunsOf(job);
    return runs.size() == 1 && runs[0].value("state", "") == state;
  }
};

TEST_F(SlurmRuns, JobsAreRunsWithPlannedAndActualTimes) {
  const std::string good = SlurmCluster::JobOf(slurm().Submit({"--gres=gpu:a100:8", kShort}, "sleep 1"));
  const std::string bad = SlurmCluster::JobOf(slurm().Submit({"--gres=gpu:a100:8", kShort}, "exit 3"));
  const std::string cancelled = SlurmCluster::JobOf(slurm().Submit({"--gres=gpu:a100:8", kShort}, "sleep 300"));
  ASSERT_NE(good, "");
  ASSERT_TRUE(Eventually([&] { return HasRun(cancelled, "RUNNING"); })) << ReadFile(slurm().folder() / "log/hooks.log");
  RunCommand({"scancel", cancelled});
  EXPECT_TRUE(Eventually([&] { return HasRun(good, "SUCCEEDED"); })) << ReadFile(slurm().folder() / "log/hooks.log");
  EXPECT_TRUE(Eventually([&] { return HasRun(bad, "FAILED"); }))
      << RunsOf(bad) << ReadFile(slurm().folder() / "log/hooks.log");
  EXPECT_TRUE(Eventually([&] { return HasRun(cancelled, "CANCELLED"); }))
      << RunsOf(cancelled) << ReadFile(slurm().folder() / "log/hooks.log");
  const nlohmann::json run = RunsOf(good)[0];
  EXPECT_THAT(run["description"].get<std::string>(), HasSubstr("slurm job " + good));
  EXPECT_EQ(run["planned"]["gpuCount"], "8");
  EXPECT_NE(run["planned"]["totalDuration"], "0s");
  EXPECT_NE(run["startTime"], run["finishTime"]);
}

TEST_F(SlurmRuns, ATrainingReportsItselfIntoTheRunOfItsJob) {
  const std::filesystem::path script = slurm().folder() / "train.py";
  WriteFile(script,
            "from planner_client import Reporter\nwith Reporter() as reporter:\n    reporter.report(7, loss=1.5)\n");
  const std::string job = SlurmCluster::JobOf(
      slurm().Submit({"--gres=gpu:a100:8", kShort, "--export=ALL,PLANNER_SERVER=" + slurm().server()},
                     fmt::format("XDG_CACHE_HOME={} PYTHONPATH={}/clients/python /usr/bin/python3 {}",
                                 slurm().folder().string(), SOURCE_FOLDER, script.string())));
  ASSERT_NE(job, "");
  EXPECT_TRUE(Eventually([&] { return HasRun(job, "SUCCEEDED"); }))
      << RunsOf(job) << ReadFile(slurm().folder() / "log/hooks.log");
  EXPECT_EQ(RunsOf(job)[0]["actual"]["last"]["step"], "7") << RunsOf(job);
}

TEST_F(SlurmRuns, EachTaskOfAnArrayHasItsOwnEnd) {
  const std::filesystem::path script = slurm().folder() / "array.sh";
  WriteFile(script, "#!/bin/sh\n[ $SLURM_ARRAY_TASK_ID != 2 ] || exit 3\n", std::filesystem::perms(0755));
  // One after the other: the last one has the array's own number, by which squeue tells of all of them.
  const Said said = RunCommand({"sbatch", "--output=/dev/null", "--array=0-2%1", "--gres=gpu:a100:8", kShort, script});
  const std::string job = SlurmCluster::JobOf(said);
  ASSERT_NE(job, "") << said.text;
  const auto ends = [&] {
    std::map<std::string, int> states;
    for (const nlohmann::json& run : RunsOf(job)) ++states[run.value("state", "")];
    return states;
  };
  const std::map<std::string, int> expected = {{"FAILED", 1}, {"SUCCEEDED", 2}};
  EXPECT_TRUE(Eventually([&] { return ends() == expected || ends()["SUCCEEDED"] == 3; }))
      << RunsOf(job) << ReadFile(slurm().folder() / "log/hooks.log");
  EXPECT_EQ(ends(), expected);
}

TEST_F(SlurmRuns, ARequeuedJobEndsOneRunAndBeginsTheNext) {
  const std::string job = SlurmCluster::JobOf(slurm().Submit({"--gres=gpu:a100:8", "--requeue", kShort}, "sleep 300"));
  ASSERT_NE(job, "");
  ASSERT_TRUE(Eventually([&] { return HasRun(job, "RUNNING"); })) << ReadFile(slurm().folder() / "log/hooks.log");
  const std::string node = slurm().Field(job, "BatchHost");
  EXPECT_EQ(RunCommand({"scontrol", "requeue", job}).exit_code, 0);
  EXPECT_TRUE(Eventually([&] { return HasRun(job, "CANCELLED"); }))
      << RunsOf(job) << ReadFile(slurm().folder() / "log/hooks.log");
  // Slurm would have it wait for two minutes: the node's slurmd refuses the job's credentials for the second in which it was requeued.
  RunCommand({"scontrol", "update", "jobid=" + job, "starttime=now", "excnodelist=" + node});
  EXPECT_TRUE(Eventually([&] {
    const nlohmann::json runs = RunsOf(job);
    return runs.size() == 2 && runs[0].value("state", "") == "RUNNING";
  })) << RunsOf(job)
      << ReadFile(slurm().folder() / "log/hooks.log");
  RunCommand({"scancel", job});
  EXPECT_TRUE(Eventually([&] {
    const nlohmann::json runs = RunsOf(job);
    return runs.size() == 2 && runs[0].value("state", "") == "CANCELLED";
  })) << RunsOf(job)
      << ReadFile(slurm().folder() / "log/hooks.log");
}

TEST_F(SlurmRuns, HooksNeverFailOrHoldUpAJobWithoutAPlanner) {
  const std::string settings = slurm().folder() / "etc/planner.env";
  const std::string good = ReadFile(settings);
  slurm().StopPlannerd();
  WriteFile(settings, "PLANNER_SERVER='half a quote\n");
  const std::string job = SlurmCluster::JobOf(slurm().Submit({"--gres=gpu:a100:8", kShort}, "true"));
  ASSERT_NE(job, "");
  EXPECT_TRUE(Eventually([&] { return slurm().Field(job, "JobState") == "COMPLETED"; }))
      << slurm().Field(job, "JobState");
  EXPECT_EQ(RunCommand({"sinfo", "--noheader", "--states=drain,down", "--format=%D"}).text, "");
  WriteFile(settings, good);
  slurm().StartPlannerd();
  EXPECT_TRUE(IsPlanningAgain());
}

TEST_F(SlurmRuns, ThePollerTellsOfJobsThatNoHookHasToldOf) {
  const std::string hooks = slurm().folder() / "etc/planner.env";
  std::filesystem::rename(hooks, hooks + ".away");  // The hooks know no planner now.
  const std::string job = SlurmCluster::JobOf(slurm().Submit({"--gres=gpu:a100:8", kShort}, "true"));
  ASSERT_TRUE(Eventually([&] { return slurm().Field(job, "JobState") == "COMPLETED"; }));
  const Said said = slurm().Plannerctl({"cluster", "import", "slurm", "test", "--runs"});
  EXPECT_EQ(said.exit_code, 0) << said.text;
  EXPECT_TRUE(HasRun(job, "SUCCEEDED")) << RunsOf(job) << said.text;

  const std::string again =
      SlurmCluster::JobOf(slurm().Submit({"--gres=gpu:a100:8", "--requeue", kShort}, "sleep 300"));
  {
    support::ChildProcess poller({.command = {PLANNERCTL_PATH, "--server", slurm().server(), "cluster", "import",
                                              "slurm", "test", "--runs", "--watch", "1s"}});
    EXPECT_TRUE(Eventually([&] { return HasRun(again, "RUNNING"); })) << RunsOf(again) << poller.output();
    RunCommand({"scontrol", "requeuehold", again});
    EXPECT_TRUE(Eventually([&] { return HasRun(again, "CANCELLED"); })) << RunsOf(again) << poller.output();
  }
  RunCommand({"scancel", again});
  std::filesystem::rename(hooks + ".away", hooks);
}

class SlurmInventory : public SlurmTest {};

TEST_F(SlurmInventory, TheInventoryIsWhatSinfoSays) {
  RunCommand({"scontrol", "update", "nodename=n60", "state=drain", "reason=fan"});
  RunCommand({"scontrol", "update", "nodename=n[61-62]", "state=down", "reason=power"});
  const std::string small =
      SlurmCluster::JobOf(slurm().Submit({"--gres=gpu:a100:3", "--time=2:00:00", "--nodelist=n01"}, "sleep 300"));
  const std::string large = SlurmCluster::JobOf(
      slurm().Submit({"--gres=gpu:a100:8", "--nodes=4", "--time=3:00:00", "--nodelist=n[02-05]"}, "sleep 300"));
  ASSERT_TRUE(Eventually(
      [&] { return slurm().Field(small, "JobState") == "RUNNING" && slurm().Field(large, "JobState") == "RUNNING"; }));
  const Said said =
      slurm().Plannerctl({"-o", "json", "cluster", "import", "slurm", "test", "--gpu-type", "a100=A100-SXM-80GB"});
  ASSERT_EQ(said.exit_code, 0) << said.text;
  const nlohmann::json pool = nlohmann::json::parse(said.text)["nodePools"][0];
  EXPECT_EQ(pool["nodeCount"], "64");
  EXPECT_EQ(pool["nodeNames"], "n[01-64]");
  EXPECT_EQ(pool["gpusPerNode"], 8);
  EXPECT_EQ(pool["status"]["readyNodeCount"], "61");
  EXPECT_EQ(pool["status"]["drainedNodeCount"], "1");
  EXPECT_EQ(pool["status"]["downNodeCount"], "2");
  EXPECT_EQ(pool["status"]["usedGpuCount"], "35");
  ASSERT_EQ(pool["occupations"].size(), 2U);
  for (const nlohmann::json& occupation : pool["occupations"])
    EXPECT_TRUE(occupation.contains("releaseTime")) << occupation;
  RunCommand({"scancel", small, large});
  ASSERT_TRUE(Eventually([&] {
    return RunCommand({"squeue", "--noheader", "--states=running,completing"}).text.empty();
  }));
  RunCommand({"scontrol", "update", "nodename=n[60-62]", "state=resume"});
  ASSERT_TRUE(Eventually([&] {
    const Said again = slurm().Plannerctl({"-o", "json", "cluster", "import", "slurm", "test"});
    const nlohmann::json cluster = nlohmann::json::parse(again.text, nullptr, false);
    return !cluster.is_discarded() && cluster["nodePools"][0]["status"]["usedGpuCount"] == "0" &&
           cluster["nodePools"][0]["status"]["readyNodeCount"] == "64";
  })) << "finished jobs have given their GPUs back";
}

/// The planner, or the way to it, is broken: sbatch returns in time, by the policy, and the log says so.
class SlurmBadDays : public SlurmTest {
 protected:
  void SetUp() override {
    SlurmTest::SetUp();
    slurm().ForgetFailures();
  }
  void TearDown() override {
    if (slurm().plannerd() != nullptr) slurm().plannerd()->Signal(SIGCONT);
    if (slurm().serve() != nullptr) slurm().serve()->Signal(SIGCONT);
    // From scratch for the next one, whatever this one has left behind.
    slurm().StopServe();
    slurm().StopPlannerd();
    slurm().StartPlannerd();
    slurm().StartServe();
  }

  /// What a user waits for sbatch: of five the shortest, with the breaker kept closed. On a machine that is busy sbatch alone takes longer than the
  /// 60 ms that it has here of the 400: so much longer may all of it take.
  static absl::Duration Waited(const std::vector<std::string>& options, Said& said) {
    absl::Duration best = absl::InfiniteDuration();
    for (int i = 0; i < 5 && best >= absl::Milliseconds(400); ++i) {
      slurm().ForgetFailures();
      const absl::Duration alone = SubmitHeld({}).took;
      said = SubmitHeld(options);
      best = std::min(best, said.took - std::max(alone - absl::Milliseconds(60), absl::ZeroDuration()));
    }
    return best;
  }

  static void ExpectPolicyInTime(const std::string& what) {
    SCOPED_TRACE(what);
    size_t log = slurm().LogSize();
    Said open;
    EXPECT_LT(Waited({"--gres=gpu:a100:8", kShort}, open), absl::Milliseconds(400));
    EXPECT_NE(SlurmCluster::JobOf(open), "") << open.text;
    EXPECT_THAT(open.text, HasSubstr("the job is taken without a plan"));
    EXPECT_THAT(slurm().LogSince(log), HasSubstr("policy: open"));
    log = slurm().LogSize();
    Said closed;
    EXPECT_LT(Waited({"--partition=closed", "--gres=gpu:a100:8", kShort}, closed), absl::Milliseconds(400));
    EXPECT_NE(closed.exit_code, 0) << closed.text;
    EXPECT_THAT(closed.text, HasSubstr("takes no job without a plan"));
    EXPECT_THAT(slurm().LogSince(log), HasSubstr("policy: closed"));
    slurm().ForgetFailures();
    EXPECT_NE(SubmitHeld({"--partition=gpu,closed", "--gres=gpu:a100:8", kShort}).exit_code, 0)
        << "it may start in the closed one";
    // Nobody else waits, whatever the planner does.
    EXPECT_EQ(SubmitHeld({}).exit_code, 0);
  }
};

class SlurmBadPlanner : public SlurmBadDays {};
class SlurmBadServe : public SlurmBadDays {};

TEST_F(SlurmBadPlanner, PlannerIsDead) {
  slurm().StopPlannerd();
  ExpectPolicyInTime("plannerd is dead");
}

TEST_F(SlurmBadPlanner, PlannerIsStopped) {
  slurm().plannerd()->Signal(SIGSTOP);
  ExpectPolicyInTime("plannerd is stopped");
}

TEST_F(SlurmBadPlanner, PlannerIsABlackHole) {
  slurm().StopPlannerd();
  const FakeServer hole(slurm().folder() / "planner.sock", FakeServer::Answer::kNone);
  ExpectPolicyInTime("plannerd takes everything and answers nothing");
}

TEST_F(SlurmBadPlanner, PlannerAnswersGarbage) {
  slurm().StopPlannerd();
  const FakeServer garbage(slurm().folder() / "planner.sock", FakeServer::Answer::kGarbage);
  ExpectPolicyInTime("plannerd speaks no gRPC");
}

TEST_F(SlurmBadServe, ServeIsDead) {
  slurm().StopServe();
  ExpectPolicyInTime("slurm serve is dead");
}

TEST_F(SlurmBadServe, ServeIsStopped) {
  slurm().serve()->Signal(SIGSTOP);
  ExpectPolicyInTime("slurm serve is stopped");
}

TEST_F(SlurmBadServe, ServeIsSlowOrAnswersGarbage) {
  slurm().StopServe();
  for (const auto& [answer, what] :
       {std::pair(FakeServer::Answer::kLate, "five seconds late"), std::pair(FakeServer::Answer::kNone, "a black hole"),
        std::pair(FakeServer::Answer::kGarbage, "garbage"),
        std::pair(FakeServer::Answer::kFlood, "garbage without end")}) {
    const FakeServer fake(slurm().submit_socket(), answer);
    ExpectPolicyInTime(what);
  }
}

TEST_F(SlurmBadServe, AfterFailuresInARowThePlannerIsNotAskedForAWhile) {
  slurm().StopServe();
  const size_t log = slurm().LogSize();
  ASSERT_TRUE(Eventually([&] {
    SubmitHeld({"--gres=gpu:a100:8", kShort});
    return slurm().LogSince(log).find("s more after failures") != std::string::npos;
  })) << slurm().LogSince(log);
  EXPECT_THAT(slurm().LogSince(log), HasSubstr("has failed 3 times in a row: not asked for 30 s"));
  // It holds to that although the planner is there again; and a new reading of the script forgets it.
  slurm().StartServe();
  EXPECT_THAT(SubmitHeld({"--gres=gpu:a100:8", kShort}).text, HasSubstr("taken without a plan"));
  EXPECT_TRUE(IsPlanningAgain());
}

TEST_F(SlurmBadServe, APolicyThatCannotBeReadLeavesTheOldOne) {
  WriteFile(slurm().folder() / "policy.yaml", "default: {mode: perhaps}\n");
  ASSERT_TRUE(slurm().serve()->WaitForOutput("default.mode", absl::Minutes(1))) << slurm().serve()->output();
  ASSERT_TRUE(IsPlanningAgain());
  EXPECT_NE(SubmitHeld({"--gres=gpu:a100:8", kTooLong}).exit_code, 0) << "still enforced";
}

}  // namespace
}  // namespace planner::slurm
