#include "plugins/libtorch/worker/zygote_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"

namespace planner::libtorch {
namespace {

/// Past its deadline a worker is dead, unless the zygote itself hangs.
constexpr absl::Duration kZygoteGrace = absl::Seconds(5);
/// How often a waiting thread looks whether anybody still waits for its count.
constexpr absl::Duration kLook = absl::Milliseconds(50);
/// A zygote that ends sooner than this after it was ready is not started again at once.
constexpr absl::Duration kShortLife = absl::Seconds(1);

/// Whether all of a count has come.
bool IsWholeCount(std::string_view reply) {
  ReplyHeader header;
  if (reply.size() < sizeof(header)) return false;
  std::memcpy(&header, reply.data(), sizeof(header));
  return header.is_count && header.bytes == reply.size() - sizeof(header);
}

absl::Status Cancelled() { return absl::CancelledError("nobody waits for the count any more"); }

bool MakePipe(Descriptor& read_end, Descriptor& write_end) {
  std::array<int, 2> ends = {};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  read_end = Descriptor(ends[0]);
  write_end = Descriptor(ends[1]);
  return true;
}

/// Starts the program with `socket` as its standard input. -1 if it cannot be.
pid_t Spawn(const std::string& program, int socket, int max_workers) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  for (const int number : {SIGPIPE, SIGCHLD, SIGTERM, SIGINT, SIGXFSZ, SIGXCPU}) sigaddset(&signals, number);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  // A group of its own: the terminal's Ctrl-C is the front's affair.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::string path = program;
  std::string workers = absl::StrCat(max_workers);
  std::array<char*, 3> arguments = {path.data(), workers.data(), nullptr};
  // Nothing of the daemon's environment reaches the process that runs models. One thread: workers are forked.
  std::string threads = "OMP_NUM_THREADS=1";
  std::string locale = "LC_ALL=C.UTF-8";
  std::array<char*, 3> environment = {threads.data(), locale.data(), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, path.c_str(), &actions, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? pid : -1;
}

}  // namespace

ZygoteClient::ZygoteClient(ZygoteClientOptions options, const base::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      workers_(options_.max_workers),
      supervisor_([this] { Supervise(); }) {}

ZygoteClient::~ZygoteClient() {
  stopping_.Give();
  {
    const base::MutexLock lock(mutex_);
    if (socket_ != nullptr) shutdown(socket_->get(), SHUT_RDWR);
    // One that is not ready yet does not listen.
    if (pid_ > 0) kill(pid_, SIGKILL);
  }
  supervisor_.join();
}

void ZygoteClient::Supervise() {
  int short_lives = 0;
  while (true) {
    const absl::Time start = clock_.Now();
    StartOne();
    short_lives =
        clock_.Now() - start < options_.start_timeout && clock_.Now() - start < kShortLife ? short_lives + 1 : 0;
    // At once the first times; a program that cannot run is tried again more and more rarely.
    const absl::Duration pause =
        short_lives < 3 ? absl::ZeroDuration() : absl::Milliseconds(100) * (1 << std::min(short_lives - 3, 9));
    if (stopping_.Wait(clock_.Now() + pause, clock_)) return;
  }
}

void ZygoteClient::StartOne() {
  std::array<int, 2> ends = {};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  const auto ours = std::make_shared<Descriptor>(ends[0]);
  Descriptor theirs(ends[1]);
  pid_t pid = -1;
  {
    const base::MutexLock lock(mutex_);
    if (stopping_.Wait(absl::InfinitePast(), clock_)) return;
    pid = Spawn(options_.program, theirs.get(), options_.max_workers);
    if (pid < 0) return;
    pid_ = pid;
    ++starts_;
  }
  theirs.Close();
  pollfd file = {ours->get(), POLLIN, 0};
  std::optional<Packet> hello;
  if (poll(&file, 1, PollTimeout(clock_.Now() + options_.start_timeout, clock_)) > 0)
    hello = ReceivePacket(ours->get());
  if (hello.has_value()) {
    std::vector<std::string> lines = absl::StrSplit(hello->bytes, '\n', absl::SkipEmpty());
    if (!lines.empty()) lines.erase(lines.begin());
    const base::MutexLock lock(mutex_);
    socket_ = ours;
    missing_measures_ = std::move(lines);
    ready_.Give();
  } else {
    kill(pid, SIGKILL);
  }
  siginfo_t information = {};
  // Its number stays taken until nobody can send a signal to it any more.
  while (waitid(P_PID, static_cast<id_t>(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  const base::MutexLock lock(mutex_);
  ready_.TakeAll();
  socket_.reset();
  pid_ = -1;
  waitpid(pid, nullptr, 0);
}

absl::StatusOr<std::vector<std::string>> ZygoteClient::MissingMeasures(absl::Time deadline) {
  if (!ready_.Wait(deadline, clock_)) return absl::UnavailableError("the process that forks workers does not start");
  const base::MutexLock lock(mutex_);
  return missing_measures_;
}

int ZygoteClient::restarts() const {
  const base::MutexLock lock(mutex_);
  return std::max(starts_ - 1, 0);
}

pid_t ZygoteClient::zygote() const {
  const base::MutexLock lock(mutex_);
  return pid_;
}

absl::Status ZygoteClient::Await(const Gate& gate, bool take, absl::Time deadline, const base::Cancellation& cancelled,
                                 const char* late) const {
  while (true) {
    if (base::IsCancelled(cancelled)) return Cancelled();
    const absl::Time look = std::min(deadline, clock_.Now() + kLook);
    if (take ? gate.Take(look, clock_) : gate.Wait(look, clock_)) return absl::OkStatus();
    if (look == deadline) return absl::DeadlineExceededError(late);
  }
}

absl::StatusOr<WorkerOutcome> ZygoteClient::Run(int model, JobHeader job, const plugin::v1::CountRequest& request,
                                                absl::Time deadline, const base::Cancellation& cancelled) {
  RETURN_IF_ERROR(Await(workers_, /*take=*/true, deadline, cancelled, "no worker became free in time"));
  struct Place {
    const Gate& gate;
    ~Place() { gate.Give(); }
  };
  const Place place = {workers_};
  RETURN_IF_ERROR(
      Await(ready_, /*take=*/false, deadline, cancelled, "the process that forks workers was not ready in time"));
  Descriptor reply_read, reply_write, report_read, report_write;
  if (!MakePipe(reply_read, reply_write) || !MakePipe(report_read, report_write)) {
    return absl::ResourceExhaustedError(absl::StrCat("no pipe: ", std::strerror(errno)));
  }
  std::shared_ptr<Descriptor> socket;
  {
    const base::MutexLock lock(mutex_);
    socket = socket_;
  }
  job.nanoseconds = absl::ToInt64Nanoseconds(deadline - clock_.Now());
  if (job.nanoseconds <= 0) return absl::DeadlineExceededError("no time is left to count");
  std::string bytes(sizeof(job), '\0');
  std::memcpy(bytes.data(), &job, sizeof(job));
  request.AppendToString(&bytes);
  if (bytes.size() > kMaxPacketBytes) return absl::InvalidArgumentError("the request is too large");
  if (socket == nullptr || !SendPacket(socket->get(), bytes, {model, reply_write.get(), report_write.get()})) {
    return absl::UnavailableError("the process that forks workers has ended");
  }
  // Their ends are in the packet now; closed here, they tell of the end of the other side.
  reply_write.Close();
  report_write.Close();
  return Collect(std::move(reply_read), report_read.get(), job, deadline, cancelled);
}

absl::StatusOr<WorkerOutcome> ZygoteClient::Collect(Descriptor reply, int report, const JobHeader& job,
                                                    absl::Time deadline, const base::Cancellation& cancelled) {
  WorkerOutcome outcome;
  std::array<pollfd, 2> files = {{{reply.get(), POLLIN, 0}, {report, POLLIN, 0}}};
  std::array<char, 65536> buffer = {};
  bool reported = false;
  while (files[0].fd >= 0 || !reported) {
    // The zygote sees that nobody holds the other end of its report any more, and kills the worker.
    if (base::IsCancelled(cancelled)) return Cancelled();
    const absl::Time end = deadline + kZygoteGrace;
    const absl::Time look = std::min(end, clock_.Now() + kLook);
    const int ready = poll(files.data(), files.size(), PollTimeout(look, clock_));
    if ((ready < 0 && errno == EINTR) || (ready == 0 && look < end)) continue;
    if (ready <= 0) {
      // The zygote should have killed the worker long ago: it hangs. The supervisor starts another one.
      const base::MutexLock lock(mutex_);
      if (pid_ > 0) kill(pid_, SIGKILL);
      return absl::UnavailableError("the process that forks workers hangs");
    }
    if (files[0].revents != 0) {
      const ssize_t count = read(reply.get(), buffer.data(), buffer.size());
      const size_t allowed = sizeof(ReplyHeader) + static_cast<size_t>(job.max_reply_bytes);
      if (count > 0 && outcome.reply.size() + static_cast<size_t>(count) > allowed) {
        outcome.too_long = true;
        // Nobody reads on: the worker ends by SIGPIPE.
        files[0].fd = -1;
        reply.Close();
      } else if (count > 0) {
        outcome.reply.append(buffer.data(), static_cast<size_t>(count));
        // The kernel takes 5 ms and more to take such a process apart. The zygote sees to it that it ends: nobody holds its report.
        if (IsWholeCount(outcome.reply)) return outcome;
      } else if (count == 0 || errno != EINTR) {
        files[0].fd = -1;
      }
    }
    if (files[1].revents != 0) {
      const ssize_t count = read(report, &outcome.report, sizeof(outcome.report));
      if (count < 0 && errno == EINTR) continue;
      if (count != sizeof(outcome.report)) return absl::UnavailableError("the process that forks workers has ended");
      // Nothing more is to come of a worker that was killed, whenever the kernel is done with it.
      if (outcome.report.outcome == JobReport::Outcome::kDeadline) return outcome;
      reported = true;
      files[1].fd = -1;
    }
  }
  return outcome;
}

}  // namespace planner::libtorch
