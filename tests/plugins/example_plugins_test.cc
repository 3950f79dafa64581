// Plugins that are not started like the rest: in Python, and over TCP.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "core/base/error.h"
#include "services/plugin_host/remote_counter.h"
#include "tests/plugins/models.h"

namespace planner::plugins_test {
namespace {

model::ModelDescription TextModel(const std::string& text) {
  model::ModelDescription model;
  model.source = std::make_shared<const model::ModelSource>(
      model::ModelSource{.format = model::SourceFormat::kHuggingFaceConfig, .text = text, .file = {}});
  return model;
}

TEST(PythonPluginTest, CountsAndNamesFields) {
  plugin_host::PluginSpec spec{.name = "example", .program = PYTHON_PLUGIN};
  spec.variables["PLANNER_PROTO_FOLDER"] = PROTO_FOLDER;
  const plugin_host::RemoteCounter counter(std::move(spec), {}, base::Clock::Real(), nullptr);
  const model::ModelDescription square = TextModel(R"({"hidden_size": 12})");
  const auto report = counter.Count({.model = square, .batch = {.batch = 3}, .mode = counting::Mode::kInference});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, 144);
  EXPECT_EQ(report->forward.macs, 432);
  const model::ModelDescription wrong = TextModel("{}");
  const absl::Status status = counter.Count({.model = wrong}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(base::DetailOf(status).field, "model.hugging_face_config.hidden_size");
}

/// The analytic plugin, serving on a free port.
class TcpPlugin {
 public:
  TcpPlugin() {
    std::array<int, 2> output = {};
    EXPECT_EQ(pipe2(output.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    std::array<std::string, 3> words = {ANALYTIC_PLUGIN, "--listen", "127.0.0.1:0"};
    std::array<char*, 4> arguments = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, ANALYTIC_PLUGIN, &actions, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    std::string line;
    for (char c = 0; read(output[0], &c, 1) == 1 && c != '\n';) line += c;
    close(output[0]);
    constexpr std::string_view kPrefix = "planner-plugin|1|tcp|";
    EXPECT_TRUE(line.starts_with(kPrefix)) << line;
    line.erase(0, kPrefix.size());
    address_ = line.substr(0, line.find('|'));
  }
  ~TcpPlugin() { Stop(); }
  void Stop() {
    if (pid_ < 0) return;
    kill(pid_, SIGTERM);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    EXPECT_EQ(status, 0);
    pid_ = -1;
  }
  const std::string& address() const { return address_; }

 private:
  pid_t pid_ = -1;
  std::string address_;
};

TEST(TcpPluginTest, CountsAndIsUnavailableWhenGone) {
  TcpPlugin plugin;
  const plugin_host::RemoteCounter counter({.name = "far", .address = plugin.address()}, {}, base::Clock::Real(), nullptr);
  const model::ModelDescription model = Gpt2();
  EXPECT_TRUE(counter.Count({.model = model}).ok());
  plugin.Stop();
  const absl::Time deadline = base::Clock::Real().Now() + absl::Seconds(20);
  const model::ModelDescription next = Gpt2("", 1);
  EXPECT_FALSE(counter.Count({.model = next, .deadline = deadline}).ok());
  const model::ModelDescription other = Gpt2("", 2);
  EXPECT_TRUE(absl::IsUnavailable(counter.Count({.model = other, .deadline = deadline}).status()));
}

}  // namespace
}  // namespace planner::plugins_test
