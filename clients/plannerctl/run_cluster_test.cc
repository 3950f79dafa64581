// What is booked and measured of clusters.

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "clients/plannerctl/fake_planner.h"

namespace planner::plannerctl {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class RunClusterTest : public RunTest {
 protected:
  static v1::WatchClusterResponse Change(const std::string& text) { return Parse<v1::WatchClusterResponse>(text); }
};

TEST_F(RunClusterTest, ReserveAsksForWhatTheFlagsSay) {
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "24", "--start", "2027-01-01", "--for", "36h", "--tenant", "t",
                 "--description", "mine", "--request-id", "r"}),
            0)
      << err();
  const v1::CreateReservationRequest& request = clusters_.reserve_request;
  EXPECT_EQ(request.parent(), "main");
  EXPECT_EQ(request.request_id(), "r");
  EXPECT_EQ(request.reservation().gpu_count(), 24);
  EXPECT_EQ(request.reservation().start_time().seconds(), 1798761600);
  EXPECT_EQ(request.reservation().end_time().seconds(), 1798761600 + 36 * 3600);
  EXPECT_EQ(request.reservation().tenant(), "t");
  EXPECT_EQ(out(),
            "reservation/main/r1 firm: 24 GPUs (h-[0-2]) of h from 2027-01-01 00:00 UTC to 2027-01-02 12:00 UTC\n");
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--nodes", "h-[0-2]", "--end", "2027-01-02", "--hold", "10m", "--pool",
                 "h", "--dry-run"}),
            0)
      << err();
  EXPECT_FALSE(request.reservation().has_start_time());
  EXPECT_TRUE(request.reservation().has_expire_time());
  EXPECT_EQ(request.reservation().nodes(), "h-[0-2]");
  EXPECT_TRUE(request.validate_only());
  EXPECT_THAT(out(), HasSubstr("held until "));
}

TEST_F(RunClusterTest, ReserveNamesTheFlagThatIsWrong) {
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "8"}), 2);
  EXPECT_THAT(err(), HasSubstr("--for or --end"));
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--for", "1h"}), 2);
  EXPECT_THAT(err(), HasSubstr("--gpus or --nodes"));
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "8", "--nodes", "a", "--for", "1h"}), 2);
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "8", "--for", "1h", "--end", "2027-01-01"}), 2);
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "8", "--for", "90"}), 2);
  EXPECT_THAT(err(), HasSubstr("--for: "));
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "8", "--start", "soon", "--for", "1h"}), 2);
  EXPECT_THAT(err(), HasSubstr("--start: "));
  clusters_.reserve_status = {grpc::StatusCode::INVALID_ARGUMENT, "reservation.start_time: lies in the past"};
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "8", "--for", "1h"}), 2);
  EXPECT_EQ(err(), "plannerctl: error: --start: lies in the past\n");
  clusters_.reserve_status = {grpc::StatusCode::FAILED_PRECONDITION, "main/h: 8 GPUs are not free"};
  EXPECT_EQ(Run({"cluster", "reserve", "main", "--gpus", "8", "--for", "1h"}), 1);
}

TEST_F(RunClusterTest, ReleaseTakesShortNamesAndLongOnes) {
  EXPECT_EQ(Run({"cluster", "release", "main/r1", "clusters/main/reservations/r2"}), 0) << err();
  EXPECT_THAT(clusters_.released, ElementsAre("clusters/main/reservations/r1", "clusters/main/reservations/r2"));
  EXPECT_EQ(out(), "reservation/main/r1 released\nreservation/main/r2 released\n");
}

TEST_F(RunClusterTest, ReservationsAreATable) {
  clusters_.reservations = {Parse<v1::Reservation>(
      "name: 'clusters/main/reservations/r1' node_pool: 'h' gpu_count: 1024 nodes: 'h-[0-127]' state: FIRM tenant: 't' "
      "start_time { seconds: 1798761600 } end_time { seconds: 1798765200 } description: 'x\x1b[2J'")};
  EXPECT_EQ(Run({"cluster", "reservations", "main", "--no-headers"}), 0) << err();
  EXPECT_EQ(out(), "main/r1  h  1,024  h-[0-127]  2027-01-01 00:00 UTC  2027-01-01 01:00 UTC  firm  t  -  x?[2J\n");
  EXPECT_EQ(Run({"cluster", "reservations", "main", "-o", "json"}), 0);
  EXPECT_THAT(nlohmann::json::parse(out())["reservations"], SizeIs(1));
}

