#include "services/storage/postgresql_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "core/base/fake_clock.h"
#include "core/store/memory_store.h"
#include "services/storage/backup.h"
#include "services/storage/sqlite_store.h"
#include "tests/storage/cutting_proxy.h"
#include "tests/storage/postgresql_fixture.h"
#include "tests/storage/scratch_folder.h"

namespace planner::storage {
namespace {

using store::Kind;
using store::Transaction;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// What the rules of store.h leave to PostgreSQL: other processes, and a server that goes and comes.
class PostgresqlStoreTest : public ::testing::Test {
 protected:
  static std::unique_ptr<PostgresqlConnection> Admin(const PostgresqlServer& server) {
    return *PostgresqlConnection::Open(server);
  }
  /// Ends every other connection to the server.
  static void BreakConnections(const PostgresqlServer& server) {
    ASSERT_TRUE(Admin(server)
                    ->Execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type = "
                              "'client backend' AND "
                              "pid <> pg_backend_pid()")
                    .ok());
  }

  base::FakeClock clock_;
  std::string text_ = NewConnectionString();
  PostgresqlServer server_ = *PostgresqlServer::Parse(text_);
  PostgresqlStore store_{server_, clock_, {.patience = absl::Seconds(20)}};
};

TEST_F(PostgresqlStoreTest, SeveralMakeTheTablesAtOnce) {
  constexpr int kThreads = 6;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      PostgresqlStore store(server_, clock_);
      const absl::Status opened = store.Open();
      EXPECT_TRUE(opened.ok()) << opened;
      EXPECT_TRUE(store.Create(Kind::kPlan, std::to_string(i), "1", "").ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*store_.Version(), kThreads);
}

TEST_F(PostgresqlStoreTest, TablesOfANewerVersionAreRefused) {
  ASSERT_TRUE(store_.Open().ok());
  ASSERT_TRUE(Admin(server_)->Execute("UPDATE planner_schema SET version = 999").ok());
  PostgresqlStore store(server_, clock_);
  EXPECT_TRUE(absl::IsFailedPrecondition(store.Open()));
  EXPECT_TRUE(absl::IsFailedPrecondition(store.Get(Kind::kPlan, "a").status()));
}

TEST_F(PostgresqlStoreTest, TransactionsOfSeveralProcessesDoNotMix) {
  constexpr int kStores = 3;
  constexpr int kRounds = 40;
  ASSERT_TRUE(store_.Create(Kind::kCluster, "left", std::to_string(kStores * kRounds / 2), "").ok());
  int64_t version = *store_.Version();
  std::vector<std::thread> threads;
  for (int i = 0; i < kStores; ++i) {
    threads.emplace_back([&, i] {
      PostgresqlStore store(server_, clock_);
      for (int j = 0; j < kRounds; ++j) {
        const absl::Status status = store.Transact([&](Transaction& transaction) -> absl::Status {
          const int left = std::stoi(transaction.Get(Kind::kCluster, "left")->value);
          if (left == 0) return absl::ResourceExhaustedError("none is left");
          EXPECT_TRUE(transaction.Update(Kind::kCluster, "left", "", std::to_string(left - 1)).ok());
          return transaction.Create(Kind::kReservation, std::to_string(i) + "-" + std::to_string(j), "1", "").status();
        });
        EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
      }
    });
  }
  // Meanwhile, whoever asks for what has changed is told each reservation once.
  std::set<std::string> told;
  const auto ask = [&] {
    const auto changes = store_.ChangesSince({Kind::kReservation}, version);
    ASSERT_TRUE(changes.ok()) << changes.status();
    for (const auto& one : changes->written) EXPECT_TRUE(told.insert(one.record.name).second) << one.record.name;
    version = changes->version;
  };
  for (int i = 0; i < 50; ++i) ask();
  for (std::thread& thread : threads) thread.join();
  ask();
  EXPECT_EQ(told.size(), size_t{kStores * kRounds / 2});
  EXPECT_EQ(store_.Get(Kind::kCluster, "left")->value, "0");
}

TEST_F(PostgresqlStoreTest, ConnectionsThatWereLostAreMadeAnew) {
  ASSERT_TRUE(store_.Create(Kind::kPlan, "a", "1", "").ok());
  ASSERT_TRUE(store_.Get(Kind::kPlan, "a").ok());
  const int64_t version = *store_.WaitForChange(0, absl::Minutes(1));
  BreakConnections(server_);
  EXPECT_EQ(store_.Get(Kind::kPlan, "a")->value, "1");
  EXPECT_EQ(store_.Create(Kind::kPlan, "b", "2", "")->value, "2");
  EXPECT_EQ(*store_.Version(), version + 1);
}

TEST_F(PostgresqlStoreTest, ATransactionWhoseConnectionIsLostRunsAgain) {
  int runs = 0;
  const absl::Status status = store_.Transact([&](Transaction& transaction) -> absl::Status {
    if (++runs == 1) BreakConnections(server_);
    return transaction.Create(Kind::kPlan, "a", std::to_string(runs), "").status();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(store_.Get(Kind::kPlan, "a")->value, "2");
}

TEST_F(PostgresqlStoreTest, AServerThatIsKilledIsWaitedForAndHasWhatItAcknowledged) {
  ASSERT_TRUE(store_.Create(Kind::kPlan, "before", "1", "").ok());
  ASSERT_TRUE(store_.Get(Kind::kPlan, "before").ok());
  support::PrivatePostgresql& server = Server();
  server.Kill();
  std::thread writer([&] { EXPECT_TRUE(store_.Create(Kind::kPlan, "meanwhile", "2", "").ok()); });
  std::thread reader([&] { EXPECT_EQ(store_.Get(Kind::kPlan, "before")->value, "1"); });
  EXPECT_TRUE(server.Start()) << server.output();
  writer.join();
  reader.join();
  EXPECT_EQ(store_.Get(Kind::kPlan, "meanwhile")->value, "2");
}

/// A store whose connections can be cut.
class CutPostgresqlStoreTest : public PostgresqlStoreTest {
 protected:
  static std::string FolderOf(const std::string& text) { return text.substr(5, text.find(' ') - 5); }
  std::string WithFolder(const std::string& folder) const { return "host=" + folder + text_.substr(text_.find(' ')); }

  store::ScratchFolder folder_;
  CuttingProxy proxy_{FolderOf(text_), folder_.path()};
  PostgresqlStore cut_{*PostgresqlServer::Parse(WithFolder(folder_.path())), clock_, {.patience = absl::Seconds(20)}};
};

TEST_F(CutPostgresqlStoreTest, ACommitThatWasNotAnsweredIsLookedUp) {
  ASSERT_TRUE(cut_.Open().ok());
  // Either way the client hears the same, and must store it exactly once.
  for (const auto cut : {CuttingProxy::Cut::kBeforeCommit, CuttingProxy::Cut::kAfterCommit}) {
    const bool is_kept = cut == CuttingProxy::Cut::kAfterCommit;
    const std::string name = is_kept ? "after" : "before";
    int runs = 0;
    const absl::Status status = cut_.Transact([&](Transaction& transaction) -> absl::Status {
      if (++runs == 1) proxy_.CutNext(cut);
      return transaction.Create(Kind::kPlan, name, std::to_string(runs), "").status();
    });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(runs, is_kept ? 1 : 2);
    EXPECT_EQ(store_.Get(Kind::kPlan, name)->value, std::to_string(runs));
  }
  // And so are changes.
  int runs = 0;
  const absl::Status status = cut_.Transact([&](Transaction& transaction) -> absl::Status {
    if (++runs == 1) proxy_.CutNext(CuttingProxy::Cut::kAfterCommit);
    return transaction.Update(Kind::kPlan, "after", "", "changed").status();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(runs, 1);
}

TEST_F(CutPostgresqlStoreTest, WhereItCannotBeKnownTheErrorSaysSoAndAskingAgainIsSafe) {
  PostgresqlStore impatient(*PostgresqlServer::Parse(WithFolder(folder_.path())), clock_,
                            {.patience = absl::Milliseconds(100)});
  ASSERT_TRUE(impatient.Open().ok());
  const absl::Status status = impatient.Transact([&](Transaction& transaction) -> absl::Status {
    proxy_.CutNext(CuttingProxy::Cut::kAfterCommit);
    proxy_.Refuse(true);
    return transaction.Create(Kind::kPlan, "a", "1", "id").status();
  });
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("ask again with the same request_id"));
  proxy_.Refuse(false);
  EXPECT_EQ(impatient.Create(Kind::kPlan, "b", "2", "id")->name, "a");
}

TEST_F(PostgresqlStoreTest, WithoutAServerTheErrorNamesTheHostAndNoPassword) {
  PostgresqlStore store(*PostgresqlServer::Parse("host=/nonexistent/folder dbname=planner password=opensesame"), clock_,
                        {.patience = absl::ZeroDuration()});
  for (const absl::Status& status :
       {store.Open(), store.Get(Kind::kPlan, "a").status(), store.Version().status(),
        store.Create(Kind::kPlan, "a", "", "").status(), store.WaitForChange(0, absl::Seconds(1)).status()}) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("/nonexistent/folder"), Not(HasSubstr("sesame")), Not(HasSubstr("\n"))));
  }
}

TEST_F(PostgresqlStoreTest, TheFirstOfSeveralHostsThatTakesWritesIsUsed) {
  const std::string rest = text_.substr(text_.find('/'));
  PostgresqlStore store(*PostgresqlServer::Parse("host=/nonexistent," + rest), clock_,
                        {.patience = absl::ZeroDuration()});
  EXPECT_TRUE(store.Create(Kind::kPlan, "a", "1", "").ok());
  // One that only reads is none of ours.
  const std::string reads_only = text_ + " options='-csearch_path=public -cdefault_transaction_read_only=on'";
  PostgresqlStore standby(*PostgresqlServer::Parse(reads_only), clock_, {.patience = absl::ZeroDuration()});
  const absl::Status status = standby.Open();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("read-only"));
}

