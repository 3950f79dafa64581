#include "clients/plannerctl/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "clients/plannerctl/fake_planner.h"

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(RunTest, FlagsTakeUnderscoresAndStandAnywhere) {
  EXPECT_EQ(Run({"--state_dir", "/a_b", "estimate", "--model=gpt2", "--global_batch=8", "--micro_batch", "2",
                 "--no_headers", "-o", "json"}),
            0)
      << err();
  EXPECT_EQ(connected_state_dir_, "/a_b");
  EXPECT_EQ(estimation_.estimate_request.training().global_batch(), 8);
  EXPECT_EQ(estimation_.estimate_request.layout().micro_batch_size(), 2);
  EXPECT_THAT(out(), StartsWith("{"));
  EXPECT_EQ(Run({"-o", "yaml", "estimate", "--model", "gpt2"}), 0);
  EXPECT_EQ(YAML::Load(out())["model"].as<std::string>(), "gpt2");
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "-o=json"}), 0) << err();  // As kubectl takes it.
  EXPECT_THAT(out(), StartsWith("{"));
}

TEST_F(RunTest, ServerComesFromFlagThenEnvironment) {
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_EQ(connected_server_, "");
  variables_["PLANNER_SERVER"] = "unix:/p.sock";
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_EQ(connected_server_, "unix:/p.sock");
  EXPECT_EQ(Run({"version", "--server", "h:1"}), 0);
  EXPECT_EQ(connected_server_, "h:1");
  EXPECT_EQ(Run({"version", "--state-dir", "d"}), 0);
  EXPECT_EQ(connected_server_, "");
  EXPECT_EQ(Run({"version", "--state-dir", "d", "--server", "h:1"}), 0);
  EXPECT_THAT(err(), HasSubstr("warning: --state-dir is ignored"));
}

TEST_F(RunTest, UsageErrorsExitWith2AndTouchNothing) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"nonsense"},
      {"validate"},
      {"estimate"},
      {"estimate", "--model", ""},
      {"estimate", "--model", "gpt2", "--nonsense"},
      {"estimate", "--model", "gpt2", "--tokens", "many"},
      {"estimate", "--model", "gpt2", "--tokens", "nan"},
      {"estimate", "--model", "gpt2", "--tokens", ""},
      {"estimate", "--model", "gpt2", "--tokens"},
      {"estimate", "--model", "gpt2", "--gpus", "8-"},
      {"estimate", "--model", "gpt2", "--deadline", "30"},
      {"estimate", "--model", "gpt2", "--goal", "best"},
      {"estimate", "--model", "gpt2", "--tp", "2.5"},
      {"estimate", "--model", "gpt2", "--mfu", "0.4", "--utilization", "0.4"},
      {"estimate", "--model", "./nowhere.json"},
      {"count", "--model", "gpt2", "--mode", "both"},
      {"count", "--model", "gpt2", "--input", "1xx2"},
      {"count", "--model", "gpt2", "--depth", "5B"},
      {"count", "gpt2"},
      {"gpu"},
      {"gpu", "get"},
      {"gpu", "drop"},
      {"plan", "watch"},
      {"cluster", "apply"},
      {"cluster", "apply", "-f", "/nowhere.yaml"},
      {"-o", "xml", "version"},
      {"--timeout", "soon", "version"},
      {"estimate", "count", "--model", "gpt2"},
  };
  for (const auto& arguments : wrong) {
    EXPECT_EQ(Run(arguments), 2) << ::testing::PrintToString(arguments) << err();
    EXPECT_EQ(out(), "") << ::testing::PrintToString(arguments);
    EXPECT_THAT(err(), StartsWith("plannerctl: error: "));
  }
  EXPECT_EQ(connected_server_, "never");
}

TEST_F(RunTest, TheWordThatIsNotKnownIsNamed) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"divine"}, "divine"},
      {{"gpu", "drop"}, "drop"},
      {{"estimate", "--modle", "gpt2"}, "--modle"},
      {{"estimate", "--model", "gpt2", "--bogus", "1"}, "--bogus"},
  };
  for (const auto& [arguments, unknown] : cases) {
    EXPECT_EQ(Run(arguments), 2);
    EXPECT_THAT(err(), StartsWith("plannerctl: error: \"" + unknown + "\" is no command or flag here"));
  }
}

TEST_F(RunTest, ServersErrorsHaveTheirExitCodes) {
  const std::vector<std::pair<grpc::Status, int>> cases = {
      {{grpc::StatusCode::INVALID_ARGUMENT, "data_set.token_count: must be above 0"}, 2},
      {{grpc::StatusCode::NOT_FOUND, "model.preset: no model is named \"x\""}, 2},
      {{grpc::StatusCode::OUT_OF_RANGE, "macs do not fit 64 bits"}, 2},
      {{grpc::StatusCode::UNAVAILABLE, "down"}, 4},
      {{grpc::StatusCode::DEADLINE_EXCEEDED, "late"}, 4},
      {{grpc::StatusCode::INTERNAL, "broken"}, 1},
      {{grpc::StatusCode::RESOURCE_EXHAUSTED, "busy"}, 1},
      {{grpc::StatusCode::UNIMPLEMENTED, "old server"}, 1},
  };
  for (const auto& [status, exit_code] : cases) {
    estimation_.status = status;
    EXPECT_EQ(Run({"estimate", "--model", "gpt2"}), exit_code) << status.error_message();
    EXPECT_EQ(out(), "");
    EXPECT_THAT(err(), StartsWith("plannerctl: error: "));
  }
}