TEST_F(RunClusterTest, WatchPrintsALineForEachChange) {
  const std::string reservation =
      "reservation { name: 'clusters/main/reservations/r1' etag: '1' node_pool: 'h' gpu_count: 8 nodes: 'h-[0]' "
      "state: FIRM start_time { seconds: 1798761600 } end_time { seconds: 1798765200 } }";
  const std::string cluster =
      "cluster { name: 'clusters/main' etag: '1' node_pools { node_count: 4 gpus_per_node: 8 status { "
      "ready_node_count: 4 } } }";
  std::string changed = reservation;
  changed.replace(changed.find("etag: '1'"), 9, "etag: '2' conflict: 'h-0 is DOWN'");
  const std::vector<v1::WatchClusterResponse> view = {
      Change(cluster),
      Change(reservation),
      Change("synchronized: true"),
      Change(changed),
      Change("deleted_reservation: 'clusters/main/reservations/r1'"),
      Change("deleted_reservation: 'clusters/main/reservations/never-seen'")};
  clusters_.watch_views = {view};
  EXPECT_EQ(Run({"cluster", "watch", "main"}), 0) << err();
  EXPECT_THAT(
      Lines(out()),
      ElementsAre(
          StartsWith("CHANGE    NAME"), AllOf(StartsWith("cluster   main"), HasSubstr("4 of 4 nodes ready")),
          AllOf(StartsWith("booked    r1"), HasSubstr("2027-01-01 00:00 UTC  2027-01-01 01:00 UTC  firm, h-[0]")),
          AllOf(StartsWith("changed   r1"), HasSubstr("firm, no longer holds, h-[0] (h-0 is DOWN)")),
          StartsWith("gone      r1")));
  EXPECT_THAT(err(), HasSubstr("the cluster was deleted"));
  clusters_.watch_views = {view};
  EXPECT_EQ(Run({"cluster", "watch", "main", "-o", "json"}), 0);
  const std::vector<std::string> lines = Lines(out());
  ASSERT_THAT(lines, SizeIs(5));
  for (const std::string& line : lines) EXPECT_TRUE(nlohmann::json::parse(line, nullptr, false).is_object()) << line;
  EXPECT_EQ(nlohmann::json::parse(lines[2])["synchronized"], true);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["reservation"]["gpuCount"], "8");
  EXPECT_EQ(Run({"cluster", "watch", "main"}), 2) << "there is none";
}

TEST_F(RunClusterTest, WatchTellsOnlyWhatHasChangedWhileTheConnectionWasLost) {
  const std::string cluster = "cluster { name: 'clusters/main' etag: '1' }";
  const auto reservation = [](const std::string& id) {
    return Change("reservation { name: 'clusters/main/reservations/" + id + "' etag: '" + id + "' state: FIRM }");
  };
  clusters_.watch_views = {{Change(cluster), reservation("a"), reservation("b"), Change("synchronized: true")},
                           {Change(cluster), reservation("b"), reservation("c"), Change("synchronized: true")}};
  while_waiting_ = [] {};
  EXPECT_EQ(Run({"cluster", "watch", "main", "--no-headers"}), 0) << err();
  EXPECT_THAT(Lines(out()),
              ElementsAre(StartsWith("cluster   main"), StartsWith("booked    a"), StartsWith("booked    b"),
                          StartsWith("booked    c"), StartsWith("gone      a")));
}

