#include "services/model_files/model_file_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/error.h"
#include "core/base/fake_clock.h"

namespace planner::model_files {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::string DigestOf(const std::string& content) {
  base::Sha256 sum;
  sum.Update(content);
  return sum.Finish();
}

std::string ReasonOf(const absl::Status& status) { return base::DetailOf(status).reason; }

class ModelFileStoreTest : public ::testing::Test {
 protected:
  ModelFileStoreTest() : root_(fs::path(::testing::TempDir()) / ("model_files_" + Name())), folder_(root_ / "models") {
    fs::remove_all(root_);
  }
  ~ModelFileStoreTest() override { fs::remove_all(root_); }

  static std::string Name() { return ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

  StoreOptions Options() const {
    return {.max_file_bytes = 100, .quota_bytes = 250, .keep = absl::Hours(24), .max_uploads = 2};
  }
  absl::StatusOr<StoredFile> Put(ModelFileStore& store, const std::string& content) {
    auto upload = store.Begin(static_cast<int64_t>(content.size()), DigestOf(content));
    if (!upload.ok()) return upload.status();
    if (const absl::Status status = (*upload)->Append(content); !status.ok()) return status;
    return (*upload)->Commit();
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    if (!fs::exists(folder_)) return names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
    return names;
  }

  const fs::path root_;
  const fs::path folder_;
  base::FakeClock clock_;
  ModelFileStore store_{folder_.string(), Options(), clock_};
};

TEST_F(ModelFileStoreTest, AFileIsFoundByItsContent) {
  EXPECT_TRUE(Put(store_, "content").ok());
  const auto found = store_.Find(DigestOf("content"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->file.size_bytes, 7);
  EXPECT_EQ(found->file.sha256, DigestOf("content"));
  EXPECT_EQ(found->expire_time, clock_.Now() + absl::Hours(24));
  std::stringstream text;
  text << std::ifstream(found->file.path).rdbuf();
  EXPECT_EQ(text.str(), "content");
  struct stat info = {};
  ASSERT_EQ(stat(found->file.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  ASSERT_EQ(stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
}

TEST_F(ModelFileStoreTest, NothingIsMadeBeforeTheFirstUpload) {
  EXPECT_EQ(ReasonOf(store_.Find(DigestOf("x")).status()), "MODEL_NOT_UPLOADED");
  store_.RemoveExpired();
  EXPECT_FALSE(fs::exists(root_));
}

TEST_F(ModelFileStoreTest, WhatIsNoDigestNeverReachesTheFiles) {
  for (const char* text : {"", "..", "../../etc/passwd", "/etc/passwd"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store_.Find(text).status())) << text;
    EXPECT_TRUE(absl::IsInvalidArgument(store_.Begin(1, text).status())) << text;
  }
  EXPECT_FALSE(fs::exists(root_));
}

TEST_F(ModelFileStoreTest, OtherSizesAndContentsLeaveNothing) {
  {
    auto upload = store_.Begin(3, DigestOf("abc"));
    EXPECT_TRUE((*upload)->Append("ab").ok());
    EXPECT_EQ(ReasonOf((*upload)->Commit().status()), "SIZE_MISMATCH");
  }
  {
    auto upload = store_.Begin(3, DigestOf("abc"));
    EXPECT_EQ(ReasonOf((*upload)->Append("abcd")), "SIZE_MISMATCH");
  }
  {
    auto upload = store_.Begin(3, DigestOf("abc"));
    EXPECT_TRUE((*upload)->Append("abd").ok());
    EXPECT_EQ(ReasonOf((*upload)->Commit().status()), "DIGEST_MISMATCH");
  }
  { auto abandoned = store_.Begin(3, DigestOf("abc")); }
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ModelFileStoreTest, SizesAreBounded) {
  EXPECT_TRUE(absl::IsInvalidArgument(store_.Begin(0, DigestOf("")).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store_.Begin(-1, DigestOf("")).status()));
  const absl::Status large = store_.Begin(101, DigestOf("")).status();
  EXPECT_TRUE(absl::IsResourceExhausted(large));
  EXPECT_EQ(ReasonOf(large), "MODEL_FILE_TOO_LARGE");
}

TEST_F(ModelFileStoreTest, UploadsAtOnceAreBounded) {
  auto first = store_.Begin(1, DigestOf("1"));
  auto second = store_.Begin(1, DigestOf("2"));
  EXPECT_EQ(ReasonOf(store_.Begin(1, DigestOf("3")).status()), "TOO_MANY_UPLOADS");
  first->reset();
  EXPECT_TRUE(store_.Begin(1, DigestOf("3")).ok());
}

TEST_F(ModelFileStoreTest, TheOnesUnusedForLongestMakeRoom) {
  const std::string a(100, 'a'), b(100, 'b'), c(100, 'c');
  ASSERT_TRUE(Put(store_, a).ok());
  clock_.Advance(absl::Minutes(1));
  ASSERT_TRUE(Put(store_, b).ok());
  clock_.Advance(absl::Minutes(1));
  ASSERT_TRUE(store_.Find(DigestOf(a)).ok());
  ASSERT_TRUE(Put(store_, c).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre(DigestOf(a), DigestOf(c)));
}

TEST_F(ModelFileStoreTest, WhatIsInUseMakesNoRoom) {
  const std::string a(100, 'a'), b(100, 'b'), c(100, 'c');
  auto used = Put(store_, a);
  const auto written = store_.Begin(100, DigestOf(b));
  ASSERT_TRUE(used.ok() && written.ok());
  const absl::Status full = Put(store_, c).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full));
  EXPECT_EQ(ReasonOf(full), "MODEL_FILE_QUOTA");
  EXPECT_TRUE(fs::exists(used->file.path));
  // Another store on the same folder (another process) sees the same.
  ModelFileStore other(folder_.string(), Options(), clock_);
  EXPECT_EQ(ReasonOf(Put(other, c).status()), "MODEL_FILE_QUOTA");
  used->pin.reset();
  EXPECT_TRUE(Put(store_, c).ok());
  EXPECT_FALSE(fs::exists(used->file.path));
}

TEST_F(ModelFileStoreTest, UnusedFilesExpire) {
  ASSERT_TRUE(Put(store_, "old").ok());
  clock_.Advance(absl::Hours(23));
  EXPECT_TRUE(store_.Find(DigestOf("old")).ok());
  clock_.Advance(absl::Hours(23));
  auto used = store_.Find(DigestOf("old"));
  ASSERT_TRUE(used.ok());
  clock_.Advance(absl::Hours(25));
  EXPECT_EQ(ReasonOf(store_.Find(DigestOf("old")).status()), "MODEL_NOT_UPLOADED");
  EXPECT_THAT(Files(), SizeIs(1));  // Somebody still counts it.
  used->pin.reset();
  store_.RemoveExpired();
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(ModelFileStoreTest, WhatACrashLeftIsRemovedAndForeignFilesAreNot) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / ".upload-abc123") << "half";
  std::ofstream(folder_ / "notes.txt") << "mine";
  const auto written = store_.Begin(3, DigestOf("abc"));
  ASSERT_TRUE(written.ok());
  store_.RemoveExpired();
  EXPECT_THAT(Files(), SizeIs(2));
  EXPECT_TRUE(fs::exists(folder_ / "notes.txt"));
  EXPECT_FALSE(fs::exists(folder_ / ".upload-abc123"));
}

TEST_F(ModelFileStoreTest, TheSameContentTwiceIsOneFile) {
  const auto first = Put(store_, "content");
  const auto second = Put(store_, "content");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_THAT(Files(), SizeIs(1));
  EXPECT_EQ(first->file.path, second->file.path);
}

TEST_F(ModelFileStoreTest, WithoutAFolderFilesAreTemporary) {
  std::string path;
  {
    ModelFileStore store("", {}, clock_);
    const auto stored = Put(store, "content");
    ASSERT_TRUE(stored.ok());
    path = stored->file.path;
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(fs::path(path).parent_path()));
}

/// A limit on the size of files stands for a full disk: the same kind of error, and no privilege is needed.
TEST_F(ModelFileStoreTest, AFullDiskIsSaidAndNothingIsKept) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 50;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = Put(store_, std::string(100, 'a')).status();
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(ReasonOf(status), "DISK_FULL");
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_TRUE(Put(store_, std::string(100, 'a')).ok());
}

}  // namespace
}  // namespace planner::model_files
