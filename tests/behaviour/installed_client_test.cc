#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/behaviour/daemon_process.h"
#include "tests/behaviour/scratch_folder.h"

namespace planner::behaviour {
namespace {

/// clients/cpp as another project has it: installed, found by CMake, linked.
TEST(InstalledClientTest, AProgramOfAnotherProjectIsAnswered) {
  const ScratchFolder folder;
  const auto run = [&](const std::string& command) {
    const int code = std::system((command + " >" + (folder / "out") + " 2>&1").c_str());
    std::stringstream text;
    text << std::ifstream(folder / "out").rdbuf();
    return std::pair(WEXITSTATUS(code), text.str());
  };
  const auto [installed, install_log] = run("cmake --install " BUILD_FOLDER " --component client --prefix " + (folder / "prefix"));
  ASSERT_EQ(installed, 0) << install_log;
  // A library that was built with sanitizers is linked with them.
  const std::string sanitizers = SANITIZERS[0] == '\0' ? "" : " -DCMAKE_CXX_FLAGS=-fsanitize=" SANITIZERS;
  const auto [built, build_log] = run("cmake -S " SOURCE_FOLDER "/clients/cpp/example -B " + (folder / "build") + " -DCMAKE_PREFIX_PATH=" +
                                      (folder / "prefix") + sanitizers + " && cmake --build " + (folder / "build"));
  ASSERT_EQ(built, 0) << build_log;

  const std::string socket = "unix:" + (folder / "p.sock");
  const DaemonProcess daemon({"--metrics_listen", "off", "--state_dir", folder / "state", "--listen", socket});
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  // Of the two addresses only one is there. On 1,024 tokens: 3 x 2 x 1024 x (12 layers x 12 x 768^2 + 768 x 50257 + 12 x 2 x 1024 x 768).
  const std::string program = folder / "build/count";
  EXPECT_EQ(run(program + " gpt2 unix:" + (folder / "gone.sock") + " " + socket),
            std::pair(0, std::string("124439808 parameters, 874944921600 FLOPs\n")));
  const auto [code, error] = run(program + " nope " + socket);
  EXPECT_EQ(code, 1);
  EXPECT_THAT(error, ::testing::StartsWith("UNKNOWN_MODEL: "));
}

}  // namespace
}  // namespace planner::behaviour
