#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "tests/support/child_process.h"

namespace planner::kubernetes_test {

/// How long a program may take to say that it is there; far more than it needs.
constexpr absl::Duration kPatience = absl::Seconds(60);

/// A plannerd of a test's own, on a socket in a folder that goes with it.
class PlannerFixture : public ::testing::Test {
 protected:
  PlannerFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "planner-kubernetes-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    StartPlanner();
  }
  ~PlannerFixture() override { std::filesystem::remove_all(folder_); }

  std::string In(const std::string& name) const { return (folder_ / name).string(); }
  std::string address() const { return "unix:" + In("p.sock"); }

  void StartPlanner() {
    planner_ = std::make_unique<support::ChildProcess>(support::ChildOptions{
        .command = {PLANNERD_PATH, "--listen", address(), "--metrics_listen", "off", "--state_dir", In("state")}, .user = {}});
    ASSERT_TRUE(planner_->WaitForOutput("event=ready", kPatience)) << planner_->output();
  }

  std::filesystem::path folder_;
  std::unique_ptr<support::ChildProcess> planner_;
};

}  // namespace planner::kubernetes_test
