#include "core/base/new_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace planner::base {
namespace {

constexpr mode_t kOwner = S_IRUSR | S_IWUSR;

class NewFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "new_file.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    file_ = (folder_ / "file").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::string Text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static absl::Status WriteTo(const std::string& path, std::string_view text, mode_t mode = kOwner) {
    absl::StatusOr<NewFile> file = NewFile::Create(path, mode);
    if (!file.ok()) return file.status();
    if (absl::Status status = file->Write(text); !status.ok()) return status;
    return file->Finish();
  }
  auto Count() const { return std::distance(std::filesystem::directory_iterator(folder_), {}); }

  std::filesystem::path folder_;
  std::string file_;
};

TEST_F(NewFileTest, IsThereWhenItIsFinishedAndNotBefore) {
  ASSERT_TRUE(WriteTo(file_, "old").ok());
  absl::StatusOr<NewFile> file = NewFile::Create(file_, kOwner | S_IRGRP | S_IROTH);
  ASSERT_TRUE(file.ok());
  const std::string large(3 << 20, 'x');
  ASSERT_TRUE(file->Write(large).ok());
  EXPECT_EQ(Text(file_), "old");
  ASSERT_TRUE(file->Finish().ok());
  EXPECT_EQ(Text(file_), large);
  EXPECT_EQ(Count(), 1);
  struct stat info = {};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0644u);
}

TEST_F(NewFileTest, WhatIsNotFinishedLeavesNothing) {
  {
    absl::StatusOr<NewFile> file = NewFile::Create(file_, kOwner);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->Write("half").ok());
    EXPECT_EQ(Count(), 1);
    const NewFile moved = *std::move(file);
  }
  EXPECT_EQ(Count(), 0);
}

TEST_F(NewFileTest, WhatIsNoFileStaysWhatItIs) {
  // A rename would make a file of a device, if this runs as root: nobody on the machine would have /dev/null any more.
  ASSERT_EQ(mkfifo(file_.c_str(), 0600), 0);
  std::filesystem::create_directory(folder_ / "folder");
  std::filesystem::create_symlink("/dev/null", folder_ / "link");
  for (const char* name : {"file", "folder", "link"}) {
    const std::string path = (folder_ / name).string();
    const auto before = std::filesystem::symlink_status(path).type();
    const absl::Status status = WriteTo(path, "x");
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), testing::StartsWith(path));
    EXPECT_EQ(std::filesystem::symlink_status(path).type(), before);
  }
  EXPECT_EQ(Count(), 3);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(NewFileTest, AlsoIfItBecomesThatMeanwhile) {
  absl::StatusOr<NewFile> file = NewFile::Create(file_, kOwner);
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(mkfifo(file_.c_str(), 0600), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(file->Finish()));
  EXPECT_TRUE(std::filesystem::is_fifo(file_));
}

TEST_F(NewFileTest, ALinkStaysAndWhatItLeadsToIsNew) {
  const std::string target = (folder_ / "target").string();
  ASSERT_TRUE(WriteTo(target, "old").ok());
  std::filesystem::create_symlink("target", file_);
  ASSERT_TRUE(WriteTo(file_, "new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(file_));
  EXPECT_EQ(Text(target), "new");
}

TEST_F(NewFileTest, ErrorsSayWhere) {
  EXPECT_TRUE(absl::IsNotFound(WriteTo((folder_ / "no" / "file").string(), "x")));
  ASSERT_TRUE(WriteTo(file_, "x").ok());
  EXPECT_TRUE(absl::IsNotFound(WriteTo(file_ + "/below", "x")));
}

}  // namespace
}  // namespace planner::base
