#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "core/base/sha256.h"
#include "plugins/sdk/handshake.h"
#include "plugins/sdk/listen_flags.h"
#include "plugins/sdk/model_file_cache.h"

namespace planner::plugin {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<HostEnvironment> Read(std::map<std::string, std::string> variables) {
  return ReadHostEnvironment([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(HostEnvironmentTest, RefusesPeopleAndOtherVersions) {
  EXPECT_THAT(std::string(Read({}).status().message()), HasSubstr("put it beside plannerd"));
  std::map<std::string, std::string> variables = {{kCookieVariable, kCookie}, {kVersionsVariable, "2,3"}, {kSocketVariable, "/s"}};
  EXPECT_THAT(std::string(Read(variables).status().message()), HasSubstr("2,3"));
  variables[kVersionsVariable] = "3,1";
  EXPECT_EQ(Read(variables)->socket_path, "/s");
  variables[kSocketVariable] = "";
  EXPECT_FALSE(Read(variables).ok());
}

absl::StatusOr<ListenFlags> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "plugin");
  return ParseListenFlags(static_cast<int>(arguments.size()), arguments.data());
}

TEST(ListenFlagsTest, PlainTextIsForLoopbackAlone) {
  EXPECT_EQ(Parse({})->listen, "");
  EXPECT_EQ(Parse({"--listen", "127.0.0.1:0"})->listen, "127.0.0.1:0");
  EXPECT_FALSE(Parse({"--listen=0.0.0.0:1"}).ok());
  EXPECT_FALSE(Parse({"--listen=0.0.0.0:1", "--ca_file=a"}).ok());
  EXPECT_EQ(Parse({"--listen=0.0.0.0:1", "--ca-file=a", "--certificate_file", "b", "--key_file", "c"})->key_file, "c");
  EXPECT_FALSE(Parse({"--listen"}).ok());
  EXPECT_FALSE(Parse({"--help"}).ok());
  EXPECT_FALSE(Parse({"--ca_file=a", "--certificate_file=b", "--key_file=c"}).ok());
}

std::string DigestOf(const std::string& text) {
  base::Sha256 digest;
  digest.Update(text);
  return digest.Finish();
}

absl::Status Put(ModelFileCache& cache, const std::string& sha256, int64_t size, const std::string& data) {
  auto writer = cache.Begin(sha256, size);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Append(data); !status.ok()) return status;
  return (*writer)->Finish();
}

TEST(ModelFileCacheTest, KeepsOnlyWhatIsAsAnnounced) {
  ModelFileCache cache;
  EXPECT_FALSE(Put(cache, "../../etc", 1, "a").ok());
  EXPECT_FALSE(Put(cache, DigestOf("a"), 2, "a").ok());
  EXPECT_FALSE(Put(cache, DigestOf("a"), 1, "aa").ok());
  EXPECT_FALSE(Put(cache, DigestOf("a"), 1, "b").ok());
  EXPECT_FALSE(Put(cache, DigestOf("a"), 0, "").ok());
  EXPECT_EQ(cache.Find(DigestOf("a")), nullptr);
  EXPECT_TRUE(Put(cache, DigestOf("a"), 1, "a").ok());
  EXPECT_EQ(std::filesystem::file_size(cache.Find(DigestOf("a"))->path()), 1U);
}

TEST(ModelFileCacheTest, AFileInUseOutlivesItsPlace) {
  ModelFileCache cache;
  ASSERT_TRUE(Put(cache, DigestOf("a"), 1, "a").ok());
  std::shared_ptr<const CachedFile> held = cache.Find(DigestOf("a"));
  for (const char* text : {"b", "c", "d", "e"}) ASSERT_TRUE(Put(cache, DigestOf(text), 1, text).ok());
  EXPECT_EQ(cache.Find(DigestOf("a")), nullptr);
  const std::string path = held->path();
  EXPECT_TRUE(std::filesystem::exists(path));
  held.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace planner::plugin
