// plannerctl without a planner, or with one that does not answer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
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
