#include "services/collector/prometheus_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace planner::collector {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::vector<std::string> kLabels = {"Hostname", "gpu"};

std::vector<Series> Parsed(const std::string& body) {
  const auto series = ParseAnswer(body, kLabels);
  EXPECT_TRUE(series.ok()) << series.status();
  return series.ok() ? *series : std::vector<Series>();
}

absl::Status ErrorOf(const std::string& body) { return ParseAnswer(body, kLabels).status(); }

std::string Of(const std::string& type, const std::string& result) {
  return R"({"status":"success","data":{"resultType":")" + type + R"(","result":)" + result + "}}";
}

TEST(PrometheusAnswerTest, ReadsAVector) {
  const auto series = Parsed(Of("vector", R"([{"metric":{"__name__":"x","gpu":"3","Hostname":"n1","pod":"p"},"value":[1767225600.5,"0.25"]},
                                              {"metric":{},"value":[1767225600,"NaN"]}])"));
  ASSERT_THAT(series, SizeIs(2));
  EXPECT_THAT(series[0].labels, ElementsAre("n1", "3"));
  EXPECT_EQ(series[0].time, absl::FromUnixMillis(1767225600500));
  EXPECT_EQ(series[0].value, 0.25);
  EXPECT_THAT(series[1].labels, ElementsAre("", ""));
  EXPECT_TRUE(std::isnan(series[1].value));
}

TEST(PrometheusAnswerTest, TakesTheNewestSampleOfARange) {
  const auto series = Parsed(Of("matrix", R"([{"metric":{"gpu":"0"},"values":[[10,"1"],[30.125,"+Inf"],[20,"2"]]}])"));
  ASSERT_THAT(series, SizeIs(1));
  EXPECT_EQ(series[0].time, absl::FromUnixMillis(30125));
  EXPECT_EQ(series[0].value, HUGE_VAL);
}

TEST(PrometheusAnswerTest, PassesOverWhatItDoesNotKnow) {
  // Histograms, warnings, statistics; keys in another order; a label called like a key.
  EXPECT_THAT(Parsed(Of("vector", "[]")), IsEmpty());
  EXPECT_THAT(Parsed(Of("vector", R"([{"metric":{"gpu":"0"},"histogram":[10,{"count":"1","buckets":[[0,"1","2","3"]]}]}])")), IsEmpty());
  const auto series =
      Parsed(R"({"warnings":["x",{"result":[1]}],"data":{"stats":{"result":[{"value":[1]}]},"resultType":"vector",)"
             R"("result":[{"value":[5,"6"],"metric":{"value":"8","gpu":"7"},"extra":[[[]]]}]},"status":"success","infos":null})");
  ASSERT_THAT(series, SizeIs(1));
  EXPECT_EQ(series[0].labels[1], "7");
  EXPECT_EQ(series[0].value, 6);
}

TEST(PrometheusAnswerTest, NonsenseIsAnError) {
  for (const std::string& body : std::vector<std::string>{"",
                                                          " ",
                                                          "null",
                                                          "17",
                                                          "\"success\"",
                                                          "[]",
                                                          "{}",
                                                          "<html>502 Bad Gateway</html>",
                                                          std::string("\0\xff\xfe", 3),
                                                          "{\"status\":\"success\"}",
                                                          Of("vector", "[]").substr(0, 40),
                                                          Of("vector", "[]") + "}",
                                                          Of("scalar", "[10,\"1\"]"),
                                                          Of("string", "[10,\"x\"]"),
                                                          Of("streams", "[]"),
                                                          Of("vector", "{}"),
                                                          Of("vector", "7"),
                                                          Of("vector", "[7]"),
                                                          Of("vector", "[[7]]"),
                                                          Of("vector", "[null]"),
                                                          Of("vector", R"([{"metric":{},"value":[10]}])"),
                                                          Of("vector", R"([{"metric":{},"value":["10","1"]}])"),
                                                          Of("vector", R"([{"metric":{},"value":[10,1]}])"),
                                                          Of("vector", R"([{"metric":{},"value":[10,"1","2"]}])"),
                                                          Of("vector", R"([{"metric":{},"value":[10,"one"]}])"),
                                                          Of("vector", R"([{"metric":{},"value":[1e99,"1"]}])"),
                                                          Of("vector", R"([{"metric":{},"value":[1e999,"1"]}])"),
                                                          Of("vector", R"([{"metric":{},"value":{"10":"1"}}])"),
                                                          Of("vector", R"([{"metric":{},"value":[[10,"1"]]}])"),
                                                          Of("matrix", R"([{"metric":{},"values":[10,"1"]}])") + "x",
                                                          Of("matrix", R"([{"metric":{},"values":[[[10,"1"]]]}])"),
                                                          Of("matrix", R"([{"metric":{},"values":{"a":[10,"1"]}}])"),
                                                          R"({"status":"success","data":[]})",
                                                          R"({"status":"success","data":{"resultType":"vector"}})",
                                                          R"({"data":{"resultType":"vector","result":[]}})"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ErrorOf(body))) << body << " -> " << ErrorOf(body);
  }
}

TEST(PrometheusAnswerTest, AnErrorIsTold) {
  const absl::Status status = ErrorOf(R"({"status":"error","errorType":"bad_data","error":"parse error: unexpected end of input"})");
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("unexpected end of input"));
}

TEST(PrometheusAnswerTest, DepthCostsNoStack) {
  const std::string deep(3'000'000, '[');
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorOf(deep)));
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorOf(R"({"status":"success","x":)" + deep)));
}

/// Whatever is cut off or changed is an error or an answer, never a crash: every prefix, and every byte in turn.
TEST(PrometheusAnswerTest, EveryBrokenAnswerEnds) {
  const std::string body = Of("matrix", R"([{"metric":{"Hostname":"n1","gpu":"0"},"values":[[10.5,"1"],[20,"NaN"]]}])");
  ASSERT_THAT(Parsed(body), SizeIs(1));
  for (size_t size = 0; size < body.size(); ++size) EXPECT_FALSE(ErrorOf(body.substr(0, size)).ok()) << size;
  for (size_t at = 0; at < body.size(); ++at) {
    for (const char c : {'{', '}', '[', ']', '"', ',', '0', 'x', '\0', '\xff'}) {
      std::string changed = body;
      changed[at] = c;
      (void)ErrorOf(changed);
    }
  }
}

}  // namespace
}  // namespace planner::collector
