#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tests/support/child_process.h"

namespace planner::support {

/// A PostgreSQL of a test's own: in a temporary folder, reached by a socket in it and by no port, gone with the object. It runs as an
/// ordinary user (as root it refuses to: then as "postgres", or else "nobody"), and has nothing to do with a server of the machine's.
class PrivatePostgresql {
 public:
  enum class Disk {
    kFast,  ///< Waits for no disk: what is kept outlives the server's processes, not the machine.
    kSafe,  ///< As a server should run.
  };
  /// Makes and starts it, which takes about 2 s.
  explicit PrivatePostgresql(Disk disk = Disk::kFast);
  ~PrivatePostgresql();
  PrivatePostgresql(const PrivatePostgresql&) = delete;
  PrivatePostgresql& operator=(const PrivatePostgresql&) = delete;

  bool is_running() const { return server_ != nullptr; }
  /// What it has said last; why it does not run.
  std::string output() const;
  /// A connection string: a superuser, trusted; its tables are in that schema, which must be there.
  std::string ConnectionString(const std::string& schema = "public") const;

  /// SIGKILL to the server. Its processes see that by themselves.
  void Kill();
  /// After Kill: whether it takes connections again, for which it waits.
  bool Start();

 private:
  std::filesystem::path folder_;
  const Disk disk_;
  std::string user_;  ///< Empty: we are an ordinary one.
  std::unique_ptr<ChildProcess> server_;
  std::string output_;  ///< Of what has ended.
};

}  // namespace planner::support
