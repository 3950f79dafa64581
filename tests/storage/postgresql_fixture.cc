#include "tests/storage/postgresql_fixture.h"

#include <gtest/gtest.h>

#include <memory>

#include "services/storage/postgresql.h"

namespace planner::storage {
namespace {

std::unique_ptr<support::PrivatePostgresql> server;

class EndsServer : public ::testing::Environment {
 public:
  void TearDown() override { server.reset(); }
};
[[maybe_unused]] const ::testing::Environment* const kEndsServer = ::testing::AddGlobalTestEnvironment(new EndsServer);

}  // namespace

support::PrivatePostgresql& Server() {
  if (server == nullptr) server = std::make_unique<support::PrivatePostgresql>();
  EXPECT_TRUE(server->is_running()) << server->output();
  return *server;
}

std::string NewConnectionString() {
  static int number = 0;
  const std::string schema = "test" + std::to_string(++number);
  const auto connection = PostgresqlConnection::Open(*PostgresqlServer::Parse(Server().ConnectionString()));
  EXPECT_TRUE(connection.ok()) << connection.status();
  if (connection.ok()) {
    EXPECT_TRUE((*connection)->Execute("CREATE SCHEMA " + schema).ok());
  }
  return Server().ConnectionString(schema);
}

PostgresqlServer NewDatabase() { return *PostgresqlServer::Parse(NewConnectionString()); }

}  // namespace planner::storage
