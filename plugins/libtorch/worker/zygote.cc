#include "plugins/libtorch/worker/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace planner::libtorch {
namespace {

/// Workers of root get users from here on, each one of its own. The numbers that systemd's table of user ids leaves unused end
/// at 2147483647.
constexpr uid_t kFirstUser = 2147000000;
/// For user namespaces that map few numbers only: nobody.
constexpr uid_t kFallbackUser = 65534;

struct Unmap {
  void operator()(WorkerState* state) const { munmap(state, sizeof(WorkerState)); }
};
using SharedState = std::unique_ptr<WorkerState, Unmap>;

SharedState NewSharedState() {
  void* page = mmap(nullptr, sizeof(WorkerState), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return SharedState(page == MAP_FAILED ? nullptr : new (page) WorkerState());
}

/// A forked process, from when it waits for its job until it is reaped.
struct Worker {
  pid_t pid = -1;
  uid_t user = 0;
  /// To send it its job; not valid once it has one.
  Descriptor job;
  Descriptor timer;
  Descriptor report;
  SharedState state;
  bool killed = false;
};

class Zygote {
 public:
  Zygote(int socket, int max_workers, const Engine& engine)
      : socket_(socket), max_workers_(max_workers), engine_(engine) {}

  int Run() {
    engine_.warm_up();
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, nullptr);
    signal(SIGPIPE, SIG_IGN);
    children_ = Descriptor(signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!children_.valid() || !SayReady()) return 1;
    do {
      // Beside the worker that has just started; not if the last one ended before it got a job.
      if (std::exchange(wants_spare_, false)) ForkSpare();
    } while (Serve());
    for (const Worker& worker : workers_) kill(worker.pid, SIGKILL);
    if (spare_.pid > 0) kill(spare_.pid, SIGKILL);
    return 0;
  }

 private:
  bool SayReady() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    const Descriptor read_end(ends[0]);
    Descriptor write_end(ends[1]);
    user_base_ = UserBase();
    const pid_t self = getpid();
    const pid_t pid = fork();
    if (pid < 0) return false;
    if (pid == 0) RunProbe(write_end.get(), user_base_, self);
    write_end.Close();
    std::string missing = "ready\n";
    char buffer[4096];
    for (ssize_t count = 0; (count = read(read_end.get(), buffer, sizeof(buffer))) > 0;) {
      missing.append(buffer, static_cast<size_t>(count));
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) missing += "all: a process cannot enter the sandbox and go on";
    return SendPacket(socket_, missing);
  }

  /// The first of the users that workers become. 0 if this process is not root.
  static uid_t UserBase() {
    if (geteuid() != 0) return 0;
    std::FILE* map = std::fopen("/proc/self/uid_map", "re");
    if (map == nullptr) return kFallbackUser;
    bool mapped = false;
    unsigned long inside = 0;
    unsigned long outside = 0;
    unsigned long count = 0;
    while (std::fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3) {
      mapped = mapped || (inside <= kFirstUser && kFirstUser + 1000 < inside + count);
    }
    std::fclose(map);
    return mapped ? kFirstUser : kFallbackUser;
  }

  uid_t FreeUser() const {
    if (user_base_ != kFirstUser) return user_base_;
    uid_t user = user_base_;
    while (std::any_of(workers_.begin(), workers_.end(), [user](const Worker& one) { return one.user == user; }))
      ++user;
    return user;
  }

  /// Waits for something to do and does it. False at the end.
  bool Serve() {
    std::vector<pollfd> files = {{socket_, POLLIN, 0}, {children_.get(), POLLIN, 0}};
    for (const Worker& worker : workers_) {
      files.push_back({worker.killed || !worker.timer.valid() ? -1 : worker.timer.get(), POLLIN, 0});
      // Of the end that is written to, poll tells one thing without being asked: nobody holds the other one.
      files.push_back({worker.killed ? -1 : worker.report.get(), 0, 0});
    }
    if (poll(files.data(), files.size(), -1) < 0) return errno == EINTR;
    for (size_t i = 0; i < workers_.size(); ++i) {
      if (files[2 + 2 * i].revents != 0) Expire(workers_[i]);
      if (files[3 + 2 * i].revents != 0) Abandon(workers_[i]);
    }
    if (files[1].revents != 0) Reap();
    if (files[0].revents != 0) {
      std::optional<Packet> packet = ReceivePacket(socket_);
      if (!packet.has_value()) return false;
      Start(std::move(*packet));
    }
    return true;
  }

  static void Report(const Descriptor& report, const JobReport& what) {
    // Less than PIPE_BUF into an empty pipe: whole, and never blocking.
    if (write(report.get(), &what, sizeof(what)) != sizeof(what)) {
      // The front does not wait for it any more.
    }
  }