TEST_F(PostgresqlStoreTest, AWaitEndsWithAnotherProcessesChange) {
  PostgresqlStore theirs(server_, clock_);
  ASSERT_TRUE(theirs.Create(Kind::kCluster, "a", "1", "").ok());
  const int64_t version = *store_.Version();
  EXPECT_EQ(*store_.WaitForChange(version, absl::ZeroDuration()), version);  // From here on it listens.
  ASSERT_TRUE(theirs.Create(Kind::kCluster, "b", "1", "").ok());
  EXPECT_EQ(*store_.WaitForChange(version, absl::Minutes(1)), version + 1);
}

TEST_F(PostgresqlStoreTest, OldDeletionsAndWritersAreForgotten) {
  ASSERT_TRUE(store_.Create(Kind::kPlan, "a", "1", "").ok());
  const int64_t version = *store_.Version();
  ASSERT_TRUE(store_.Delete(Kind::kPlan, "a", "").ok());
  const auto admin = Admin(server_);
  const auto count = [&](const std::string& table) {
    return *admin->ExecuteForInteger("SELECT count(*) FROM " + table);
  };
  EXPECT_EQ(count("planner_deletions"), 1);
  // As if 100,999 revisions had passed.
  ASSERT_TRUE(admin->Execute("UPDATE planner_revision SET number = 100999").ok());
  PostgresqlStore later(server_, clock_);
  ASSERT_TRUE(later.Create(Kind::kPlan, "b", "1", "").ok());
  ASSERT_TRUE(later.Create(Kind::kPlan, "c", "1", "").ok());
  EXPECT_EQ(count("planner_deletions"), 0);
  EXPECT_EQ(count("planner_writers"), 1);
  EXPECT_TRUE(store_.ChangesSince({Kind::kPlan}, version)->is_all);
}

