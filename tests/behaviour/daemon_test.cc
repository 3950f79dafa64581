#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "planner/v1/cluster_service.grpc.pb.h"
#include "planner/v1/estimation_service.grpc.pb.h"
#include "tests/behaviour/daemon_process.h"
#include "tests/behaviour/scratch_folder.h"

namespace planner::behaviour {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

/// What only a plannerd of its own process has: flags, files, ports, signals, logs.
class DaemonTest : public ::testing::Test {
 protected:
  std::vector<std::string> Flags(std::vector<std::string> more = {}) const {
    std::vector<std::string> flags = {"--metrics_listen", metrics_listen_, "--state_dir", folder_ / "state"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }
  std::vector<std::string> OnAFreePort(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"--listen", "127.0.0.1:0"});
    return Flags(more);
  }
  static grpc::Status Ping(const std::string& address) {
    v1::EstimationService::Stub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    v1::VersionInfo version;
    return stub.GetVersion(&context, v1::GetVersionRequest(), &version);
  }

  ScratchFolder folder_;
  std::string metrics_listen_ = "off";  ///< The HTTP server takes two seconds to stop.
};

TEST_F(DaemonTest, LogsEveryAddressAndAnswersThere) {
  const std::string socket = "unix:" + (folder_ / "plannerd.sock");
  const DaemonProcess daemon(OnAFreePort({"--listen", socket}));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const std::vector<std::string> addresses = daemon.Addresses("grpc");
  ASSERT_THAT(addresses, SizeIs(2));
  EXPECT_THAT(addresses[0], MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));
  EXPECT_EQ(addresses[1], socket);
  for (const std::string& address : addresses) EXPECT_TRUE(Ping(address).ok()) << address;
  EXPECT_THAT(daemon.output(), MatchesRegex("ts=[-0-9T:.]+Z level=info event=listening(.|\n)*"));
}

TEST_F(DaemonTest, SocketFilesAreTheOwnersAlone) {
  const std::string socket = folder_ / "plannerd.sock";
  const DaemonProcess daemon(Flags({"--listen", "unix:" + socket}));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  struct stat status {};
  ASSERT_EQ(stat(socket.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & (S_IRWXG | S_IRWXO), 0u);
}

TEST_F(DaemonTest, AStaleSocketFileIsReplacedAndALiveOneIsNot) {
  const std::string socket = "unix:" + (folder_ / "p.sock");
  { const DaemonProcess killed(Flags({"--listen", socket})); }
  ASSERT_TRUE(std::filesystem::exists(folder_ / "p.sock"));
  const DaemonProcess daemon(Flags({"--listen", socket}));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  DaemonProcess second({"--metrics_listen", "off", "--state_dir", folder_ / "other", "--listen", socket});
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_THAT(second.output(), HasSubstr("in use"));
  EXPECT_TRUE(Ping(socket).ok());
}

TEST_F(DaemonTest, ASocketsFolderIsNotMadeUp) {
  DaemonProcess daemon(Flags({"--listen", "unix:" + (folder_ / "nope/p.sock")}));
  EXPECT_NE(daemon.Wait(), 0);
  EXPECT_THAT(daemon.output(), HasSubstr("the socket's folder does not exist"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "nope"));
}

TEST_F(DaemonTest, OneDaemonAStateFolder) {
  const DaemonProcess first(OnAFreePort());
  ASSERT_TRUE(first.ready()) << first.output();
  DaemonProcess second(OnAFreePort());
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_THAT(second.output(), HasSubstr("another plannerd runs on it"));
  EXPECT_TRUE(Ping(first.Addresses("grpc").at(0)).ok());
}

TEST_F(DaemonTest, AFileThatIsNoSocketIsLeftAlone) {
  const std::string file = folder_.Write("precious", "data");
  DaemonProcess daemon(Flags({"--listen", "unix:" + file}));
  EXPECT_EQ(daemon.Wait(), 1);
  EXPECT_EQ(std::filesystem::file_size(file), 4u);
}

TEST_F(DaemonTest, SigtermDrainsAndExitsWithZero) {
  DaemonProcess daemon(Flags({"--listen", "unix:" + (folder_ / "p.sock")}));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  daemon.Terminate();
  EXPECT_EQ(daemon.Wait(), 0);
  EXPECT_THAT(daemon.output(), HasSubstr("event=draining signal=SIGTERM"));
  EXPECT_THAT(daemon.output(), HasSubstr("event=stopped"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "p.sock"));
}

TEST_F(DaemonTest, MetricsHaveTheContractsNames) {
  metrics_listen_ = "127.0.0.1:0";
  const std::string config = folder_.Write(
      "c.textproto", "clusters { name: 'main' node_pools { gpu_type: 'h100' node_count: 4 gpus_per_node: 8 } }");
  const DaemonProcess daemon(OnAFreePort({"--config", config}));
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  ASSERT_TRUE(Ping(daemon.Addresses("grpc").at(0)).ok());
  const std::string metrics = HttpGet(daemon.Addresses("metrics").at(0), "/metrics");
  for (const char* line : {
           R"(planner_rpc_requests_total{code="OK",method="EstimationService/GetVersion"} 1)",
           R"(planner_rpc_duration_seconds_count{method="EstimationService/GetVersion"} 1)",
           R"(planner_count_duration_seconds_count{counter="analytic"} 0)",
           R"(planner_plugin_up{counter="analytic"} 1)",
           R"(planner_cluster_gpus{cluster="main",gpu_type="H100-SXM-80GB",state="total"} 32)",
           R"(planner_build_info{version=")",
       }) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
  // The path itself, and nothing that begins like it.
  EXPECT_THAT(metrics, HasSubstr(" 200 OK"));
  for (const char* path : {"/", "/metricsx", "/metrics/x", "/metric"}) {
    EXPECT_THAT(HttpGet(daemon.Addresses("metrics").at(0), path), HasSubstr(" 404 ")) << path;
  }
}

