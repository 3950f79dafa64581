#include "clients/plannerctl/bounded_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace planner::plannerctl {
namespace {

using ::testing::HasSubstr;

class BoundedFileTest : public ::testing::Test {
 protected:
  BoundedFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "planner-bounded-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~BoundedFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Error(const std::string& path, size_t limit = kMaxFileBytes) {
    const auto text = ReadBoundedFile(path, in_, limit);
    EXPECT_TRUE(absl::IsInvalidArgument(text.status()));
    return std::string(text.status().message());
  }

  std::filesystem::path folder_;
  std::istringstream in_{"from the input"};
};

TEST_F(BoundedFileTest, ReadsFilesAndStandardInputUpToTheLimit) {
  std::ofstream(Path("a")) << "12345";
  EXPECT_EQ(*ReadBoundedFile(Path("a"), in_, 5), "12345");
  EXPECT_THAT(Error(Path("a"), 4), HasSubstr("is larger than"));
  EXPECT_EQ(*ReadBoundedFile("-", in_), "from the input");
  std::ofstream(Path("empty")).flush();
  EXPECT_EQ(*ReadBoundedFile(Path("empty"), in_), "");
  EXPECT_THAT(Error("/dev/zero"), HasSubstr("is larger than 4 MiB"));
}

TEST_F(BoundedFileTest, SaysWhatIsNoFile) {
  EXPECT_THAT(Error(Path("missing")), HasSubstr("no such file"));
  EXPECT_THAT(Error(folder_.string()), HasSubstr("is a folder"));
}

TEST_F(BoundedFileTest, APipeThatNobodyWritesToIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(Error(Path("pipe")), HasSubstr("is a pipe that nobody writes to"));
}

TEST_F(BoundedFileTest, APipeWithAWriterIsReadToItsEnd) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  const int both = open(Path("pipe").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(write(both, "written", 7), 7);
  // The limit ends it here: the writer stays.
  EXPECT_THAT(Error(Path("pipe"), 4), HasSubstr("is larger than"));
  close(both);
}

}  // namespace
}  // namespace planner::plannerctl
