#include "tests/cli/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace planner::cli {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

Pipe MakePipe() {
  std::array<int, 2> ends = {};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) Die("pipe2");
  return {ends[0], ends[1]};
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& one : strings) pointers.push_back(one.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Starts `command` with the three descriptors as its standard ones.
pid_t Spawn(std::vector<std::string> command, const std::map<std::string, std::string>& variables, int in, int out,
            int err) {
  std::vector<std::string> environment;
  for (const char* kept : {"PATH", "HOME"}) {
    if (const char* value = std::getenv(kept)) environment.push_back(std::string(kept) + "=" + value);
  }
  for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  // The test ignores SIGPIPE; a program must come by its own handling.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, command[0].c_str(), &actions, &attributes, Pointers(command).data(),
                                Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    errno = error;
    Die(command[0].c_str());
  }
  return pid;
}

int WaitFor(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) Die("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Writes the input and reads both outputs, whichever is ready; closes what is done.
void Exchange(const std::string& input, int in, int out, int err, Outcome& outcome) {
  size_t written = 0;
  std::array<pollfd, 3> files = {{{in, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}}};
  const auto done = [](pollfd& file) {
    if (file.fd >= 0) close(file.fd);
    file.fd = -1;
  };
  if (input.empty()) done(files[0]);
  while (files[0].fd >= 0 || files[1].fd >= 0 || files[2].fd >= 0) {
    if (poll(files.data(), files.size(), -1) < 0 && errno != EINTR) Die("poll");
    if (files[0].fd >= 0 && files[0].revents != 0) {
      const ssize_t count = write(files[0].fd, input.data() + written, input.size() - written);
      if (count > 0) written += static_cast<size_t>(count);
      if (count < 0 || written == input.size()) done(files[0]);
    }
    for (size_t i = 1; i < files.size(); ++i) {
      if (files[i].fd < 0 || files[i].revents == 0) continue;
      std::array<char, 65536> buffer = {};
      const ssize_t count = read(files[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        (i == 1 ? outcome.out : outcome.err).append(buffer.data(), static_cast<size_t>(count));
      } else {
        done(files[i]);
      }
    }
  }
}

/// The value of `key` in a logfmt line; empty if it has none.
std::string LogValue(const std::string& line, const std::string& key) {
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (word.rfind(key + "=", 0) != 0) continue;
    std::string value = word.substr(key.size() + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    return value;
  }
  return "";
}

}  // namespace

Outcome RunProgram(const std::vector<std::string>& command, const std::string& input,
                   const std::map<std::string, std::string>& variables, Output output) {
  signal(SIGPIPE, SIG_IGN);
  const Pipe in = MakePipe();
  const Pipe out = MakePipe();
  const Pipe err = MakePipe();
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  int out_read = out.read_end;
  if (output != Output::kCollected) {
    close(out.read_end);
    out_read = -1;
  }
  const pid_t pid =
      Spawn(command, variables, in.read_end, output == Output::kFullDisk ? full : out.write_end, err.write_end);
  for (const int descriptor : {in.read_end, out.write_end, err.write_end, full}) close(descriptor);
  Outcome outcome;
  Exchange(input, in.write_end, out_read, err.read_end, outcome);
  outcome.exit_code = WaitFor(pid);
  return outcome;
}

Daemon::Daemon(const std::string& folder) {
  const Pipe log = MakePipe();
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  pid_ = Spawn({PLANNERD_PATH, "--listen", "127.0.0.1:0", "--listen", "unix:" + folder + "/plannerd.sock",
                "--metrics_listen", "off", "--state_dir", folder + "/state"},
               {}, nothing, nothing, log.write_end);
  close(nothing);
  close(log.write_end);
  log_ = log.read_end;
  // Its log, byte by byte up to the lines that are waited for.
  std::string line, all;
  while (tcp_address_.empty() || unix_address_.empty()) {
    char c = 0;
    if (read(log_, &c, 1) != 1) {
      std::fprintf(stderr, "plannerd ended before it listened:\n%s%s\n", all.c_str(), line.c_str());
      std::abort();
    }
    if (c != '\n') {
      line += c;
      continue;
    }
    if (LogValue(line, "event") == "listening" && LogValue(line, "service") == "grpc") {
      const std::string address = LogValue(line, "address");
      (address.rfind("unix:", 0) == 0 ? unix_address_ : tcp_address_) = address;
    }
    all += line + "\n";
    line.clear();
  }
  // A full pipe must not stop it.
  drain_ = std::thread([descriptor = log_] {
    std::array<char, 4096> buffer = {};
    while (read(descriptor, buffer.data(), buffer.size()) > 0) {
    }
  });
}

Daemon::~Daemon() {
  kill(pid_, SIGTERM);
  if (const int exit_code = WaitFor(pid_); exit_code != 0) {
    std::fprintf(stderr, "plannerd ended with %d\n", exit_code);
    std::abort();
  }
  drain_.join();
  close(log_);
}

}  // namespace planner::cli
