#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "services/config/address.h"
#include "services/config/flags.h"
#include "services/config/settings.h"

namespace planner::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<Flags> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "plannerd");
  return ParseFlags(static_cast<int>(arguments.size()), arguments.data());
}

absl::StatusOr<Settings> FromText(const std::string& text, const Flags& flags = {}) {
  const absl::StatusOr<v1::Config> config = ParseConfig(text, "test.textproto");
  EXPECT_TRUE(config.ok()) << config.status();
  return MakeSettings(flags, *config);
}

std::string WrongField(const std::string& text) {
  const absl::Status status = FromText(text).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return base::DetailOf(status).field;
}

TEST(FlagsTest, TakesUnderscoresAndDashes) {
  const Flags flags = *Parse({"--config", "a.textproto", "--listen", "127.0.0.1:0", "--listen", "unix:/run/p.sock",
                              "--metrics-listen=off", "--state_dir", "/var/lib/planner", "--check-config",
                              "--postgresql", "host=db dbname=planner", "--backup", "all.backup"});
  EXPECT_EQ(flags.config_file, "a.textproto");
  EXPECT_THAT(flags.listen, ElementsAre("127.0.0.1:0", "unix:/run/p.sock"));
  EXPECT_EQ(flags.metrics_listen, "off");
  EXPECT_EQ(flags.state_dir, "/var/lib/planner");
  EXPECT_EQ(flags.postgresql, "host=db dbname=planner");
  EXPECT_EQ(flags.backup_file, "all.backup");
  EXPECT_TRUE(flags.check_config);
  EXPECT_FALSE(flags.version);
}

TEST(FlagsTest, WrongOnesAreInvalid) {
  for (const char* flag : {"--nonsense", "--listen", "positional", "--check_config=maybe"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Parse({flag}).status())) << flag;
  }
}

TEST(FlagsTest, BackupAndRestoreExcludeEachOther) {
  EXPECT_TRUE(absl::IsInvalidArgument(Parse({"--backup", "a", "--restore", "b"}).status()));
  EXPECT_EQ(Parse({"--restore", "b"})->restore_file, "b");
}

TEST(FlagsTest, HelpNamesEveryFlag) {
  const std::string help = Parse({"--help"})->help;
  for (const char* flag : {"--config", "--listen", "--metrics_listen", "--state_dir", "--postgresql", "--backup",
                           "--restore", "--check_config", "--version"}) {
    EXPECT_THAT(help, HasSubstr(flag));
  }
}

TEST(AddressTest, TakesHostsAndSocketFiles) {
  for (const char* text : {"127.0.0.1:7070", "[::1]:0", "localhost:65535", "unix:/run/p.sock"}) {
    EXPECT_EQ(ToString(*ParseAddress("listen", text)), text);
  }
  EXPECT_EQ(ParseAddress("listen", "[::1]:9")->port, 9);
}

TEST(AddressTest, EverythingElseIsInvalid) {
  for (const std::string& text : {std::string("7070"), std::string(":7070"), std::string("host:"),
                                  std::string("host:-1"), std::string("host:65536"), std::string("host:7070x"),
                                  std::string("::1:7070"), std::string("unix:"), "unix:/" + std::string(107, 'x')}) {
    const auto address = ParseAddress("listen", text);
    EXPECT_TRUE(absl::IsInvalidArgument(address.status())) << text;
    EXPECT_EQ(base::DetailOf(address.status()).field, "listen");
  }
}

TEST(ParseConfigTest, AnUnknownFieldIsAnErrorWithItsLine) {
  const absl::Status status = ParseConfig("listen: '127.0.0.1:0'\nlisen: 'x'\n", "etc/a.textproto").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), StartsWith("etc/a.textproto:2:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("lisen"));
}

TEST(ParseConfigTest, TruncatedTextIsAnError) {
  EXPECT_THAT(std::string(ParseConfig("clusters { name: 'a'", "a").status().message()), StartsWith("a:1:"));
}

TEST(ReadConfigTest, MissingFilesAndFoldersAreNotFound) {
  EXPECT_TRUE(absl::IsNotFound(ReadConfig("/nonexistent/plannerd.textproto").status()));
  EXPECT_TRUE(absl::IsNotFound(ReadConfig(std::filesystem::temp_directory_path().string()).status()));
}

TEST(SettingsTest, Defaults) {
  const Settings settings = *FromText("");
  ASSERT_EQ(settings.listen.size(), 1u);
  EXPECT_EQ(ToString(settings.listen[0]), "127.0.0.1:7070");
  EXPECT_EQ(ToString(*settings.metrics_listen), "127.0.0.1:9464");
  EXPECT_EQ(settings.max_call, absl::Seconds(30));
  EXPECT_EQ(settings.max_concurrent_calls, 64);
}

