// Plugins that are not started like the rest: in Python, and over TCP.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/sha256.h"
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

/// A plugin that serves on a free port.
class TcpPlugin {
 public:
  explicit TcpPlugin(const char* program, std::vector<std::string> flags = {}) {
    std::array<int, 2> output = {};
    EXPECT_EQ(pipe2(output.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    flags.insert(flags.begin(), {program, "--listen", "127.0.0.1:0"});
    std::vector<char*> arguments;
    for (std::string& flag : flags) arguments.push_back(flag.data());
    arguments.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, program, &actions, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    std::string line;
    for (char c = 0; read(output[0], &c, 1) == 1 && c != '\n';) line += c;
    close(output[0]);
    constexpr std::string_view kPrefix = "planner-plugin|1|tcp|";
    EXPECT_TRUE(line.starts_with(kPrefix)) << line;
    line.erase(0, std::min(line.size(), kPrefix.size()));
    address_ = line.substr(0, line.find('|'));
  }
  ~TcpPlugin() { Stop(); }
  TcpPlugin(const TcpPlugin&) = delete;
  TcpPlugin& operator=(const TcpPlugin&) = delete;

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

class TcpPluginTest : public ::testing::Test {
 protected:
  TcpPluginTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "planner-tcp-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~TcpPluginTest() override { std::filesystem::remove_all(folder_); }

  absl::Time Deadline() { return base::Clock::Real().Now() + absl::Seconds(20); }

  std::filesystem::path folder_;
};

TEST_F(TcpPluginTest, CountsAndIsUnavailableWhenGone) {
  TcpPlugin plugin(ANALYTIC_PLUGIN);
  const plugin_host::RemoteCounter counter({.name = "far", .address = plugin.address()}, {}, base::Clock::Real(), nullptr);
  const model::ModelDescription model = Gpt2();
  EXPECT_TRUE(counter.Count({.model = model, .deadline = Deadline()}).ok());
  plugin.Stop();
  const model::ModelDescription next = Gpt2("", 1);
  EXPECT_FALSE(counter.Count({.model = next, .deadline = Deadline()}).ok());
  const model::ModelDescription other = Gpt2("", 2);
  EXPECT_TRUE(absl::IsUnavailable(counter.Count({.model = other, .deadline = Deadline()}).status()));
}

TEST_F(TcpPluginTest, GetsTheModelFileSent) {
  constexpr int64_t kBytes = 3'000'001;  // Several chunks and a rest.
  const std::string content(kBytes, 'm');
  std::ofstream(folder_ / "model.pt", std::ios::binary) << content;
  base::Sha256 digest;
  digest.Update(content);
  model::ModelDescription model{.kind = model::ModelKind::kModule};
  model::ModelSource source{.format = model::SourceFormat::kTorchScript,
                            .text = {},
                            .file = {.sha256 = digest.Finish(), .size_bytes = kBytes, .path = folder_ / "model.pt"}};
  model.source = std::make_shared<const model::ModelSource>(source);
  const TcpPlugin plugin(FAULTY_PLUGIN);
  const plugin_host::RemoteCounter counter({.name = "far", .address = plugin.address()}, {}, base::Clock::Real(), nullptr);
  const auto report = counter.Count({.model = model, .deadline = Deadline()});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->parameters, kBytes);
  // Once there, it need not be on this side any more.
  std::filesystem::remove(folder_ / "model.pt");
  EXPECT_TRUE(counter.Count({.model = model, .deadline = Deadline()}).ok());
  // What is not of its digest is not kept.
  std::ofstream(folder_ / "other.pt", std::ios::binary) << content;
  source.file.sha256 = std::string(64, 'a');
  source.file.path = folder_ / "other.pt";
  model.source = std::make_shared<const model::ModelSource>(source);
  const absl::Status status = counter.Count({.model = model, .deadline = Deadline()}).status();
  EXPECT_EQ(base::DetailOf(status).reason, "PLUGIN_FAILED") << status;
}

TEST_F(TcpPluginTest, MutualTlsLetsOnlyThoseInThatHaveACertificate) {
  const std::string key = folder_ / "key.pem";
  const std::string certificate = folder_ / "certificate.pem";
  const std::string make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=planner "
                           "-addext subjectAltName=IP:127.0.0.1 -keyout " + key + " -out " + certificate + " 2>/dev/null";
  ASSERT_EQ(std::system(make.c_str()), 0);
  const TcpPlugin plugin(ANALYTIC_PLUGIN, {"--ca_file", certificate, "--certificate_file", certificate, "--key_file", key});
  const model::ModelDescription model = Gpt2();
  plugin_host::PluginSpec spec{.name = "far", .address = plugin.address(), .ca_file = certificate, .certificate_file = certificate, .key_file = key};
  const plugin_host::RemoteCounter trusted(spec, {}, base::Clock::Real(), nullptr);
  const auto report = trusted.Count({.model = model, .deadline = Deadline()});
  EXPECT_TRUE(report.ok()) << report.status();
  const plugin_host::RemoteCounter stranger({.name = "far", .address = plugin.address()}, {.start_timeout = absl::Seconds(2)},
                                            base::Clock::Real(), nullptr);
  EXPECT_TRUE(absl::IsUnavailable(stranger.Count({.model = model, .deadline = Deadline()}).status()));
}

}  // namespace
}  // namespace planner::plugins_test
