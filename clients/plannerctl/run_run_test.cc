// Runs.

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "clients/plannerctl/fake_planner.h"

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RunRunTest : public RunTest {
 protected:
  RunRunTest() {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(R"pb(
      name: "runs/r1" plan: "plans/p1" state: RUNNING description: "job 7"
      start_time { seconds: 1767225600 }
      planned {
        cluster: "main" node_pool: "p" gpu_type: "H100-SXM-80GB" gpu_count: 8 model: "llama-7b" layout { data_parallel: 8 }
        step_count: 1000 token_count: 4e6 step_duration { seconds: 10 } finish_time { seconds: 1767235600 }
        tokens_per_second: 400 model_flops_utilization: 0.4 gpu_hours: 22.2 cost: 44.4 currency: "USD"
      }
      actual {
        last { time { seconds: 1767228600 } step: 250 token_count: 1e6 tokens_per_second: 330 loss: 2.345678 gpu_utilization_ratio: 0.98 }
        progress_ratio: 0.25 planned_progress_ratio: 0.3 step_duration { seconds: 12 } tokens_per_second: 333.3
        model_flops_utilization: 0.3333 step_ratio: 1.2 gpu_hours: 6.67 cost: 13.3 drift: LATE drift_reason: "20 % slower than planned"
        predicted_finish_time { seconds: 1767237414 }
        predicted_finish_time_low { seconds: 1767236943 }
        predicted_finish_time_high { seconds: 1767237912 }
        report_count: 26
      })pb", &runs_.run));
  }
};

TEST_F(RunRunTest, StartsAPlan) {
  EXPECT_EQ(Run({"run", "start", "p1", "--description", "job 7", "--start-time", "2026-01-01T00:00:00Z", "--request-id", "r"}), 0) << err();
  EXPECT_EQ(runs_.start_request.run().plan(), "plans/p1");
  EXPECT_EQ(runs_.start_request.run().description(), "job 7");
  EXPECT_EQ(runs_.start_request.run().start_time().seconds(), 1767225600);
  EXPECT_EQ(runs_.start_request.request_id(), "r");
  EXPECT_FALSE(runs_.start_request.validate_only());
  EXPECT_THAT(out(), StartsWith("Run     r1: running, late\n"));
  EXPECT_EQ(Run({"run", "start", "plans/p1", "--dry-run"}), 0);
  EXPECT_EQ(runs_.start_request.run().plan(), "plans/p1");
  EXPECT_TRUE(runs_.start_request.validate_only());
  EXPECT_FALSE(runs_.start_request.run().has_start_time());
  EXPECT_EQ(Run({"run", "start", "p1", "--start-time", "noon"}), 2);
  EXPECT_EQ(Run({"run", "start"}), 2);
}