TEST_F(PostgresqlStoreTest, ABackupMovesSqliteThereAndBack) {
  store::ScratchFolder folder;
  store::MemoryStore memory(clock_);
  for (int i = 0; i < 1200; ++i) {  // More than Export reads at once.
    ASSERT_TRUE(
        memory.Create(Kind::kReservation, std::to_string(i * 7919 % 1200), std::string(i % 50, '\0'), std::to_string(i))
            .ok());
    clock_.Advance(absl::Nanoseconds(1));
  }
  SqliteStore sqlite(folder.path() + "/state", clock_);
  ASSERT_TRUE(sqlite.Import([&](const store::Take& take) { return memory.Export(take); }).ok());
  const std::string first = folder.path() + "/first";
  const std::string second = folder.path() + "/second";
  ASSERT_EQ(*WriteBackup(sqlite, first), 1200);
  ASSERT_EQ(*RestoreBackup(store_, first), 1200);
  EXPECT_TRUE(absl::IsFailedPrecondition(RestoreBackup(store_, first).status()));
  EXPECT_EQ(store_.Create(Kind::kReservation, "new", "", "77")->name, std::to_string(77 * 7919 % 1200));
  ASSERT_EQ(*WriteBackup(store_, second), 1200);
  std::ifstream one(first), other(second);
  EXPECT_TRUE(std::equal(std::istreambuf_iterator<char>(one), {}, std::istreambuf_iterator<char>(other), {}));
}

}  // namespace
}  // namespace planner::storage