TEST_F(DaemonTest, CallsAreLoggedWithTheirRequestId) {
  DaemonProcess daemon(OnAFreePort());
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  {
    // Ends before the daemon: an idle client notices a server's farewell only seconds later, and the daemon waits for it.
    v1::EstimationService::Stub stub(
        grpc::CreateChannel(daemon.Addresses("grpc").at(0), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    context.AddMetadata("x-request-id", "job 17");
    v1::ModelInfo model;
    v1::GetModelRequest request;
    request.set_name("nope");
    EXPECT_FALSE(stub.GetModel(&context, request, &model).ok());
  }
  daemon.Terminate();
  EXPECT_EQ(daemon.Wait(), 0);
  EXPECT_THAT(
      daemon.output(),
      HasSubstr(
          R"(event=rpc method=EstimationService/GetModel code=NOT_FOUND request_id="job 17" duration_seconds=0.)"));
}

TEST_F(DaemonTest, ALogThatNobodyReadsHoldsUpNothing) {
  DaemonProcess daemon(OnAFreePort());
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  // More than a pipe takes; what it does not take comes when it is read.
  constexpr int kCalls = 1'500;
  int answered = 0;
  {
    v1::EstimationService::Stub stub(grpc::CreateChannel(daemon.Addresses("grpc").at(0), grpc::InsecureChannelCredentials()));
    for (int i = 0; i < kCalls; ++i) {
      grpc::ClientContext context;
      v1::VersionInfo version;
      answered += stub.GetVersion(&context, v1::GetVersionRequest(), &version).ok() ? 1 : 0;
    }
  }
  EXPECT_EQ(answered, kCalls);
  daemon.Terminate();
  EXPECT_EQ(daemon.Wait(), 0);
  EXPECT_GT(daemon.output().size(), size_t{1} << 17);
  EXPECT_THAT(daemon.output(), HasSubstr("event=stopped"));
  EXPECT_THAT(daemon.output(), Not(HasSubstr("event=log_lines_lost")));
}

TEST_F(DaemonTest, ClustersOfTheConfigurationAreCreatedOnce) {
  const std::string config = folder_.Write("c.textproto", "clusters { name: 'main' description: 'from the file' }");
  const auto describe = [](const std::string& address, const std::string& description) {
    v1::ClusterService::Stub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    v1::UpdateClusterRequest request;
    request.mutable_cluster()->set_name("main");
    if (!description.empty()) request.mutable_cluster()->set_description(description);
    request.mutable_update_mask()->add_paths(description.empty() ? "currency" : "description");
    grpc::ClientContext context;
    v1::Cluster cluster;
    EXPECT_TRUE(stub.UpdateCluster(&context, request, &cluster).ok());
    return cluster.description();
  };
  {
    const DaemonProcess first(OnAFreePort({"--config", config}));
    ASSERT_TRUE(first.ready()) << first.output();
    EXPECT_EQ(describe(first.Addresses("grpc").at(0), ""), "from the file");
    EXPECT_EQ(describe(first.Addresses("grpc").at(0), "changed"), "changed");
  }
  const DaemonProcess second(OnAFreePort({"--config", config}));
  ASSERT_TRUE(second.ready()) << second.output();
  EXPECT_EQ(describe(second.Addresses("grpc").at(0), ""), "changed");
}

TEST_F(DaemonTest, APortInUseIsOneClearLine) {
  metrics_listen_ = "127.0.0.1:0";
  const DaemonProcess first(OnAFreePort());
  ASSERT_TRUE(first.ready()) << first.output();
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--listen", first.Addresses("grpc").at(0), "--state_dir", folder_ / "other",
                                 "--metrics_listen", "127.0.0.1:0"},
        std::vector<std::string>{"--listen", "127.0.0.1:0", "--state_dir", folder_ / "other", "--metrics_listen",
                                 first.Addresses("metrics").at(0)}}) {
    DaemonProcess second(flags);
    EXPECT_EQ(second.Wait(), 1);
    EXPECT_THAT(second.output(),
                MatchesRegex("plannerd: error: (metrics_)?listen: cannot be bound: address=[0-9.:]+\n"));
  }
}

