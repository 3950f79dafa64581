#include "services/storage/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/fake_clock.h"

namespace planner::storage {
namespace {

using store::Kind;
using ::testing::HasSubstr;

/// What the rules of store.h leave to SQLite: files, and other processes. tests/storage has the rules.
class SqliteStoreTest : public ::testing::Test {
 protected:
  SqliteStoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "planner-sqlite-XXXXXX").string();
    scratch_ = mkdtemp(pattern.data());
    directory_ = scratch_ / "deep" / "state";
    file_ = directory_ / SqliteStore::kFileName;
  }
  ~SqliteStoreTest() override { std::filesystem::remove_all(scratch_); }

  base::FakeClock clock_;
  std::filesystem::path scratch_, directory_, file_;
};

TEST_F(SqliteStoreTest, ReadingCreatesNothing) {
  SqliteStore store(directory_.string(), clock_);
  EXPECT_TRUE(absl::IsNotFound(store.Get(Kind::kPlan, "a").status()));
  EXPECT_TRUE(absl::IsNotFound(store.Delete(Kind::kPlan, "a", "")));
  EXPECT_TRUE(store.List(Kind::kPlan, {})->records.empty());
  EXPECT_EQ(*store.Version(), 0);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "deep"));
}

TEST_F(SqliteStoreTest, TheFirstWriteCreatesAPrivateFolder) {
  SqliteStore store(directory_.string(), clock_);
  ASSERT_TRUE(store.Create(Kind::kPlan, "a", "1", "").ok());
  EXPECT_EQ(std::filesystem::status(directory_).permissions(), std::filesystem::perms::owner_all);
  EXPECT_EQ(store.Get(Kind::kPlan, "a")->value, "1");
}

TEST_F(SqliteStoreTest, OutlivesTheProcess) {
  SqliteStore(directory_.string(), clock_).Create(Kind::kPlan, "a", "1", "id").IgnoreError();
  SqliteStore store(directory_.string(), clock_);
  EXPECT_EQ(store.Get(Kind::kPlan, "a")->value, "1");
  EXPECT_EQ(store.Create(Kind::kPlan, "b", "2", "id")->name, "a");
}

TEST_F(SqliteStoreTest, SeesWhatAnotherProcessWrites) {
  SqliteStore ours(directory_.string(), clock_);
  SqliteStore theirs(directory_.string(), clock_);
  ASSERT_TRUE(ours.Create(Kind::kCluster, "a", "1", "").ok());
  const int64_t version = *ours.Version();
  ASSERT_TRUE(theirs.Update(Kind::kCluster, "a", "", [](const store::Record&) { return "2"; }).ok());
  EXPECT_NE(*ours.Version(), version);
  EXPECT_EQ(ours.Get(Kind::kCluster, "a")->value, "2");
}

TEST_F(SqliteStoreTest, AFileThatIsNoDatabaseIsAnErrorThatNamesIt) {
  std::filesystem::create_directories(directory_);
  std::ofstream(file_) << std::string(4096, 'x');
  SqliteStore store(directory_.string(), clock_);
  EXPECT_EQ(store.Open().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(store.Open().message()), HasSubstr(file_.string()));
  EXPECT_EQ(store.Get(Kind::kPlan, "a").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SqliteStoreTest, AFileOfTheFirstVersionIsBroughtUpToDate) {
  std::filesystem::create_directories(directory_);
  ASSERT_TRUE((*Database::Open(file_.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE))
                  ->Execute(R"sql(
      CREATE TABLE records (sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, name BLOB NOT NULL,
        value BLOB NOT NULL, etag BLOB NOT NULL, request_id BLOB NOT NULL, create_time INTEGER NOT NULL,
        update_time INTEGER NOT NULL, UNIQUE (kind, name)) STRICT;
      CREATE UNIQUE INDEX records_by_request_id ON records (kind, request_id) WHERE length(request_id) > 0;
      CREATE INDEX records_by_age ON records (kind, sequence);
      CREATE TABLE revision (number INTEGER NOT NULL) STRICT;
      INSERT INTO revision VALUES (7);
      INSERT INTO records VALUES (3, 1, CAST('a' AS BLOB), CAST('old' AS BLOB), CAST('7' AS BLOB), CAST('' AS BLOB), 1, 2);
      PRAGMA user_version = 1;
    )sql")
                  .ok());
  SqliteStore store(directory_.string(), clock_);
  EXPECT_EQ(store.Get(Kind::kCluster, "a")->value, "old");
  const auto all = store.ChangesSince({Kind::kCluster}, 0);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->written.size(), 1u);
  EXPECT_EQ(all->version, 7);
  ASSERT_TRUE(store.Update(Kind::kCluster, "a", "7", [](const store::Record&) { return "new"; }).ok());
  EXPECT_EQ(store.ChangesSince({Kind::kCluster}, 7)->written.at(0).record.value, "new");
}

TEST_F(SqliteStoreTest, AFileOfANewerVersionIsRefused) {
  ASSERT_TRUE(SqliteStore(directory_.string(), clock_).Open().ok());
  ASSERT_TRUE((*Database::Open(file_.string(), SQLITE_OPEN_READWRITE))->Execute("PRAGMA user_version = 999").ok());
  SqliteStore store(directory_.string(), clock_);
  EXPECT_TRUE(absl::IsFailedPrecondition(store.Open()));
  EXPECT_TRUE(absl::IsFailedPrecondition(store.Get(Kind::kPlan, "a").status()));
}

TEST_F(SqliteStoreTest, AFolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  std::ofstream(scratch_ / "deep") << "a file where a folder should be";
  SqliteStore store(directory_.string(), clock_);
  EXPECT_TRUE(absl::IsPermissionDenied(store.Open()));
  EXPECT_THAT(std::string(store.Open().message()), HasSubstr(directory_.string()));
}

TEST_F(SqliteStoreTest, WritesAheadAndSynchronously) {
  SqliteStore store(directory_.string(), clock_);
  ASSERT_TRUE(store.Open().ok());
  EXPECT_TRUE(std::filesystem::exists(file_.string() + "-wal"));
}

}  // namespace
}  // namespace planner::storage