  /// Kills a worker whose time is over, and says so at once: the end of a process with gigabytes takes its time.
  static void Expire(Worker& worker) {
    siginfo_t ended = {};
    // One that ended by itself in the last moment has its own end.
    const int waited = waitid(P_PID, static_cast<id_t>(worker.pid), &ended, WEXITED | WNOHANG | WNOWAIT);
    if (waited == 0 && ended.si_pid == worker.pid) {
      worker.timer.Close();
      return;
    }
    worker.killed = true;
    kill(worker.pid, SIGKILL);
    JobReport report = ReportOf(worker);
    report.outcome = JobReport::Outcome::kDeadline;
    Report(worker.report, report);
  }

  /// Kills a worker that nobody waits for any more.
  static void Abandon(Worker& worker) {
    worker.killed = true;
    kill(worker.pid, SIGKILL);
  }

  /// What a worker has told of itself.
  static JobReport ReportOf(const Worker& worker) {
    JobReport report;
    report.stage = static_cast<Stage>(std::min<uint32_t>(worker.state->stage, static_cast<uint32_t>(Stage::kReplying)));
    report.out_of_memory = worker.state->out_of_memory != 0;
    return report;
  }

  void Reap() {
    signalfd_siginfo information;
    while (read(children_.get(), &information, sizeof(information)) > 0) {
    }
    int status = 0;
    rusage used = {};
    for (pid_t pid = 0; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;) {
      if (pid == spare_.pid) spare_ = Worker();
      const auto worker =
          std::find_if(workers_.begin(), workers_.end(), [pid](const Worker& one) { return one.pid == pid; });
      if (worker == workers_.end()) continue;
      if (worker->killed) {  // That has been reported.
        workers_.erase(worker);
        continue;
      }
      JobReport report = ReportOf(*worker);
      report.outcome = JobReport::Outcome::kEnded;
      report.wait_status = status;
      report.cpu_microseconds =
          (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1'000'000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
      report.max_rss_kib = used.ru_maxrss;
      Report(worker->report, report);
      workers_.erase(worker);
    }
  }

  /// Forks a process that waits for its job. The next model then need not wait for that, 4 ms for a process with as many
  /// libraries. It has seen no model, and is never used twice either.
  void ForkSpare() {
    std::array<int, 2> ends = {};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
    Descriptor theirs(ends[1]);
    Worker spare;
    spare.job = Descriptor(ends[0]);
    spare.user = FreeUser();
    spare.state = NewSharedState();
    const pid_t self = getpid();
    spare.pid = spare.state == nullptr ? -1 : fork();
    if (spare.pid < 0) return;
    if (spare.pid == 0) {
      sigset_t none;
      sigemptyset(&none);
      sigprocmask(SIG_SETMASK, &none, nullptr);
      signal(SIGPIPE, SIG_DFL);
      AwaitJob(engine_, theirs.get(), spare.user, self, *spare.state);
    }
    spare_ = std::move(spare);
  }

  /// Gives a job to the process that waits for one. False if there is none, and none can be started.
  bool GiveToSpare(const Packet& packet) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (spare_.pid < 0) ForkSpare();
      if (spare_.pid < 0) return false;
      if (SendPacket(spare_.job.get(), packet.bytes, {packet.descriptors[0].get(), packet.descriptors[1].get()}))
        return true;
      // It has ended, or is about to.
      kill(spare_.pid, SIGKILL);
      spare_ = Worker();
    }
    return false;
  }

  void Start(Packet packet) {
    JobHeader job;
    if (packet.descriptors.size() != 3 || packet.bytes.size() < sizeof(job)) return;
    std::memcpy(&job, packet.bytes.data(), sizeof(job));
    Descriptor report = std::move(packet.descriptors[2]);
    const auto busy = std::count_if(workers_.begin(), workers_.end(), [](const Worker& one) { return !one.killed; });
    if (std::cmp_greater_equal(busy, max_workers_)) return Report(report, {.outcome = JobReport::Outcome::kBusy});
    Descriptor timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    constexpr int64_t kSecond = 1'000'000'000;
    const int64_t nanoseconds = std::max<int64_t>(job.nanoseconds, 1);
    const itimerspec time = {{0, 0}, {nanoseconds / kSecond, nanoseconds % kSecond}};
    const bool ready = timer.valid() && timerfd_settime(timer.get(), 0, &time, nullptr) == 0;
    if (!ready || !GiveToSpare(packet)) return Report(report, {.outcome = JobReport::Outcome::kForkFailed});
    Worker worker = std::exchange(spare_, Worker());
    worker.job.Close();
    worker.timer = std::move(timer);
    worker.report = std::move(report);
    workers_.push_back(std::move(worker));
    wants_spare_ = true;
  }

  const int socket_;
  const int max_workers_;
  const Engine& engine_;
  uid_t user_base_ = 0;
  Descriptor children_;
  std::vector<Worker> workers_;
  /// Waits for its job; pid -1: there is none.
  Worker spare_;
  bool wants_spare_ = true;
};

}  // namespace

int RunZygote(int socket, int max_workers, const Engine& engine) { return Zygote(socket, max_workers, engine).Run(); }

}  // namespace planner::libtorch
