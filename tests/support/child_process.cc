#include "tests/support/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "core/base/clock.h"

extern char** environ;

namespace planner::support {
namespace {

constexpr size_t kKeptBytes = 64 << 10;
constexpr char kSetpriv[] = "/usr/bin/setpriv";

}  // namespace

ChildProcess::ChildProcess(const ChildOptions& options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  output_fd_ = ends[0];
  std::vector<std::string> arguments = {kSetpriv, "--pdeathsig", "KILL"};
  if (!options.user.empty()) {
    arguments.insert(arguments.end(), {"--reuid", options.user, "--regid", options.user, "--clear-groups"});
  }
  arguments.emplace_back("--");
  arguments.insert(arguments.end(), options.command.begin(), options.command.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  if (posix_spawn(&pid_, kSetpriv, &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  reader_ = std::thread([this] { ReadOutput(); });
}

ChildProcess::~ChildProcess() {
  Signal(SIGKILL);
  Wait();
  if (output_fd_ >= 0) close(output_fd_);
}

void ChildProcess::ReadOutput() {
  char buffer[16 << 10];
  while (true) {
    const ssize_t count = read(output_fd_, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    base::MutexLock lock(mutex_);
    if (count <= 0) has_ended_ = true;
    if (count > 0) {
      std::string& text = head_.size() < kKeptBytes ? head_ : tail_;
      text.append(buffer, static_cast<size_t>(count));
      if (tail_.size() > 2 * kKeptBytes) tail_.erase(0, tail_.size() - kKeptBytes);
    }
    changed_.WakeAll();
    if (has_ended_) return;
  }
}

bool ChildProcess::WaitForOutput(const std::string& text, absl::Duration at_most) {
  const absl::Time end = base::Clock::Real().Now() + at_most;
  base::MutexLock lock(mutex_);
  while (head_.find(text) == std::string::npos) {
    const absl::Duration left = end - base::Clock::Real().Now();
    if (has_ended_ || left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mutex_, left);
  }
  return true;
}

std::string ChildProcess::output() {
  base::MutexLock lock(mutex_);
  return head_ + tail_;
}

void ChildProcess::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

int ChildProcess::Wait() {
  if (pid_ > 0) {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  if (reader_.joinable()) reader_.join();
  return exit_code_;
}

}  // namespace planner::support