TEST_F(RunTest, ErrorsNameTheFlagOfTheField) {
  estimation_.status = {grpc::StatusCode::INVALID_ARGUMENT, "data_set.token_count: must be above 0: token_count=-5"};
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--tokens", "-5"}), 2);
  EXPECT_EQ(err(), "plannerctl: error: --tokens: must be above 0: token_count=-5\n");
  EXPECT_EQ(estimation_.estimate_request.data_set().token_count(), -5);
  estimation_.status = {grpc::StatusCode::INVALID_ARGUMENT, "model.layer_graph.layers[3]: is cyclic"};
  EXPECT_EQ(Run({"count", "--model", "gpt2"}), 2);
  EXPECT_EQ(err(), "plannerctl: error: --model: model.layer_graph.layers[3]: is cyclic\n");
}

TEST_F(RunTest, UnreachableServersAreNamed) {
  estimation_.status = {grpc::StatusCode::UNAVAILABLE, "refused"};
  int waits = 0;
  while_waiting_ = [&] { ++waits; };
  EXPECT_EQ(Run({"--server", "h:1", "estimate", "--model", "gpt2"}), 4);
  EXPECT_EQ(waits, 2) << "tried three times";
  EXPECT_EQ(err(), "plannerctl: error: the server at h:1 cannot be reached: refused\n");
  connect_status_ = absl::InvalidArgumentError("server: has no port");
  EXPECT_EQ(Run({"--server", "h", "estimate", "--model", "gpt2"}), 2);
}

TEST_F(RunTest, AServerThatComesBackWhileTheClientWaitsIsAskedAgain) {
  estimation_.status = {grpc::StatusCode::UNAVAILABLE, "restarting"};
  while_waiting_ = [&] { estimation_.status = grpc::Status::OK; };
  EXPECT_EQ(Run({"--server", "h:1", "estimate", "--model", "gpt2"}), 0) << err();
}

TEST_F(RunTest, TlsFilesAreFlagsOrVariables) {
  variables_["PLANNER_TLS_CA"] = "ca.pem";
  variables_["PLANNER_TLS_KEY"] = "not this";
  EXPECT_EQ(Run({"--server", "h:1", "--tls-cert", "own.pem", "--tls-key", "own.key", "estimate", "--model", "gpt2"}), 0) << err();
  EXPECT_EQ(connected_tls_.ca, "ca.pem");
  EXPECT_EQ(connected_tls_.certificate, "own.pem");
  EXPECT_EQ(connected_tls_.key, "own.key");
}

TEST_F(RunTest, WarningsGoToTheErrorStreamUnlessQuiet) {
  estimation_.estimate.add_warnings("seq_len is ignored\033[31m");
  EXPECT_EQ(Run({"estimate", "--model", "gpt2"}), 0);
  EXPECT_EQ(err(), "plannerctl: warning: seq_len is ignored?[31m\n");
  EXPECT_THAT(out(), Not(HasSubstr("ignored")));
  EXPECT_EQ(Run({"estimate", "--model", "gpt2", "--quiet"}), 0);
  EXPECT_EQ(err(), "");
}

TEST_F(RunTest, VersionShowsTheClientEvenWithoutAServer) {
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_THAT(out(), HasSubstr("Server  9.8.7 (in this process)"));
  EXPECT_EQ(Run({"version", "-o", "json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out())["server"]["version"], "9.8.7");
  estimation_.status = {grpc::StatusCode::UNAVAILABLE, "down"};
  EXPECT_EQ(Run({"version"}), 4);
  EXPECT_THAT(out(), StartsWith("Client  "));
  EXPECT_EQ(Run({"--version"}), 0);
  EXPECT_THAT(out(), StartsWith("plannerctl "));
}

TEST_F(RunTest, HelpIsAnAnswer) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("estimate"));
  EXPECT_EQ(Run({"estimate", "--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("--sequence-parallel"));
  EXPECT_EQ(err(), "");
}

TEST_F(RunTest, CompletionKnowsCommandsAndFlags) {
  EXPECT_EQ(Run({"completion", "bash"}), 0);
  EXPECT_THAT(out(), HasSubstr("'plan create') words='"));
  EXPECT_THAT(out(), HasSubstr("--global-batch "));
  EXPECT_THAT(out(), HasSubstr("complete -o default -F _plannerctl plannerctl"));
  EXPECT_EQ(connected_server_, "never");
}

TEST_F(RunTest, AnAnswerThatCannotBeWrittenIsAFailure) {
  out_.setstate(std::ios::badbit);
  EXPECT_EQ(Run({"version"}), 1);
  EXPECT_THAT(err(), HasSubstr("cannot be written"));
}

TEST_F(RunTest, AReaderThatHasSeenEnoughIsNoError) {
  reader_left_ = true;
  out_.setstate(std::ios::badbit);
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_EQ(err(), "");
}

}  // namespace
}  // namespace planner::plannerctl
