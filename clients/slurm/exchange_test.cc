#include "clients/slurm/exchange.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "clients/slurm/job_report.h"
#include "clients/slurm/program.h"
#include "clients/slurm/wire.h"

namespace planner::slurm {
namespace {

class ExchangeTest : public ::testing::Test {
 protected:
  ExchangeTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "planner-exchange-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    path_ = folder_ / "s";
  }
  ~ExchangeTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(ExchangeTest, AnswersQuestions) {
  const auto exchange = Exchange::Listen({.path = path_}, [](const std::string& question) { return question; });
  ASSERT_TRUE(exchange.ok()) << exchange.status();
  const std::string question = Encode({{"a", "b"}});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(*Ask(path_, question, absl::Seconds(20)), question);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U) << "for nobody else";
}

TEST_F(ExchangeTest, NobodyThereOrNobodyWhoAnswers) {
  EXPECT_TRUE(absl::IsUnavailable(Ask(path_, "x", absl::Seconds(20)).status()));
  const int silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(silent, 1), 0);
  EXPECT_TRUE(absl::IsDeadlineExceeded(Ask(path_, "x", absl::Milliseconds(50)).status()));
  close(silent);
}

TEST_F(ExchangeTest, WhoSaysTooMuchOrNothingIsClosed) {
  const auto exchange = Exchange::Listen({.path = path_, .read_timeout = absl::Milliseconds(50)},
                                         [](const std::string& question) { return question; });
  ASSERT_TRUE(exchange.ok());
  EXPECT_FALSE(Ask(path_, std::string(kMaxMessageBytes + 1, 'a'), absl::Seconds(20)).ok());
  EXPECT_TRUE(absl::IsUnavailable(Ask(path_, "never ends", absl::Seconds(20)).status())) << "closed unanswered";
  EXPECT_TRUE(Ask(path_, "planner-slurm 1\nend\n", absl::Seconds(20)).ok());
}

TEST_F(ExchangeTest, TakesTheSocketOfADeadOneAndNoLivingOnes) {
  {
    const auto first = Exchange::Listen({.path = path_}, [](const std::string&) { return "first"; });
    ASSERT_TRUE(first.ok());
    EXPECT_FALSE(Exchange::Listen({.path = path_}, [](const std::string&) { return "second"; }).ok());
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  const int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(dead);
  EXPECT_TRUE(Exchange::Listen({.path = path_}, [](const std::string&) { return "third"; }).ok());
  std::ofstream(folder_ / "file") << "precious";
  EXPECT_FALSE(Exchange::Listen({.path = folder_ / "file"}, [](const std::string&) { return ""; }).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "file"));
}

TEST(ProgramTest, GivesTheOutputOrSaysWhyNot) {
  EXPECT_EQ(*OutputOf({"echo", "a b", "$(x)"}, 100, absl::Minutes(1)), "a b $(x)\n");
  EXPECT_TRUE(absl::IsNotFound(OutputOf({"no-such-program-of-ours"}, 100, absl::Minutes(1)).status()));
  EXPECT_TRUE(absl::IsUnavailable(OutputOf({"sh", "-c", "echo why >&2; exit 3"}, 100, absl::Minutes(1)).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(OutputOf({"sleep", "60"}, 100, absl::Milliseconds(20)).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(OutputOf({"yes"}, 1000, absl::Minutes(1)).status()));
}

TEST(JobReportTest, ReadsThePlanAndTheEnd) {
  EXPECT_EQ(PlanOfAdminComment("planner:plan=plans/20261126-1-a"), "plans/20261126-1-a");
  EXPECT_EQ(PlanOfAdminComment("ours; planner:plan=plans/p1"), "plans/p1");
  EXPECT_EQ(PlanOfAdminComment("plan=plans/p1"), "");
  EXPECT_EQ(EndOf("COMPLETING", "0:0", "None").state, v1::Run::SUCCEEDED);
  EXPECT_EQ(EndOf("COMPLETING", "3:0", "NonZeroExitCode").state, v1::Run::FAILED);
  EXPECT_EQ(EndOf("COMPLETING", "0:15", "None").state, v1::Run::CANCELLED);
  EXPECT_EQ(EndOf("CANCELLED", "0:0", "").state, v1::Run::CANCELLED);
  EXPECT_EQ(EndOf("COMPLETING", "0:0", "TimeLimit").message, "ended at its time limit");
  EXPECT_EQ(EndOf("COMPLETING", "0:9", "JobLaunchFailure").state, v1::Run::FAILED);
}

TEST(JobReportTest, AJobThatWasRequeuedHasEndedTheRunBefore) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_FALSE(WasRequeued("COMPLETING", now - absl::Seconds(1), now));
  EXPECT_TRUE(WasRequeued("COMPLETING", now + absl::Minutes(10), now)) << "its next end, by its time limit";
  EXPECT_TRUE(WasRequeued("COMPLETING", absl::InfinitePast(), now)) << "it has no time limit";
  EXPECT_TRUE(WasRequeued("PENDING", now + absl::Minutes(10), now));
  EXPECT_TRUE(WasRequeued("REQUEUE_HOLD", absl::InfinitePast(), now));
  EXPECT_TRUE(WasRequeued("RUNNING", now + absl::Minutes(10), now)) << "it runs already again";
  for (const char* ended : {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", ""})
    EXPECT_FALSE(WasRequeued(ended, now, now)) << ended;

  JobReport job{.plan = "plans/p1", .cluster = "c", .id = "7", .restarts = "1", .start = now};
  const std::string restarted = StartRequestOf(job).request_id();
  ASSERT_TRUE(EndAsRequeued(job));
  EXPECT_EQ(job.end, v1::Run::CANCELLED);
  EXPECT_EQ(job.start, absl::InfinitePast()) << "that of the next run, which may be still to come";
  EXPECT_EQ(StartRequestOf(job).request_id(),
            StartRequestOf({.plan = "plans/p1", .cluster = "c", .id = "7"}).request_id());
  EXPECT_NE(StartRequestOf(job).request_id(), restarted);
  EXPECT_FALSE(EndAsRequeued(job)) << "there was none before the first";
}

TEST(JobReportTest, TheSameJobIsTheSameRequest) {
  JobReport job{.plan = "plans/p1", .cluster = "main", .id = "7", .name = "train\n"};
  const std::string id = StartRequestOf(job).request_id();
  job.end = v1::Run::FAILED;
  EXPECT_EQ(StartRequestOf(job).request_id(), id);
  job.restarts = "1";
  EXPECT_NE(StartRequestOf(job).request_id(), id) << "a restart is a run of its own";
  EXPECT_LE(id.size(), 128U);
  EXPECT_EQ(StartRequestOf(job).run().description(), "slurm job 7 restart 1 of main: train?");
}

}  // namespace
}  // namespace planner::slurm
