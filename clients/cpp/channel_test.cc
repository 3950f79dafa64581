#include "clients/cpp/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace planner::cpp {
namespace {

using ::testing::HasSubstr;

TEST(TargetOfTest, TakesHostAndPort) {
  EXPECT_EQ(*TargetOf("127.0.0.1:7070"), "dns:///127.0.0.1:7070");
  EXPECT_EQ(*TargetOf("planner.example:443"), "dns:///planner.example:443");
  EXPECT_EQ(*TargetOf("[::1]:7070"), "dns:///[::1]:7070");
}

TEST(TargetOfTest, TakesUnixSockets) {
  EXPECT_EQ(*TargetOf("unix:/run/p.sock"), "unix:/run/p.sock");
  EXPECT_EQ(*TargetOf("unix:p.sock"), "unix:p.sock");
}

TEST(TargetOfTest, RefusesEverythingElseByName) {
  for (const char* address : {"", "localhost", ":7070", "host:", "host:0", "host:65536", "host:x", "http://host:7070",
                              "::1:7070", "unix:", "[::1:7070", "a b:1"}) {
    const auto target = TargetOf(address);
    ASSERT_FALSE(target.ok()) << address;
    EXPECT_EQ(target.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(target.status().message()), HasSubstr("HOST:PORT or unix:PATH"));
  }
  EXPECT_FALSE(TargetOf("unix:/" + std::string(107, 'x')).ok());
  EXPECT_TRUE(TargetOf("unix:/" + std::string(106, 'x')).ok());
}

TEST(ConnectTest, MakesAChannelWithoutAServer) {
  EXPECT_NE(*Connect("127.0.0.1:1"), nullptr);
  EXPECT_FALSE(Connect("nowhere").ok());
}

}  // namespace
}  // namespace planner::cpp
