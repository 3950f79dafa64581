#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::storage {

/// Where a database is and how it is connected to: a connection string of libpq, and what we add to it.
class PostgresqlServer {
 public:
  /// "host=db1,db2 dbname=planner user=planner" or "postgresql://planner@db1,db2/planner". What it does not say is as we want it: a primary
  /// (target_session_attrs=read-write), 3 s for each host (connect_timeout), TCP keepalives that find a lost host within about 10 s. All
  /// else is libpq's: PGHOST and so on, passfile, service file. INVALID_ARGUMENT at "postgresql"; the text has no part of a password.
  static absl::StatusOr<PostgresqlServer> Parse(const std::string& connection_string);

  /// What PQconnectdbParams takes.
  const std::vector<std::pair<std::string, std::string>>& options() const { return options_; }
  /// "host=db1,db2 dbname=planner": for errors and logs.
  const std::string& where() const { return where_; }

 private:
  std::vector<std::pair<std::string, std::string>> options_;
  std::string where_;
};

/// What libpq says of a string that it cannot read, without what it quotes of it, which may be of a password; but for what looks
/// like the slip of an option's name: "invalid connection option \"hots\"".
std::string WithoutSecrets(std::string_view message);

}  // namespace planner::storage
