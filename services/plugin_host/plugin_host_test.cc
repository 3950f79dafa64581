#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/base/fake_clock.h"
#include "services/plugin_host/bounded_lines.h"
#include "services/plugin_host/crash_history.h"
#include "services/plugin_host/discovery.h"
#include "services/plugin_host/handshake.h"
#include "services/plugin_host/plugin_channel.h"

namespace planner::plugin_host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(HandshakeTest, OnlyOurs) {
  EXPECT_EQ(*ParseHandshake("planner-plugin|1|unix|/a/b|grpc", "/a/b"), "unix:/a/b");
  for (const char* line : {"", "hello", "planner-plugin|1|unix|/a/b", "planner-plugin|1|unix|/a/b|http", "planner-plugin|2|unix|/a/b|grpc",
                           "planner-plugin|1|tcp|/a/b|grpc", "planner-plugin|1|unix|/a/c|grpc", "planner-plugin|1|unix|/a/b|grpc|"}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(ParseHandshake(line, "/a/b").status())) << line;
  }
}

TEST(CrashHistoryTest, TheFirstRestartIsAtOnceAndTheOthersLaterAndLater) {
  CrashHistory history(5, absl::Hours(1));
  const absl::Time now = absl::UnixEpoch() + absl::Hours(10);
  std::vector<absl::Duration> delays;
  for (int i = 0; i < 4; ++i) {
    history.Add(now);
    delays.push_back(history.NextStart(now) - now);
  }
  EXPECT_THAT(delays, ElementsAre(absl::ZeroDuration(), absl::Seconds(1), absl::Seconds(2), absl::Seconds(4)));
  EXPECT_FALSE(history.Down(now));
  history.Add(now);
  EXPECT_TRUE(history.Down(now + absl::Minutes(59)));
  EXPECT_FALSE(history.Down(now + absl::Minutes(60)));
}

TEST(CrashHistoryTest, WithoutALimitItIsTriedForEver) {
  CrashHistory history(0, absl::Hours(1));
  const absl::Time now = absl::UnixEpoch() + absl::Hours(10);
  for (int i = 0; i < 1000; ++i) history.Add(now);
  EXPECT_FALSE(history.Down(now));
  EXPECT_EQ(history.NextStart(now), now + absl::Seconds(30));
}

TEST(BlameTest, ForgetsTheOldest) {
  Blame blame;
  blame.Add("a");
  blame.Add("a");
  EXPECT_EQ(blame.Of("a"), 2);
  for (int i = 0; i < 1024; ++i) blame.Add(std::to_string(i));
  EXPECT_EQ(blame.Of("a"), 0);
  EXPECT_EQ(blame.Of("1023"), 1);
}

TEST(BoundedLinesTest, CutsAndDropsAndSaysSo) {
  base::FakeClock clock;
  std::vector<std::string> lines;
  BoundedLines bounded([&](std::string line) { lines.push_back(std::move(line)); }, clock);
  bounded.Write("one\nt");
  bounded.Write("wo\n" + std::string(5000, 'x') + "\n");
  EXPECT_THAT(lines, ElementsAre("one", "two", std::string(1000, 'x') + "..."));
  for (int i = 0; i < 500; ++i) bounded.Write("more\n");
  EXPECT_THAT(lines, SizeIs(100));
  clock.Advance(absl::Seconds(10));
  bounded.Write("last");
  bounded.Finish();
  EXPECT_THAT(lines, SizeIs(102));
  EXPECT_EQ(lines[100], "(403 lines were dropped)");
  EXPECT_EQ(lines[101], "last");
}

TEST(LoopbackTest, IsNothingElse) {
  for (const char* address : {"localhost:1", "127.0.0.1:1", "127.9.0.1:1", "[::1]:1"}) EXPECT_TRUE(IsLoopback(address)) << address;
  for (const char* address : {"127.0.0.1.example.org:1", "10.0.0.1:1", "[::2]:1", "localhost.example.org:1", ":1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

config::v1::CounterPlugin Entry(const std::string& name) {
  config::v1::CounterPlugin plugin;
  plugin.set_name(name);
  return plugin;
}

TEST(MakeSpecsTest, TheConfigurationReplacesAndTurnsOff) {
  const std::vector<PluginSpec> found = {{.name = "a", .program = "/a"}, {.name = "b", .program = "/b"}, {.name = "c", .program = "/c"}};
  config::v1::CounterPlugin off = Entry("a");
  off.set_disabled(true);
  config::v1::CounterPlugin other = Entry("b");
  other.mutable_command()->set_program("/other");
  config::v1::CounterPlugin strict = Entry("c");
  strict.set_require_all_measures(true);
  const auto specs = MakeSpecs({off, other, strict}, found);
  ASSERT_TRUE(specs.ok()) << specs.status();
  ASSERT_THAT(*specs, SizeIs(2));
  EXPECT_EQ((*specs)[0].program, "/other");
  EXPECT_EQ((*specs)[1].program, "/c");
  EXPECT_TRUE((*specs)[1].require_all_measures);
}

TEST(MakeSpecsTest, NamesTheFieldThatIsWrong) {
  const auto field = [](const config::v1::CounterPlugin& plugin) { return base::DetailOf(MakeSpecs({plugin}, {}).status()).field; };
  EXPECT_EQ(field(Entry("Upper")), "counter_plugins[0].name");
  EXPECT_EQ(field(Entry("analytic")), "counter_plugins[0].name");
  EXPECT_EQ(field(Entry("nowhere")), "counter_plugins[0]");
  config::v1::CounterPlugin plain = Entry("far");
  plain.set_address("10.0.0.1:7");
  EXPECT_EQ(field(plain), "counter_plugins[0].address");
  plain.set_ca_file("ca.pem");
  EXPECT_EQ(field(plain), "counter_plugins[0]");
}

TEST(FindPluginsTest, OnlyProgramsOfTheName) {
  std::string pattern = (std::filesystem::temp_directory_path() / "planner-find-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  for (const char* name : {"planner-counter-b", "planner-counter-a", "planner-counter-analytic", "planner-counter-", "other", "planner-counter-UP"}) {
    std::ofstream(folder / name) << "#!/bin/sh";
    std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
  }
  std::ofstream(folder / "planner-counter-text") << "not executable";
  const std::vector<PluginSpec> found = FindPlugins(folder.string());
  std::filesystem::remove_all(folder);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].name, "a");
  EXPECT_EQ(found[1].name, "b");
  EXPECT_THAT(FindPlugins("/no/such/folder"), SizeIs(0));
}

}  // namespace
}  // namespace planner::plugin_host
