#include "tests/support/private_postgresql.h"

#include <pwd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "core/base/clock.h"

namespace planner::support {
namespace {

constexpr char kRole[] = "planner";
constexpr absl::Duration kPatience = absl::Seconds(30);

std::string Program(const std::string& name) { return std::string(POSTGRESQL_FOLDER) + "/" + name; }

}  // namespace

PrivatePostgresql::PrivatePostgresql(Disk disk) : disk_(disk) {
  std::string pattern = (std::filesystem::temp_directory_path() / "planner-postgresql-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return;
  folder_ = pattern;
  if (geteuid() == 0) {
    user_ = getpwnam("postgres") != nullptr ? "postgres" : "nobody";
    const passwd* entry = getpwnam(user_.c_str());
    if (entry == nullptr || chown(folder_.c_str(), entry->pw_uid, entry->pw_gid) != 0) return;
  }
  ChildProcess initdb({{Program("initdb"), "--pgdata", folder_ / "data", "--username", kRole, "--auth", "trust",
                        "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"},
                       user_});
  const int code = initdb.Wait();
  output_ = initdb.output();
  if (code == 0) Start();
}

PrivatePostgresql::~PrivatePostgresql() {
  if (server_ != nullptr) {
    server_->Signal(SIGQUIT);  // At once; nobody needs what it has.
    server_.reset();
  }
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

std::string PrivatePostgresql::output() const { return server_ != nullptr ? server_->output() : output_; }

std::string PrivatePostgresql::ConnectionString(const std::string& schema) const {
  return "host=" + folder_.string() + " user=" + kRole + " dbname=postgres options=-csearch_path=" + schema;
}

void PrivatePostgresql::Kill() {
  if (server_ == nullptr) return;
  server_->Signal(SIGKILL);
  server_->Wait();
  output_ = server_->output();
  server_.reset();
}

bool PrivatePostgresql::Start() {
  std::vector<std::string> command = {
      Program("postgres"), "-D", folder_ / "data", "-k", folder_, "-c", "listen_addresses=", "-c",
      // Statements that fail on purpose are not its news.
      "log_min_messages=log", "-c", "log_min_error_statement=panic", "-c", "max_connections=100"};
  if (disk_ == Disk::kFast) command.insert(command.end(), {"-c", "fsync=off", "-c", "full_page_writes=off"});
  const absl::Time end = base::Clock::Real().Now() + kPatience;
  do {
    server_ = std::make_unique<ChildProcess>(ChildOptions{command, user_});
    if (server_->WaitForOutput("database system is ready to accept connections", end - base::Clock::Real().Now()))
      return true;
    // One that was killed leaves processes behind, which take a moment to notice; so long it does not start.
    server_->Signal(SIGKILL);
    server_->Wait();
    output_ = server_->output();
    server_.reset();
  } while (base::Clock::Real().Now() < end);
  return false;
}

}  // namespace planner::support
