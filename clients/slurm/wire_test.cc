#include "clients/slurm/wire.h"

#include <gtest/gtest.h>

#include <random>

namespace planner::slurm {
namespace {

TEST(WireTest, WritesLinesThatNoValueBreaksOutOf) {
  EXPECT_EQ(Encode({{"action", "leave"}, {"message", "a b\nend"}}),
            "planner-slurm 1\naction=leave\nmessage=a%20b%0aend\nend\n");
  EXPECT_EQ(Encode({}), "planner-slurm 1\nend\n");
}

TEST(WireTest, ReadsWhatItHasWritten) {
  const Fields fields = {{"action", "refuse"},
                         {"message", std::string("a\0b\xff%", 5)},
                         {"message", ""},
                         {"env.PLANNER_MODEL", "x'$(touch pwned)'"}};
  const auto read = Decode(Encode(fields));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, fields);
}

TEST(WireTest, RefusesWhatIsNoMessage) {
  for (const std::string& text :
       {std::string(), std::string("planner-slurm 1\n"), std::string("planner-slurm 2\nend\n"),
        std::string("planner-slurm 1\nend"), std::string("planner-slurm 1\na\nend\n"),
        std::string("planner-slurm 1\n=b\nend\n"), std::string("planner-slurm 1\na=%4\nend\n"),
        std::string("planner-slurm 1\na=%zz\nend\n"), std::string("planner-slurm 1\na=b c\nend\n"),
        std::string("planner-slurm 1\nend\nx=1\n"), std::string("planner-slurm 1\na;b=c\nend\n"),
        std::string("HTTP/1.1 200 OK\r\n\r\n"), std::string(kMaxMessageBytes + 1, 'a'),
        std::string("planner-slurm 1\na=\0\nend\n", 24)}) {
    EXPECT_FALSE(Decode(text).ok()) << text.substr(0, 60);
  }
}

TEST(WireTest, RandomFieldsComeBackAndRandomTextNeverCrashes) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> byte(0, 255), length(0, 40);
  const auto text = [&] {
    std::string made;
    for (int i = length(random); i > 0; --i) made += static_cast<char>(byte(random));
    return made;
  };
  for (int i = 0; i < 2000; ++i) {
    const Fields fields = {{"a", text()}, {"message", text()}, {"b_c-d.E", text()}};
    const std::string encoded = Encode(fields);
    const auto read = Decode(encoded);
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(*read, fields);
    std::string damaged = encoded;
    damaged[static_cast<size_t>(byte(random)) % damaged.size()] = static_cast<char>(byte(random));
    const auto other = Decode(damaged);  // Whatever it is, it is one or the other.
    if (other.ok()) {
      EXPECT_LE(other->size(), fields.size() + 1);
    }
  }
}

TEST(WireTest, TheFirstOfANameCounts) {
  EXPECT_EQ(ValueOf({{"a", "1"}, {"a", "2"}}, "a"), "1");
  EXPECT_EQ(ValueOf({{"a", "1"}}, "b"), "");
}

}  // namespace
}  // namespace planner::slurm
