#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/child_process.h"

namespace planner::slurm {

/// What a program that has ended said, and how long it took.
struct Said {
  int exit_code = -1;
  std::string text;  ///< Standard output and error.
  absl::Duration took;
};

/// Runs a program to its end.
Said RunCommand(const std::vector<std::string>& command);

/// Looks until it is so, every 20 ms, for a minute at most. Whether it has become so.
bool Eventually(const std::function<bool()>& is_so);

/// The text of a file; empty: there is none.
std::string ReadFile(const std::filesystem::path& path);
void WriteFile(const std::filesystem::path& path, const std::string& text,
               std::filesystem::perms perms = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);

struct SlurmClusterOptions {
  int nodes = 64;
  bool asks_planner = true;  ///< job_submit.lua is there.
  bool gives_advice = true;  ///< cli_filter.lua is there.
};

/// A real Slurm of 64 nodes with 8 fake A100s each, on loopback and on ports that were free, in a folder of its own; a plannerd, `plannerctl slurm
/// serve` and the scripts of clients/slurm and deploy/slurm beside it. Everything ends with the object. Partitions, all of the same nodes:
/// gpu (the default; enforce, open), closed (enforce, closed), advise, amend.
class SlurmCluster {
 public:
  explicit SlurmCluster(const SlurmClusterOptions& options = {});
  ~SlurmCluster();
  SlurmCluster(const SlurmCluster&) = delete;
  SlurmCluster& operator=(const SlurmCluster&) = delete;

  /// Slurm's commands of this process speak to this one from here on.
  void Use() const;

  /// Why it does not run; empty: it does.
  const std::string& failure() const { return failure_; }
  const std::filesystem::path& folder() const { return folder_; }
  std::string server() const { return "unix:" + (folder_ / "planner.sock").string(); }
  std::string submit_socket() const { return folder_ / "submit.sock"; }
  std::string advice_socket() const { return folder_ / "advice.sock"; }

  /// sbatch of a job that sleeps so long, with these options.
  Said Submit(const std::vector<std::string>& options, const std::string& command = "true") const;
  /// plannerctl against this planner.
  Said Plannerctl(const std::vector<std::string>& arguments) const;
  /// The number in "Submitted batch job 7"; empty: it was not taken.
  static std::string JobOf(const Said& said);
  /// What scontrol calls `name` of a job: "TimeLimit", "AdminComment".
  std::string Field(const std::string& job, const std::string& name) const;

  /// slurmctld's log from here on.
  size_t LogSize() const;
  std::string LogSince(size_t size) const;
  /// The breaker of job_submit.lua is closed again: slurmctld reads the script anew with the next job.
  void ForgetFailures() const;

  support::ChildProcess* plannerd() { return plannerd_.get(); }
  void StartPlannerd();
  void StopPlannerd() { plannerd_.reset(); }
  support::ChildProcess* serve() { return serve_.get(); }
  void StartServe();
  void StopServe() { serve_.reset(); }

 private:
  void WriteConfiguration();
  bool StartDaemons();

  const SlurmClusterOptions options_;
  std::filesystem::path folder_;
  std::string failure_;
  std::unique_ptr<support::ChildProcess> munged_, slurmctld_, plannerd_, serve_;
  std::vector<std::unique_ptr<support::ChildProcess>> slurmds_;
};

/// Takes connections at a Unix socket in place of a planner, and does to each what it is told.
class FakeServer {
 public:
  enum class Answer {
    kNone,     ///< Reads and says nothing: a black hole.
    kGarbage,  ///< Says at once what is no answer.
    kFlood,    ///< Does not stop to say what is none.
    kLate,     ///< The right answer, five seconds late.
  };
  FakeServer(const std::string& path, Answer answer);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace planner::slurm
