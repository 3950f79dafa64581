// The whole planner over plugins: what its API and its programs make of them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/async_unary_call.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <prometheus/collectable.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/base/clock.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "services/app/app.h"
#include "services/telemetry/page.h"
#include "services/app/daemon.h"
#include "services/telemetry/log.h"

namespace planner::plugins_test {
namespace {

using ::testing::HasSubstr;

class PlannerWithPlugins : public ::testing::Test {
 protected:
  PlannerWithPlugins() {
    app::AppOptions options;
    options.plugin_folder = "";
    config::v1::CounterPlugin& good = options.counter_plugins.emplace_back();
    good.set_name("good");
    good.mutable_command()->set_program(ANALYTIC_PLUGIN);
    config::v1::CounterPlugin& gone = options.counter_plugins.emplace_back();
    gone.set_name("gone");
    gone.mutable_command()->set_program("/no/such/program");
    auto made = app::App::Create(std::move(options));
    EXPECT_TRUE(made.ok()) << made.status();
    app_ = *std::move(made);
    stub_ = v1::EstimationService::NewStub(app_->InProcessChannel());
  }

  grpc::Status Count(const std::string& counter, v1::CountResponse& response) {
    grpc::ClientContext context;
    v1::CountRequest request;
    request.mutable_model()->set_preset("gpt2");
    request.set_counter(counter);
    return stub_->Count(&context, request, &response);
  }

  std::unique_ptr<app::App> app_;
  std::unique_ptr<v1::EstimationService::Stub> stub_;
};

TEST_F(PlannerWithPlugins, TheNamedCounterCounts) {
  v1::CountResponse ours, theirs;
  ASSERT_TRUE(Count("", ours).ok());
  const grpc::Status status = Count("good", theirs);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ours.provenance().counter(), "analytic");
  EXPECT_EQ(theirs.provenance().counter(), "good");
  EXPECT_EQ(theirs.forward().macs(), ours.forward().macs());
  EXPECT_EQ(theirs.modules_size(), ours.modules_size());
}

TEST_F(PlannerWithPlugins, OneThatIsGoneCostsOnlyItsOwnCalls) {
  v1::CountResponse response;
  EXPECT_EQ(Count("gone", response).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Count("unheard-of", response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(Count("", response).ok());
}

TEST_F(PlannerWithPlugins, AllAreListedAndMeasured) {
  grpc::ClientContext context;
  v1::ListCountersResponse counters;
  ASSERT_TRUE(stub_->ListCounters(&context, v1::ListCountersRequest(), &counters).ok());
  ASSERT_EQ(counters.counters_size(), 3);
  EXPECT_EQ(counters.counters(0).name(), "analytic");
  EXPECT_EQ(counters.counters(1).name(), "good");
  EXPECT_EQ(counters.counters(1).version(), "1");
  EXPECT_THAT(counters.counters(2).detail(), HasSubstr("cannot be started"));
  telemetry::Page page;
  app_->metrics()->Write(page);
  const std::string& text = page.text();
  for (const char* name : {"analytic", "good", "gone"}) {
    EXPECT_THAT(text, HasSubstr(std::string("planner_plugin_up{counter=\"") + name + "\"}"));
    EXPECT_THAT(text, HasSubstr(std::string("planner_count_duration_seconds_count{counter=\"") + name + "\"}"));
  }
}

/// A daemon in this process over the faulty plugin, which counts one model at once, and a count of it without end.
class CountWithoutEnd : public ::testing::Test {
 protected:
  CountWithoutEnd() {
    app::AppOptions options;
    options.plugin_folder = "";
    config::v1::CounterPlugin& faulty = options.counter_plugins.emplace_back();
    faulty.set_name("faulty");
    faulty.mutable_command()->set_program(FAULTY_PLUGIN);
    auto made = app::App::Create(std::move(options));
    EXPECT_TRUE(made.ok()) << made.status();
    app_ = *std::move(made);
    std::string pattern = (std::filesystem::temp_directory_path() / "planner-programs-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    config::Settings settings;
    settings.listen.emplace_back().unix_path = (folder_ / "p.sock").string();
    auto daemon = app::Daemon::Start(*app_, settings, base::Clock::Real(), log_);
    EXPECT_TRUE(daemon.ok()) << daemon.status();
    daemon_ = *std::move(daemon);
    stub_ = v1::EstimationService::NewStub(
        grpc::CreateChannel("unix:" + (folder_ / "p.sock").string(), grpc::InsecureChannelCredentials()));
    EXPECT_TRUE(Count(absl::Seconds(30)).ok());  // The plugin is up.
    endless_context_.set_deadline(absl::ToChronoTime(base::Clock::Real().Now() + absl::Seconds(29)));
    reader_ = stub_->AsyncCount(&endless_context_, Request("wait"), &queue_);
    reader_->Finish(&endless_response_, &endless_status_, this);
    // It is at work when others find no place.
    const absl::Time end = base::Clock::Real().Now() + absl::Seconds(20);
    while (Count(absl::Milliseconds(500)).ok() && base::Clock::Real().Now() < end) {
    }
  }
  ~CountWithoutEnd() override {
    queue_.Shutdown();
    daemon_.reset();
    app_.reset();
    std::filesystem::remove_all(folder_);
  }

  static v1::CountRequest Request(const std::string& mode) {
    v1::CountRequest request;
    request.mutable_model()->set_hugging_face_config(
        R"({"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 8, "n_positions": 16, "mode": ")" +
        mode + "\"}");
    request.set_counter("faulty");
    return request;
  }
  grpc::Status Count(absl::Duration allowed) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(base::Clock::Real().Now() + allowed));
    v1::CountResponse response;
    return stub_->Count(&context, Request(""), &response);
  }
  grpc::Status AwaitEndless() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok));
    return endless_status_;
  }

  telemetry::Log log_{base::Clock::Real()};
  std::filesystem::path folder_;
  std::unique_ptr<app::App> app_;
  std::unique_ptr<app::Daemon> daemon_;
  std::unique_ptr<v1::EstimationService::Stub> stub_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext endless_context_;
  grpc::Status endless_status_;
  v1::CountResponse endless_response_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::CountResponse>> reader_;
};

