#include "services/plugin_host/plugin_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "services/plugin_host/bounded_lines.h"
#include "services/plugin_host/handshake.h"

namespace planner::plugin_host {
namespace {

/// Of what is left in the pipes of a process that has ended, so that a child of its cannot keep us reading.
constexpr int kReadsAfterEnd = 16;

/// Variables that a plugin sees of our environment: what programs need to find and print things, and nothing that may be secret.
constexpr std::array<const char*, 9> kKeptVariables = {"PATH", "HOME",   "LANG",         "LC_ALL",      "TZ",
                                                       "TMPDIR", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS"};

absl::Status SystemError(const char* what, int error) {
  return absl::FailedPreconditionError(fmt::format("it cannot be started: {}: {}", what, std::strerror(error)));
}

/// Private, and short enough for a socket's path.
absl::StatusOr<std::string> MakeFolder() {
  constexpr size_t kMostOfSocketPath = 80;
  std::error_code error;
  std::string parent = std::filesystem::temp_directory_path(error).string();
  if (error || parent.size() > kMostOfSocketPath) parent = "/tmp";
  std::string pattern = parent + "/planner-plugin-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return SystemError("socket folder", errno);  // Mode 0700.
  return pattern;
}

std::vector<std::string> EnvironmentOf(const PluginSpec& spec, const std::string& socket_path) {
  std::vector<std::string> environment;
  for (const char* name : kKeptVariables) {
    if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
  }
  for (const auto& [name, value] : spec.variables) environment.push_back(fmt::format("{}={}", name, value));
  environment.push_back(fmt::format("{}={}", kCookieVariable, kCookie));
  environment.push_back(fmt::format("{}={}", kVersionsVariable, kProtocolVersion));
  environment.push_back(fmt::format("{}={}", kSocketVariable, socket_path));
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& one : strings) pointers.push_back(one.data());
  pointers.push_back(nullptr);
  return pointers;
}

void CloseAll(std::initializer_list<int> descriptors) {
  for (const int descriptor : descriptors) {
    if (descriptor >= 0) close(descriptor);
  }
}

/// The spawn itself: the three descriptors become the standard ones, everything else is closed, signals are as after a login.
int SpawnProgram(pid_t& pid, const std::string& program, std::vector<std::string> arguments,
                 std::vector<std::string> environment, int in, int out, int err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  // Ours are all O_CLOEXEC; those of a library may not be.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, Pointers(arguments).data(), Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

std::string EndingOf(int status) {
  if (WIFEXITED(status)) return fmt::format("exit code {}", WEXITSTATUS(status));
  return fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

}  // namespace

PluginProcess::PluginProcess(std::string folder, std::function<void(std::string)> log, std::function<void()> on_exit)
    : folder_(std::move(folder)), log_(std::move(log)), on_exit_(std::move(on_exit)) {}

absl::StatusOr<std::unique_ptr<PluginProcess>> PluginProcess::Spawn(const PluginSpec& spec,
                                                                    std::function<void(std::string)> log,
                                                                    std::function<void()> on_exit) {
  ASSIGN_OR_RETURN(std::string folder, MakeFolder());
  std::unique_ptr<PluginProcess> process(new PluginProcess(std::move(folder), std::move(log), std::move(on_exit)));
  RETURN_IF_ERROR(process->Start(spec));
  return process;
}

absl::Status PluginProcess::Start(const PluginSpec& spec) {
  std::array<std::array<int, 2>, 3> pipes = {{{-1, -1}, {-1, -1}, {-1, -1}}};
  for (auto& ends : pipes) {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      const int error = errno;
      for (const auto& opened : pipes) CloseAll({opened[0], opened[1]});
      return SystemError("pipe", error);
    }
  }
  std::vector<std::string> arguments = {spec.program};
  arguments.insert(arguments.end(), spec.arguments.begin(), spec.arguments.end());
  int error = SpawnProgram(pid_, spec.program, std::move(arguments), EnvironmentOf(spec, socket_path()), pipes[0][0], pipes[1][1],
                           pipes[2][1]);
  CloseAll({pipes[0][0], pipes[1][1], pipes[2][1]});
  if (error == 0) {
    files_.process = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));  // O_CLOEXEC by itself.
    if (files_.process < 0) {
      error = errno;
      kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  if (error != 0) {
    CloseAll({pipes[0][1], pipes[1][0], pipes[2][0]});
    return SystemError(spec.program.c_str(), error);
  }
  files_.input = pipes[0][1];
  files_.output = pipes[1][0];
  files_.error = pipes[2][0];
  fcntl(files_.output, F_SETFL, O_NONBLOCK);
  fcntl(files_.error, F_SETFL, O_NONBLOCK);
  watcher_ = std::thread([this] { Watch(); });
  return absl::OkStatus();
}

bool PluginProcess::ReadOutput(int descriptor, const std::function<void(std::string_view)>& take) {
  std::array<char, 16384> buffer;
  const ssize_t count = read(descriptor, buffer.data(), buffer.size());
  if (count > 0) take({buffer.data(), static_cast<size_t>(count)});
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

void PluginProcess::TakeOutput(std::string_view bytes) {
  base::MutexLock lock(mutex_);
  const size_t end = bytes.find('\n');
  first_line_.append(bytes.substr(0, std::min(end, kMaxHandshakeBytes - first_line_.size())));
  first_line_done_ = end != std::string_view::npos || first_line_.size() >= kMaxHandshakeBytes;
  if (first_line_done_) changed_.WakeAll();
}

void PluginProcess::Watch() {
  BoundedLines output(log_, base::Clock::Real());
  BoundedLines error(log_, base::Clock::Real());
  bool greeted = false;
  const auto take_output = [&](std::string_view bytes) {
    if (greeted) return output.Write(bytes);
    TakeOutput(bytes);
    base::MutexLock lock(mutex_);
    greeted = first_line_done_;
  };
  const auto take_error = [&](std::string_view bytes) { error.Write(bytes); };
  std::array<pollfd, 3> waited = {{{files_.process, POLLIN, 0}, {files_.output, POLLIN, 0}, {files_.error, POLLIN, 0}}};
  while (waited[0].revents == 0) {
    if (poll(waited.data(), waited.size(), -1) < 0) continue;  // EINTR alone.
    if (waited[1].revents != 0 && !ReadOutput(files_.output, take_output)) waited[1].fd = -1;
    if (waited[2].revents != 0 && !ReadOutput(files_.error, take_error)) waited[2].fd = -1;
  }
  // Its last words, which may say why.
  for (int i = 0; i < kReadsAfterEnd && ReadOutput(files_.error, take_error); ++i) {
  }
  error.Finish();
  output.Finish();
  {
    base::MutexLock lock(mutex_);
    // It is not reaped yet, so its number, which is its group's, is nobody else's.
    kill(-pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ended_ = true;
    ending_ = EndingOf(status);
    changed_.WakeAll();
  }
  on_exit_();
}

absl::StatusOr<std::string> PluginProcess::AwaitHandshake(absl::Duration timeout) {
  const absl::Time end = base::Clock::Real().Now() + timeout;
  base::MutexLock lock(mutex_);
  while (!first_line_done_ && !ended_) {
    const absl::Duration left = end - base::Clock::Real().Now();
    if (left <= absl::ZeroDuration()) {
      return absl::FailedPreconditionError(fmt::format("it did not say its handshake within {}", absl::FormatDuration(timeout)));
    }
    changed_.WaitFor(mutex_, left);
  }
  if (!first_line_done_) return absl::FailedPreconditionError("it ended before its handshake: " + ending_);
  return ParseHandshake(first_line_, socket_path());
}

void PluginProcess::Kill() {
  base::MutexLock lock(mutex_);
  if (!ended_) kill(-pid_, SIGKILL);
}

std::string PluginProcess::AwaitEnd() {
  base::MutexLock lock(mutex_);
  while (!ended_) changed_.Wait(mutex_);
  return ending_;
}

bool PluginProcess::running() {
  base::MutexLock lock(mutex_);
  return !ended_;
}

PluginProcess::~PluginProcess() {
  CloseAll({files_.input});
  if (watcher_.joinable()) {
    {
      const absl::Time end = base::Clock::Real().Now() + patience_;
      base::MutexLock lock(mutex_);
      if (!ended_) kill(pid_, SIGTERM);
      while (!ended_ && base::Clock::Real().Now() < end) changed_.WaitFor(mutex_, end - base::Clock::Real().Now());
    }
    Kill();
    watcher_.join();
  }
  CloseAll({files_.output, files_.error, files_.process});
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace planner::plugin_host
