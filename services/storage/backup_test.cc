#include "services/storage/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "services/storage/sqlite_store.h"

namespace planner::storage {
namespace {

using store::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BackupTest : public ::testing::Test {
 protected:
  BackupTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "planner-backup-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    file_ = folder_ / "backup";
  }
  ~BackupTest() override { std::filesystem::remove_all(folder_); }

  void Fill(store::Store& store) {
    ASSERT_TRUE(store.Create(Kind::kCluster, "b", std::string("\0\xff\n\"", 4), "").ok());
    clock_.Advance(absl::Seconds(1));
    ASSERT_TRUE(store.Create(Kind::kPlan, "a", "", "request \"1\"").ok());
    ASSERT_TRUE(store.Create(Kind::kPlan, "gone", "", "").ok());
    clock_.Advance(absl::Nanoseconds(1));
    ASSERT_TRUE(
        store.Update(Kind::kCluster, "b", "", [](const store::Record& old) { return old.value + "more"; }).ok());
    ASSERT_TRUE(store.Delete(Kind::kPlan, "gone", "").ok());
  }
  /// Everything but etags.
  static std::vector<std::string> All(store::Store& store) {
    std::vector<std::string> all;
    EXPECT_TRUE(store
                    .Export([&](const store::KeptRecord& one) {
                      all.push_back(std::string(KindName(one.kind)) + "|" + one.record.name + "|" + one.record.value +
                                    "|" + one.request_id + "|" + absl::FormatTime(one.record.create_time) + "|" +
                                    absl::FormatTime(one.record.update_time));
                      return absl::OkStatus();
                    })
                    .ok());
    return all;
  }
  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(file_).rdbuf();
    return text.str();
  }
  absl::Status RestoreOf(const std::string& text) {
    std::ofstream(file_) << text;
    store::MemoryStore store(clock_);
    const absl::Status status = RestoreBackup(store, file_.string()).status();
    EXPECT_THAT(All(store), ElementsAre());
    return status;
  }

  base::FakeClock clock_;
  std::filesystem::path folder_, file_;
  store::MemoryStore memory_{clock_};
};

TEST_F(BackupTest, MovesEverythingToAnotherStore) {
  Fill(memory_);
  EXPECT_EQ(*WriteBackup(memory_, file_.string()), 2);
  EXPECT_EQ(std::filesystem::status(file_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  clock_.Advance(absl::Hours(1));
  SqliteStore sqlite((folder_ / "state").string(), clock_);
  EXPECT_EQ(*RestoreBackup(sqlite, file_.string()), 2);
  EXPECT_EQ(All(sqlite), All(memory_));
  EXPECT_EQ(sqlite.Create(Kind::kPlan, "c", "", "request \"1\"")->name, "a");
  // And a backup of that is the same bytes.
  const std::string first = Text();
  ASSERT_TRUE(WriteBackup(sqlite, file_.string()).ok());
  EXPECT_EQ(Text(), first);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}),
            2);  // The file and the state: nothing half-done.
}

TEST_F(BackupTest, RefusesAStoreThatIsNotEmpty) {
  Fill(memory_);
  ASSERT_TRUE(WriteBackup(memory_, file_.string()).ok());
  store::MemoryStore other(clock_);
  ASSERT_TRUE(other.Create(Kind::kRun, "mine", "1", "").ok());
  const absl::Status status = RestoreBackup(other, file_.string()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("run \"mine\""));
  EXPECT_EQ(All(other).size(), 1u);
}

TEST_F(BackupTest, AnEmptyStoreGivesNone) {
  EXPECT_TRUE(absl::IsFailedPrecondition(WriteBackup(memory_, file_.string()).status()));
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(BackupTest, ADeviceIsNoPlaceForOne) {
  Fill(memory_);
  for (const char* device : {"/dev/null", "/dev/full"}) {
    const absl::Status status = WriteBackup(memory_, device).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(device));
    EXPECT_TRUE(std::filesystem::is_character_file(device));
  }
}

TEST_F(BackupTest, WhatIsNoWholeBackupStoresNothing) {
  Fill(memory_);
  ASSERT_TRUE(WriteBackup(memory_, file_.string()).ok());
  const std::string whole = Text();
  // Cut after every line, one byte changed in every line, and something after the end.
  size_t line = 0;
  for (size_t at = 0; at < whole.size(); at = line + 1) {
    line = whole.find('\n', at);
    EXPECT_TRUE(absl::IsDataLoss(RestoreOf(whole.substr(0, at)))) << at;
    std::string changed = whole;
    changed[line - 3] = changed[line - 3] == 'x' ? 'y' : 'x';
    EXPECT_TRUE(absl::IsDataLoss(RestoreOf(changed))) << changed;
  }
  EXPECT_TRUE(absl::IsDataLoss(RestoreOf(whole + "{}\n")));
  EXPECT_TRUE(absl::IsDataLoss(RestoreOf("nonsense")));
  EXPECT_TRUE(absl::IsDataLoss(RestoreOf("")));
  EXPECT_TRUE(absl::IsFailedPrecondition(RestoreOf("{\"format\":\"planner-backup\",\"version\":2}\n")));
  std::filesystem::remove(file_);
  store::MemoryStore empty(clock_);
  EXPECT_TRUE(absl::IsNotFound(RestoreBackup(empty, file_.string()).status()));
  EXPECT_TRUE(absl::IsNotFound(WriteBackup(memory_, (folder_ / "no" / "folder").string()).status()));
}

}  // namespace
}  // namespace planner::storage