TEST_F(DaemonTest, AStateFolderThatCannotBeIsOneClearLine) {
  const std::string file = folder_.Write("state", "a file where the folder should be");
  DaemonProcess daemon(OnAFreePort());
  EXPECT_EQ(daemon.Wait(), 1);
  EXPECT_THAT(daemon.output(), MatchesRegex("plannerd: error: state_dir: [^\n]+\n"));
}

TEST_F(DaemonTest, WrongFlagsAndConfigurationsExitWithTwo) {
  const std::string unknown = folder_.Write("unknown.textproto", "\n\nlisen: '127.0.0.1:0'\n");
  const std::string type =
      folder_.Write("type.textproto", "clusters { name: 'a' node_pools { gpu_type: 'h1000' node_count: 1 } }");
  struct Case {
    std::vector<std::string> flags;
    std::string message;
  };
  for (const Case& wrong :
       std::vector<Case>{{{"--nonsense"}, "nonsense"},
                         {{"--listen", "nowhere"}, "listen: must be HOST:PORT"},
                         {{"--config", folder_ / "missing"}, "cannot be read"},
                         {{"--config", unknown}, "unknown.textproto:3:"},
                         {{"--config", type, "--check_config"}, "clusters[0].node_pools[0].gpu_type"}}) {
    DaemonProcess daemon(Flags(wrong.flags));
    EXPECT_EQ(daemon.Wait(), 2) << wrong.message;
    EXPECT_THAT(daemon.output(), HasSubstr(wrong.message));
  }
}

TEST_F(DaemonTest, CheckConfigSaysOkAndTouchesNothing) {
  const std::string config = folder_.Write("c.textproto", "clusters { name: 'main' }");
  DaemonProcess daemon(Flags({"--config", config, "--check_config"}));
  EXPECT_EQ(daemon.Wait(), 0);
  EXPECT_EQ(daemon.output(), "ok\n");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state"));
}

TEST_F(DaemonTest, VersionAndHelp) {
  DaemonProcess version({"--version"});
  EXPECT_EQ(version.Wait(), 0);
  EXPECT_THAT(version.output(), MatchesRegex("plannerd [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  DaemonProcess help({"--help"});
  EXPECT_EQ(help.Wait(), 0);
  EXPECT_THAT(help.output(), HasSubstr("--metrics_listen"));
}

TEST_F(DaemonTest, ARequestBeyondTheLimitIsRefused) {
  const DaemonProcess daemon(OnAFreePort());
  ASSERT_TRUE(daemon.ready()) << daemon.output();
  const std::string address = daemon.Addresses("grpc").at(0);
  v1::EstimationService::Stub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::CountRequest request;
  request.mutable_model()->set_hugging_face_config(std::string(size_t{17} << 20, ' '));
  v1::CountResponse response;
  EXPECT_EQ(stub.Count(&context, request, &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Ping(address).ok());
}

}  // namespace
}  // namespace planner::behaviour
