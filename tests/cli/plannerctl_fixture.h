#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/process.h"

namespace planner::cli {

/// A folder that goes away with its owner.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "planner-cli-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string Path(const std::string& name) const { return (path_ / name).string(); }
  std::string Write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name) << content;
    return Path(name);
  }
  std::string string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// The names of a JSON object's members.
inline std::vector<std::string> Keys(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

/// The values of one member of every object of a list.
inline std::vector<std::string> Column(const nlohmann::json& list, const char* key) {
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

/// What needs no planner, or one that is not there.
class PlannerctlAloneTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
};

}  // namespace planner::cli
