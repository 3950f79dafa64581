#include "services/collector/source.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace planner::collector {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<Source> Made(const std::string& text) {
  config::v1::UtilizationSource proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto)) << text;
  return MakeSource("s", proto);
}

std::string WrongField(const std::string& text) {
  const auto source = Made(text);
  return source.ok() ? "" : base::DetailOf(source.status()).field;
}

std::vector<std::string> QueriesOf(const Source& source) {
  std::vector<std::string> queries;
  for (const Query& query : source.queries) queries.push_back(query.promql);
  return queries;
}

TEST(SourceTest, ThePresetAsksDcgmExporter) {
  const auto source = Made("cluster: 'clusters/main' url: 'http://prometheus.example.org:9090/' matchers: 'cluster=\"main\"'");
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ(source->cluster, "main");
  EXPECT_EQ(source->url, "http://prometheus.example.org:9090/api/v1/query");
  EXPECT_THAT(QueriesOf(*source),
              ElementsAre("DCGM_FI_DEV_GPU_UTIL{cluster=\"main\"}[120s]", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{cluster=\"main\"}[120s]",
                          "DCGM_FI_PROF_DRAM_ACTIVE{cluster=\"main\"}[120s]", "DCGM_FI_DEV_FB_USED{cluster=\"main\"}[120s]",
                          "DCGM_FI_DEV_POWER_USAGE{cluster=\"main\"}[120s]"));
  EXPECT_EQ(source->queries[0].scale, 0.01);
  EXPECT_EQ(source->queries[3].scale, 1048576);
  EXPECT_THAT(source->node_labels, ElementsAre("Hostname", "node", "nodename", "instance"));
  EXPECT_THAT(source->gpu_labels, ElementsAre("gpu", "UUID"));
  EXPECT_EQ(source->interval, absl::Seconds(30));
  EXPECT_EQ(source->request.timeout, absl::Seconds(10));
}

TEST(SourceTest, OwnQueriesReplaceThePresetsOfTheirQuantity) {
  const auto source = Made(
      "cluster: 'main' url: 'http://h' max_sample_age_seconds: 60 "
      "queries { quantity: BUSY promql: 'nvidia_smi_utilization_gpu_ratio' } queries { quantity: POWER promql: 'mw' unit: MILLIWATTS }");
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_THAT(QueriesOf(*source), ElementsAre("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{}[60s]", "DCGM_FI_PROF_DRAM_ACTIVE{}[60s]",
                                              "DCGM_FI_DEV_FB_USED{}[60s]", "nvidia_smi_utilization_gpu_ratio", "mw"));
  EXPECT_EQ(source->queries[3].scale, 1);
  EXPECT_EQ(source->queries[4].scale, 0.001);
  const auto alone = Made("cluster: 'main' url: 'http://h' preset: NONE queries { quantity: BUSY promql: 'b' unit: PERCENT }");
  ASSERT_TRUE(alone.ok());
  EXPECT_THAT(QueriesOf(*alone), ElementsAre("b"));
}

TEST(SourceTest, WhatIsWrongIsNamed) {
  const std::string good = "cluster: 'main' url: 'http://h' ";
  EXPECT_EQ(WrongField(good), "");
  EXPECT_EQ(WrongField("url: 'http://h'"), "s.cluster");
  for (const char* url : {"", "h:9090", "ftp://h", "file:///etc/passwd", "http://", "http:///x", "http://:9090", "http://u:p@h",
                          "http://h?x=1", "http://h#x", "http://h/a b", "http://h\\\\x"}) {
    EXPECT_EQ(WrongField(std::string("cluster: 'main' url: '") + url + "'"), "s.url") << url;
  }
  EXPECT_EQ(WrongField(good + "interval_milliseconds: 99"), "s.interval_milliseconds");
  EXPECT_EQ(WrongField(good + "timeout_milliseconds: 0"), "s.timeout_milliseconds");
  EXPECT_EQ(WrongField(good + "connect_timeout_milliseconds: 60001"), "s.connect_timeout_milliseconds");
  EXPECT_EQ(WrongField(good + "max_answer_bytes: 1"), "s.max_answer_bytes");
  EXPECT_EQ(WrongField(good + "max_sample_age_seconds: 90000"), "s.max_sample_age_seconds");
  EXPECT_EQ(WrongField(good + "preset: NONE"), "s.queries");
  EXPECT_EQ(WrongField(good + "queries { promql: 'x' }"), "s.queries[0].quantity");
  EXPECT_EQ(WrongField(good + "queries { quantity: BUSY }"), "s.queries[0].promql");
  EXPECT_EQ(WrongField(good + "queries { quantity: BUSY promql: 'x' unit: WATTS }"), "s.queries[0].unit");
  EXPECT_EQ(WrongField(good + "gpu_labels: ''"), "s.gpu_labels");
  const std::string secure = "cluster: 'main' url: 'https://h' ";
  EXPECT_EQ(WrongField(secure + "username: 'u'"), "s.username");
  EXPECT_EQ(WrongField(secure + "username: 'u:v' password_file: 'f'"), "s.username");
  EXPECT_EQ(WrongField(secure + "username: 'u' password_file: 'f' bearer_token_file: 'f'"), "s.username");
  EXPECT_EQ(WrongField(good + "certificate_file: 'f'"), "s.certificate_file");
}

TEST(SourceTest, SecretsAreSentToLoopbackOrEncrypted) {
  const auto wrong = [](const std::string& url) { return WrongField("cluster: 'main' bearer_token_file: 'f' url: '" + url + "'"); };
  EXPECT_EQ(wrong("http://prometheus.example.org"), "s.url");
  EXPECT_EQ(wrong("http://localhost.example.org"), "s.url");
  EXPECT_EQ(wrong("http://127.0.0.1.example.org"), "s.url");
  for (const char* url : {"https://prometheus.example.org", "http://localhost:9090", "http://127.0.0.1:9090/x", "http://[::1]:9090"}) {
    EXPECT_EQ(wrong(url), "") << url;
  }
}

TEST(SourceTest, ASecretIsOneLine) {
  std::string folder = (std::filesystem::temp_directory_path() / "planner-secret-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string file = folder + "/token";
  const auto read = [&](const std::string& text) {
    std::ofstream(file) << text;
    return ReadSecret(file);
  };
  EXPECT_EQ(*read("  abc \n"), "abc");
  for (const std::string& text : {std::string(), std::string(" \n"), std::string("a\nInjected: b"), std::string(100'000, 'x')}) {
    const absl::Status status = read(text).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(file));
    EXPECT_EQ(std::string(status.message()).find("Injected"), std::string::npos);
  }
  EXPECT_FALSE(ReadSecret(folder).ok());
  EXPECT_FALSE(ReadSecret(folder + "/none").ok());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace planner::collector