TEST(SettingsTest, FlagsWinOverTheFile) {
  const std::string text = "listen: '127.0.0.1:1' metrics_listen: '127.0.0.1:2' state_dir: 'a'";
  Settings settings = *FromText(text);
  EXPECT_EQ(settings.listen[0].port, 1);
  EXPECT_EQ(settings.metrics_listen->port, 2);
  EXPECT_EQ(settings.state_dir, "a");
  EXPECT_EQ(FromText("postgresql: 'host=a'")->postgresql, "host=a");
  EXPECT_EQ(FromText("postgresql: 'host=a'", {.postgresql = "host=b"})->postgresql, "host=b");
  settings = *FromText(text, {.listen = {"127.0.0.1:3", "unix:s"}, .metrics_listen = "off", .state_dir = "b"});
  EXPECT_EQ(settings.listen.size(), 2u);
  EXPECT_EQ(settings.listen[0].port, 3);
  EXPECT_FALSE(settings.metrics_listen.has_value());
  EXPECT_EQ(settings.state_dir, "b");
}

TEST(SettingsTest, LimitsAndClustersAreTaken) {
  const Settings settings = *FromText(
      "max_call_milliseconds: 500 max_concurrent_calls: 2 "
      "retention { hourly_utilization_seconds: 86400 daily_utilization_seconds: 172800 } "
      "clusters { name: 'main' node_pools { gpu_type: 'h100' node_count: 2 } } "
      "utilization_sources { cluster: 'main' url: 'http://127.0.0.1:9090' interval_milliseconds: 15000 } "
      "gpu_types { name: 'X1' memory_bytes: 1000 peaks { precision: 'bf16' flops_per_second: 1e12 } }");
  EXPECT_EQ(settings.max_call, absl::Milliseconds(500));
  EXPECT_EQ(settings.max_concurrent_calls, 2);
  EXPECT_EQ(settings.utilization.keep_hours, absl::Hours(24));
  EXPECT_EQ(settings.utilization.keep_days, absl::Hours(48));
  EXPECT_EQ(settings.clusters[0].name(), "main");
  EXPECT_EQ(settings.utilization_sources[0].cluster, "main");
  EXPECT_EQ(settings.utilization_sources[0].interval, absl::Seconds(15));
  EXPECT_EQ(settings.gpu_types[0].gpus_per_node, 8);
  EXPECT_EQ(settings.gpu_types[0].scale_up_domain, 8);
}

TEST(SettingsTest, WrongValuesNameTheirField) {
  EXPECT_EQ(WrongField("max_call_milliseconds: 0"), "max_call_milliseconds");
  EXPECT_EQ(WrongField("max_concurrent_calls: -1"), "max_concurrent_calls");
  EXPECT_EQ(WrongField("retention { hourly_utilization_seconds: 60 }"), "retention.hourly_utilization_seconds");
  EXPECT_EQ(WrongField("retention { daily_utilization_seconds: 3600 }"), "retention.daily_utilization_seconds");
  EXPECT_EQ(WrongField("utilization_sources { cluster: 'a' url: 'nowhere' }"), "utilization_sources[0].url");
  EXPECT_EQ(WrongField("utilization_sources { cluster: 'a' url: 'http://a' } utilization_sources { cluster: 'clusters/a' url: 'http://b' }"),
            "utilization_sources[1].cluster");
  EXPECT_EQ(WrongField("tls { certificate_file: 'a.pem' }"), "tls.key_file");
  EXPECT_EQ(WrongField("tls { key_file: 'a.key' }"), "tls.certificate_file");
  EXPECT_EQ(WrongField("tls { client_ca_file: 'ca.pem' }"), "tls.certificate_file");
  EXPECT_EQ(WrongField("listen: 'nowhere'"), "listen");
  EXPECT_EQ(WrongField("metrics_listen: 'unix:/run/m.sock'"), "metrics_listen");
  EXPECT_EQ(WrongField("metrics_listen: '[::1]:9464'"), "metrics_listen");
  EXPECT_EQ(WrongField("clusters { name: 'a' } clusters { name: 'b c' }"), "clusters[1].name");
  EXPECT_EQ(WrongField("clusters { name: 'a' } clusters { name: 'a' }"), "clusters[1].name");
  EXPECT_EQ(WrongField("gpu_types { name: 'X1' power_watts: -1 }"), "gpu_types[0].power_watts");
  EXPECT_EQ(WrongField("gpu_types { name: 'X1' gpus_per_node: -1 }"), "gpu_types[0].gpus_per_node");
}

}  // namespace
}  // namespace planner::config