TEST_F(RunClusterTest, UtilizationIsATable) {
  clusters_.utilization = Parse<v1::GetUtilizationResponse>(
      "pools { node_pool: 'h' gpu_type: 'H100-SXM-80GB' summary { sample_count: 1200 busy_ratio: 0.4487 power_watts: "
      "512 "
      "last_sample_time { seconds: 1798761600 } } periods { start_time { seconds: 1798758000 } duration { seconds: "
      "3600 } sample_count: 1200 "
      "memory_used_bytes: 8589934592 } latest { node_pool: 'h' age { seconds: 720 } busy_ratio: 0.75 measured_gpu_count: 16 "
      "occupied_gpu_count: 12 trouble: 'busy: timeout' } }"
      "pools { node_pool: 'idle' gpu_type: 'A100-SXM-80GB' summary { } }");
  EXPECT_EQ(Run({"cluster", "utilization", "main", "--since", "48h", "--pool", "h"}), 0) << err();
  EXPECT_EQ(clusters_.utilization_request.node_pool(), "h");
  EXPECT_TRUE(clusters_.utilization_request.has_start_time());
  EXPECT_THAT(
      out(),
      AllOf(HasSubstr("h     H100-SXM-80GB  2027-01-01 00:00 UTC    1,200  44.9 %       -       -     -    512\n"),
            HasSubstr("idle  A100-SXM-80GB  -                           0"),
            HasSubstr("\nh: 75.0 % busy, 12 of 16 GPUs occupied, 12 min ago; busy: timeout\n"),
            HasSubstr("h     2026-12-31 23:00 UTC  60 min    1,200     -       -       -  8.00 GiB      -\n")))
      << out();
  EXPECT_EQ(Run({"cluster", "utilization", "main", "-o", "json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out())["pools"][0]["summary"]["busyRatio"], 0.4487);
}

TEST_F(RunClusterTest, ReportsLinesOfJson) {
  input_ =
      "{\"node\": \"h-0\", \"gpu\": 3, \"time\": \"2027-01-01T00:00:00Z\", \"busyRatio\": 0.5}\n\n"
      "{\"node\": \"h-1\", \"time\": \"2027-01-01T00:00:01Z\", \"power_watts\": \"NaN\"}";
  EXPECT_EQ(Run({"cluster", "report-utilization", "main", "-f", "-"}), 0) << err();
  EXPECT_EQ(clusters_.reported_cluster, "main");
  ASSERT_THAT(clusters_.samples, SizeIs(2));
  EXPECT_EQ(clusters_.samples[0].gpu(), 3);
  EXPECT_EQ(clusters_.samples[0].busy_ratio(), 0.5);
  EXPECT_TRUE(std::isnan(clusters_.samples[1].power_watts())) << "the server says what may be";
  EXPECT_EQ(out(), "2 samples taken, 0 refused\n");
}

TEST_F(RunClusterTest, ReportsTablesInManyMessages) {
  input_ = "node,gpu,time,busy_ratio,memory_used_bytes\n";
  for (int i = 0; i < 2500; ++i)
    input_ += "h-0," + std::to_string(i % 8) + ",179876160" + std::to_string(i % 10) + ".5,0.25,\r\n";
  EXPECT_EQ(Run({"cluster", "report-utilization", "main", "-f", "-"}), 0) << err();
  ASSERT_THAT(clusters_.samples, SizeIs(2500));
  EXPECT_EQ(clusters_.samples[1].time().seconds(), 1798761601);
  EXPECT_EQ(clusters_.samples[1].time().nanos(), 500'000'000);
  EXPECT_FALSE(clusters_.samples[1].has_memory_used_bytes());
}

TEST_F(RunClusterTest, WhatTheServerRefusesIsSaid) {
  clusters_.report_response =
      Parse<v1::ReportUtilizationResponse>("refused_count: 3 refusals: 'samples[0].node: is no node'");
  input_ =
      "node,gpu,time,busy_ratio\nx,0,2027-01-01T00:00:00Z,1\nx,1,2027-01-01T00:00:00Z,1\nx,2,2027-01-01T00:00:00Z,1\nh-"
      "0,0,2027-01-01T00:00:00Z,1\n";
  EXPECT_EQ(Run({"cluster", "report-utilization", "main", "-f", "-"}), 1);
  EXPECT_EQ(err(),
            "plannerctl: warning: samples[0].node: is no node\nplannerctl: warning: 2 more samples were refused\n");
  EXPECT_EQ(out(), "1 samples taken, 3 refused\n");
}

TEST_F(RunClusterTest, LinesThatAreNoSamplesAreUsageErrors) {
  const auto error_of = [&](const std::string& input) {
    input_ = input;
    EXPECT_EQ(Run({"cluster", "report-utilization", "main", "-f", "-"}), 2) << input;
    return err();
  };
  EXPECT_THAT(error_of("node,gpus\n"), HasSubstr("-: line 1: \"gpus\" is no column; there are node, gpu, time"));
  EXPECT_THAT(error_of("node,gpu\nh-0\n"), HasSubstr("line 2: 1 cells, the header has 2"));
  EXPECT_THAT(error_of("node,gpu\nh-0,1\nh-0,x\n"), HasSubstr("line 3: gpu: is no whole number"));
  EXPECT_THAT(clusters_.samples, Not(SizeIs(0))) << "what came before was sent";
  EXPECT_THAT(error_of("node,busy_ratio\nh-0,half\n"), HasSubstr("line 2: busy_ratio: is no number"));
  EXPECT_THAT(error_of("node,time\nh-0,-5\n"), HasSubstr("line 2: time: is no time"));
  EXPECT_THAT(error_of("{\"node\": 1\n"), HasSubstr("line 1: "));
  EXPECT_THAT(error_of("{\"nod\": \"a\"}\n"), HasSubstr("line 1: "));
  EXPECT_THAT(error_of("{" + std::string(100'000, 'x') + "\n"), HasSubstr("line 1: is longer than"));
  EXPECT_EQ(Run({"cluster", "report-utilization", "main", "-f", "/nonexistent/samples"}), 2);
}

}  // namespace
}  // namespace planner::plannerctl
