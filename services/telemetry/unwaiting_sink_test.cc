#include "services/telemetry/unwaiting_sink.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "core/base/fake_clock.h"
#include "services/telemetry/log.h"

namespace planner::telemetry {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

/// A pipe that nobody reads until asked.
class Pipe {
 public:
  Pipe() {
    EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0);
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    CloseReader();
    close(ends_[1]);
  }
  int writer() const { return ends_[1]; }
  void CloseReader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }
  /// All that is in it now.
  std::string Read() const {
    std::string text;
    char buffer[4096];
    for (ssize_t count = 0; (count = read(ends_[0], buffer, sizeof(buffer))) > 0;) text.append(buffer, static_cast<size_t>(count));
    return text;
  }

 private:
  int ends_[2] = {-1, -1};
};

class UnwaitingSinkTest : public ::testing::Test {
 protected:
  void Start(size_t most_kept_bytes) { log_.emplace(clock_, std::make_shared<UnwaitingSink>(pipe_.writer(), most_kept_bytes)); }
  void WriteLine(int number) { log_->Write(Level::kInfo, {{"event", "line"}, {"number", std::to_string(number)}}); }

  base::FakeClock clock_;
  Pipe pipe_;
  std::optional<Log> log_;
};

TEST_F(UnwaitingSinkTest, ALineIsThereAtOnce) {
  Start(1 << 20);
  WriteLine(7);
  EXPECT_THAT(pipe_.Read(), EndsWith("level=info event=line number=7\n"));
}

TEST_F(UnwaitingSinkTest, WhatThePipeDoesNotTakeComesLater) {
  Start(1 << 20);
  constexpr int kLines = 5'000;  // Some 300 kB; a pipe takes 64.
  for (int i = 0; i < kLines; ++i) WriteLine(i);
  std::string text = pipe_.Read();
  EXPECT_THAT(text, Not(HasSubstr("number=4999\n")));
  for (int i = 0; i < 10; ++i) {
    WriteLine(kLines + i);
    text += pipe_.Read();
  }
  std::istringstream lines(text);
  int expected = 0;
  for (std::string line; std::getline(lines, line); ++expected) {
    ASSERT_THAT(line, EndsWith("event=line number=" + std::to_string(expected)));
  }
  EXPECT_EQ(expected, kLines + 10);
}

TEST_F(UnwaitingSinkTest, BeyondTheBoundLinesAreLostAndCounted) {
  Start(10'000);
  constexpr int kLines = 5'000;
  for (int i = 0; i < kLines; ++i) WriteLine(i);
  std::string text = pipe_.Read();
  WriteLine(kLines);
  text += pipe_.Read();
  std::istringstream lines(text);
  int64_t there = 0, lost = 0;
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("level=warning event=log_lines_lost lines=");
    if (at == std::string::npos) {
      ++there;
    } else {
      lost += std::stoll(line.substr(line.rfind('=') + 1));
    }
  }
  EXPECT_GT(lost, 1'000);
  EXPECT_EQ(there + lost, kLines + 1);
}

TEST_F(UnwaitingSinkTest, AReaderThatIsGoneIsNoMatter) {
  Start(1 << 20);
  signal(SIGPIPE, SIG_IGN);
  pipe_.CloseReader();
  for (int i = 0; i < 100; ++i) WriteLine(i);
  log_.reset();
}

}  // namespace
}  // namespace planner::telemetry