TEST_F(CountWithoutEnd, FreesItsPlaceWhenItsClientGoes) {
  const absl::Time start = base::Clock::Real().Now();
  endless_context_.TryCancel();
  EXPECT_EQ(AwaitEndless().error_code(), grpc::StatusCode::CANCELLED);
  const grpc::Status status = Count(absl::Seconds(20));
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_LT(base::Clock::Real().Now() - start, absl::Seconds(1));
}

TEST_F(CountWithoutEnd, IsCancelledByTheEndOfTheDaemon) {
  const absl::Time start = base::Clock::Real().Now();
  daemon_->Drain(absl::Milliseconds(200));
  EXPECT_LT(base::Clock::Real().Now() - start, absl::Seconds(3));
  const grpc::Status status = AwaitEndless();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("the daemon ends"));
}

TEST(AppTest, AWrongPluginIsAWrongConfiguration) {
  app::AppOptions options;
  config::v1::CounterPlugin& plugin = options.counter_plugins.emplace_back();
  plugin.set_name("far");
  plugin.set_address("example.org:1");
  const absl::Status status = app::App::Create(std::move(options)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("counter_plugins[0].address"));
}

/// plannerctl beside a plugin that hangs in its count, killed without a chance to tidy up: the plugin's stream, which is a pipe of
/// this test's that every process of theirs holds open, ends.
TEST(PlannerctlTest, KilledItLeavesNoPluginBehind) {
  std::string pattern = (std::filesystem::temp_directory_path() / "planner-programs-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  std::filesystem::create_directories(folder / "plugins");
  std::filesystem::copy_file(PLANNERCTL_PATH, folder / "plannerctl");
  // The plugin tells that it runs by a byte in the fifo, and that it does not any more by its end.
  ASSERT_EQ(mkfifo((folder / "alive").c_str(), 0600), 0);
  std::ofstream(folder / "plugins" / "planner-counter-slow") << "#!/bin/sh\nexec 9>" << (folder / "alive").string() << "\necho >&9\nexec " << FAULTY_PLUGIN << "\n";
  std::filesystem::permissions(folder / "plugins" / "planner-counter-slow", std::filesystem::perms::owner_all);
  std::ofstream(folder / "config.json") << R"({"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 8, "n_positions": 16, "mode": "hang"})";
  std::array<std::string, 10> words = {folder / "plannerctl", "count", "--model", folder / "config.json", "--counter", "slow",
                                      "--state-dir", folder / "state", "--timeout", "60s"};
  std::array<char*, 11> arguments = {};
  for (size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  setenv("TMPDIR", folder.c_str(), 1);
  pid_t pid = -1;
  ASSERT_EQ(posix_spawn(&pid, words[0].c_str(), nullptr, nullptr, arguments.data(), environ), 0);
  unsetenv("TMPDIR");
  const int alive = open((folder / "alive").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ASSERT_GE(alive, 0);
  pollfd stream = {alive, POLLIN, 0};
  constexpr int kMilliseconds = 20'000;
  ASSERT_EQ(poll(&stream, 1, kMilliseconds), 1) << "the plugin was not started";
  std::array<char, 2> byte = {};
  ASSERT_EQ(read(alive, byte.data(), byte.size()), 1);
  kill(pid, SIGKILL);
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  ASSERT_EQ(poll(&stream, 1, kMilliseconds), 1) << "the plugin lives on";
  EXPECT_EQ(read(alive, byte.data(), byte.size()), 0);
  close(alive);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("planner-plugin-")) << entry.path();
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace planner::plugins_test
