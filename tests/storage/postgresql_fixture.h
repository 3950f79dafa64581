#pragma once

#include <string>

#include "services/storage/postgresql_server.h"
#include "tests/support/private_postgresql.h"

namespace planner::storage {

/// The one server of the tests of this program, which ends with them.
support::PrivatePostgresql& Server();

/// A part of it that is empty, and nobody else's. The test fails where there is no server.
std::string NewConnectionString();
PostgresqlServer NewDatabase();

}  // namespace planner::storage
