// plannerd and plannerctl on a PostgreSQL, and the way there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/storage/scratch_folder.h"
#include "tests/support/child_process.h"
#include "tests/support/private_postgresql.h"

namespace planner::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
  int code = -1;
  std::string output;
};

Outcome RunProgram(std::vector<std::string> command) {
  support::ChildProcess process({std::move(command), ""});
  const int code = process.Wait();
  return {code, process.output()};
}

class StorageProgramsTest : public ::testing::Test {
 protected:
  static Outcome Plannerd(std::vector<std::string> flags) {
    flags.insert(flags.begin(), PLANNERD);
    return RunProgram(std::move(flags));
  }
  /// A plannerd on the database, which listens at Socket(name).
  std::unique_ptr<support::ChildProcess> StartOnPostgresql(const std::string& name) {
    auto daemon = std::make_unique<support::ChildProcess>(
        support::ChildOptions{{PLANNERD, "--listen", Socket(name), "--metrics_listen", "off", "--state_dir", other_, "--postgresql",
                               postgresql_ + " password=opensesame"},
                              ""});
    EXPECT_TRUE(daemon->WaitForOutput("event=ready", absl::Seconds(60))) << daemon->output();
    return daemon;
  }
  std::string Socket(const std::string& name) const { return "unix:" + folder_.path() + "/" + name; }
  /// The answer of a command of plannerctl; the test fails where it does.
  std::string Ask(const std::vector<std::string>& where, const std::vector<std::string>& command) {
    std::vector<std::string> all = {PLANNERCTL};
    all.insert(all.end(), where.begin(), where.end());
    all.insert(all.end(), command.begin(), command.end());
    const Outcome outcome = RunProgram(std::move(all));
    EXPECT_EQ(outcome.code, 0) << outcome.output;
    return outcome.output;
  }

  store::ScratchFolder folder_;
  const std::string sqlite_ = folder_.path() + "/sqlite";
  const std::string other_ = folder_.path() + "/other";
  const std::string backup_ = folder_.path() + "/backup";
  support::PrivatePostgresql database_;
  const std::string postgresql_ = database_.ConnectionString();
};

TEST_F(StorageProgramsTest, ABackupOfSqliteGoesOnInPostgresql) {
  ASSERT_TRUE(database_.is_running()) << database_.output();
  const std::vector<std::string> before = {"--state_dir", sqlite_};
  Ask(before, {"cluster", "apply", "-f", CLUSTER_YAML});
  Ask(before, {"plan", "create", "--model", "llama-3-8b", "--tokens", "300B", "--cluster", "sample", "--gpus", "64",
               "--hold", "1h"});
  Ask(before,
      {"plan", "create", "--model", "gpt2", "--tokens", "10B", "--cluster", "sample", "--gpus", "8", "--hold", "2h"});

  const Outcome written = Plannerd({"--state_dir", sqlite_, "--backup", backup_});
  EXPECT_EQ(written.code, 0) << written.output;
  EXPECT_THAT(written.output, HasSubstr("5 records written to " + backup_));  // A cluster, two plans, two reservations.
  const Outcome restored = Plannerd({"--state_dir", other_, "--postgresql", postgresql_, "--restore", backup_});
  EXPECT_EQ(restored.code, 0) << restored.output;

  // Who holds what when, and the plans in their order.
  const auto daemon = StartOnPostgresql("after");
  const std::vector<std::string> after = {"--server", Socket("after")};
  EXPECT_EQ(Ask(after, {"cluster", "calendar", "sample"}), Ask(before, {"cluster", "calendar", "sample"}));
  EXPECT_EQ(Ask(after, {"plan", "list"}), Ask(before, {"plan", "list"}));

  // Not into a store that has something, whichever it is.
  for (const std::vector<std::string>& taken :
       {std::vector<std::string>{"--state_dir", other_, "--postgresql", postgresql_},
        std::vector<std::string>{"--state_dir", sqlite_}}) {
    std::vector<std::string> flags = taken;
    flags.insert(flags.end(), {"--restore", backup_});
    const Outcome refused = Plannerd(flags);
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.output, HasSubstr("the store is not empty"));
  }
  // And back.
  EXPECT_EQ(Plannerd({"--state_dir", other_, "--postgresql", postgresql_, "--backup", backup_}).code, 0);
  EXPECT_EQ(Plannerd({"--state_dir", folder_.path() + "/third", "--restore", backup_}).code, 0);
  EXPECT_EQ(Ask({"--state_dir", folder_.path() + "/third"}, {"plan", "list"}), Ask(before, {"plan", "list"}));
}

TEST_F(StorageProgramsTest, ErrorsAreClearAndTellNoPassword) {
  const Outcome wrong =
      Plannerd({"--state_dir", other_, "--check_config", "--postgresql", "hots=db1 password=opensesame"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(
      wrong.output,
      HasSubstr("plannerd: error: postgresql: is no connection string of libpq: invalid connection option \"hots\""));
  EXPECT_EQ(Plannerd({"--state_dir", other_, "--check_config", "--postgresql", postgresql_}).code, 0);
  const Outcome away =
      Plannerd({"--state_dir", other_, "--postgresql", "host=/nonexistent dbname=planner password=opensesame"});
  EXPECT_EQ(away.code, 1);
  EXPECT_THAT(away.output, AllOf(HasSubstr("postgresql: cannot be reached: host=/nonexistent dbname=planner"),
                                 Not(HasSubstr("sesame"))));
  const Outcome nothing = Plannerd({"--state_dir", other_, "--backup", backup_});
  EXPECT_EQ(nothing.code, 1);
  EXPECT_THAT(nothing.output, HasSubstr("there is no record to write: sqlite " + other_));
}

TEST_F(StorageProgramsTest, DaemonsShareADatabaseAndAFolder) {
  const auto one = StartOnPostgresql("1");
  const auto two = StartOnPostgresql("2");
  EXPECT_THAT(one->output(), AllOf(HasSubstr("store=\"postgresql host="), Not(HasSubstr("sesame"))));
  Ask({"--server", Socket("1")}, {"cluster", "apply", "-f", CLUSTER_YAML});
  EXPECT_THAT(Ask({"--server", Socket("2")}, {"cluster", "list"}), HasSubstr("sample"));
  for (support::ChildProcess* process : {one.get(), two.get()}) {
    process->Signal(SIGTERM);
    EXPECT_EQ(process->Wait(), 0);
  }
}

}  // namespace
}  // namespace planner::storage