TEST_F(RunRunTest, ReportsOnce) {
  EXPECT_EQ(Run({"run", "report", "r1", "--step", "1k", "--tokens", "4M", "--tokens_per_second", "330", "--loss", "2.5", "--gpu-utilization",
                 "98%", "--time", "2026-01-01T00:00:00Z"}),
            0)
      << err();
  ASSERT_THAT(runs_.samples, SizeIs(1));
  EXPECT_EQ(runs_.reported_run, "runs/r1");
  EXPECT_EQ(runs_.samples[0].step(), 1000);
  EXPECT_EQ(runs_.samples[0].token_count(), 4e6);
  EXPECT_EQ(runs_.samples[0].tokens_per_second(), 330);
  EXPECT_EQ(runs_.samples[0].loss(), 2.5);
  EXPECT_EQ(runs_.samples[0].gpu_utilization_ratio(), 0.98);
  EXPECT_EQ(runs_.samples[0].time().seconds(), 1767225600);
  EXPECT_EQ(out(), "run/r1 reported: 25.0 % done, 30.0 % planned, late: 20 % slower than planned\n");
  EXPECT_EQ(Run({"run", "report", "r1", "--step", "5", "-o", "json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out())["acceptedCount"], "1");
  EXPECT_FALSE(runs_.samples[1].has_time());
}

TEST_F(RunRunTest, WhatIsRefusedFails) {
  EXPECT_EQ(Run({"run", "report", "r1", "--step=-1"}), 2);
  EXPECT_EQ(err(), "plannerctl: error: --step: must be at least 0: step=-1\n");
  EXPECT_EQ(Run({"run", "report", "r1"}), 2);
  EXPECT_EQ(Run({"run", "report", "r1", "--step", "1", "--loss", "nan"}), 2);
  EXPECT_EQ(Run({"run", "report", "r1", "--step", "1", "-f", "-"}), 2);
  EXPECT_EQ(Run({"run", "report", "r1", "-f", "/nowhere/file"}), 2);
  EXPECT_EQ(Run({"run", "report", "r1", "--step", ""}), 2);
  runs_.failures = 1;
  EXPECT_EQ(Run({"run", "report", "r1", "--step", "1"}), 4);
}

TEST_F(RunRunTest, ReportsLinesOfAFileTogether) {
  input_ = "step,loss\n";
  for (int i = 0; i < 2500; ++i) input_ += std::to_string(i) + ",2.5\n";
  EXPECT_EQ(Run({"run", "report", "r1", "-f", "-"}), 0) << err();
  EXPECT_THAT(runs_.samples, SizeIs(2500));
  EXPECT_EQ(runs_.reports, 1);
  EXPECT_EQ(runs_.largest_message, 1000);
  EXPECT_EQ(out(), "run/r1 2,500 reported, 0 refused: 25.0 % done, 30.0 % planned, late: 20 % slower than planned\n");
  const std::string path = ::testing::TempDir() + "/planner_reports.jsonl";
  std::ofstream(path) << "{\"step\": 1}\n{\"step\": 2}\n";
  EXPECT_EQ(Run({"run", "report", "r1", "--file", path}), 0) << err();
  EXPECT_THAT(runs_.samples, SizeIs(2502));
}

TEST_F(RunRunTest, LinesThatSayNothingAreNamedAndTheOthersReported) {
  input_ = "{\"step\": 1}\nnonsense\n{\"step\": -1}\n\n{\"step\": 4}\n";
  EXPECT_EQ(Run({"run", "report", "r1", "-f", "-"}), 1);
  EXPECT_THAT(runs_.samples, SizeIs(2));
  EXPECT_THAT(err(), AllOf(HasSubstr("line 2: is no JSON object"), HasSubstr("line 3: step: must be at least 0")));
  EXPECT_THAT(out(), StartsWith("run/r1 2 reported, 2 refused: "));
  input_ = "";
  EXPECT_EQ(Run({"run", "report", "r1", "-f", "-"}), 0);
  EXPECT_THAT(out(), StartsWith("run/r1 0 reported, 0 refused: "));
}

TEST_F(RunRunTest, AServerThatIsAwayLosesNoLine) {
  // More than one call holds, so that there is a next try.
  input_ = "step\n";
  for (int i = 0; i < 10'000; ++i) input_ += std::to_string(i) + "\n";
  input_ += "10000\n";
  runs_.failures = 1;
  EXPECT_EQ(Run({"run", "report", "r1", "-f", "-"}), 1);  // The oldest one made room.
  EXPECT_THAT(err(), AllOf(HasSubstr("the server is away"), HasSubstr("1 reports were lost")));
  EXPECT_THAT(runs_.samples, SizeIs(10'000));
  runs_.failures = 100;
  input_ = "{\"step\": 1}\n";
  EXPECT_EQ(Run({"run", "report", "r1", "-f", "-"}), 4);
}

TEST_F(RunRunTest, Finishes) {
  EXPECT_EQ(Run({"run", "finish", "r1"}), 0) << err();
  EXPECT_EQ(runs_.finish_request.name(), "runs/r1");
  EXPECT_EQ(runs_.finish_request.state(), v1::Run::STATE_UNSPECIFIED);
  EXPECT_FALSE(runs_.finish_request.has_last());
  EXPECT_THAT(out(), StartsWith("run/r1 succeeded: "));
  EXPECT_EQ(Run({"run", "finish", "runs/r1", "--state", "failed", "--message", "disk full", "--step", "300", "--time", "2026-01-01"}), 0) << err();
  EXPECT_EQ(runs_.finish_request.state(), v1::Run::FAILED);
  EXPECT_EQ(runs_.finish_request.message(), "disk full");
  EXPECT_EQ(runs_.finish_request.last().step(), 300);
  EXPECT_EQ(runs_.finish_request.last().time().seconds(), 1767225600);
  EXPECT_EQ(Run({"run", "finish", "r1", "--state", "running"}), 2);
  EXPECT_EQ(Run({"run", "finish", "r1", "--time", "2026-01-01"}), 2);
  EXPECT_EQ(Run({"run", "finish", "r1", "--etag", "old"}), 1);
}

TEST_F(RunRunTest, ShowsPlannedBesideActual) {
  EXPECT_EQ(Run({"run", "get", "r1"}), 0) << err();
  EXPECT_THAT(out(), StartsWith("Run     r1: running, late\n"
                                "        job 7\n"
                                "        20 % slower than planned\n"
                                "Plan    p1: llama-7b on 8 × H100-SXM-80GB (main/p), DP 8\n"
                                "Began   2026-01-01 00:00 UTC\n"
                                "Reports 26, the newest at 2026-01-01 00:50 UTC\n"
                                "\n"));
  for (const char* row : {"PLANNED", "Progress", "30.0 %", "25.0 %", "Step", "10 s", "12 s", "+20 %", "400", "333", "last 330", "40.0 %", "33.3 %",
                          "2026-01-01 02:46 UTC", "2026-01-01 03:16 UTC", "2026-01-01 03:09 UTC to 2026-01-01 03:25 UTC", "22.2", "6.67",
                          "USD 44.40", "USD 13.30", "2.346", "98.0 %"}) {
    EXPECT_THAT(out(), HasSubstr(row));
  }
  EXPECT_EQ(Run({"run", "get", "r1", "-o", "json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out())["actual"]["drift"], "LATE");
  EXPECT_EQ(Run({"run", "get", "other"}), 2);
  runs_.run.set_description("\x1b[2Jbad");
  EXPECT_EQ(Run({"run", "get", "r1"}), 0);
  EXPECT_THAT(out(), Not(HasSubstr("\x1b[2J")));
}

TEST_F(RunRunTest, Lists) {
  EXPECT_EQ(Run({"run", "list", "--state", "running", "--plan", "p1"}), 0) << err();
  EXPECT_EQ(runs_.list_request.state(), v1::Run::RUNNING);
  EXPECT_EQ(runs_.list_request.plan(), "plans/p1");
  for (const char* cell : {"NAME", "DRIFT", "PROGRESS", "r1", "running", "late", "25.0 %", "30.0 %", "2026-01-01 03:16 UTC", "llama-7b", "job 7"}) {
    EXPECT_THAT(out(), HasSubstr(cell));
  }
  EXPECT_EQ(Run({"run", "list", "-o", "json"}), 0);
  EXPECT_THAT(nlohmann::json::parse(out())["runs"], SizeIs(1));
  EXPECT_EQ(Run({"run", "list", "--state", "lost"}), 2);
  EXPECT_EQ(Run({"run", "delete", "r1", "r2"}), 0);
  EXPECT_EQ(out(), "run/r1 deleted\nrun/r2 deleted\n");
}

}  // namespace
}  // namespace planner::plannerctl
