#include "plugins/libtorch/sandbox/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "plugins/libtorch/sandbox/landlock.h"
#include "plugins/libtorch/sandbox/system_calls.h"

namespace planner::libtorch {
namespace {

std::string Because(const std::string& what) { return what + " (" + std::strerror(errno) + ")"; }

/// Bytes of address space that the process has. 0 if /proc does not say.
int64_t AddressSpace() {
  std::array<char, 128> text = {};
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t count = read(file, text.data(), text.size() - 1);
  close(file);
  long long pages = 0;
  if (count <= 0 || std::sscanf(text.data(), "%lld", &pages) != 1) return 0;
  return pages * sysconf(_SC_PAGESIZE);
}

class Entry {
 public:
  explicit Entry(const SandboxOptions& options) : options_(options) {}

  absl::StatusOr<SandboxReport> Enter() {
    // Not a measure that may be missing: a worker must not hold its parent's descriptors.
    if (const absl::Status status = KeepOnly(options_.kept_descriptors); !status.ok()) return status;
    Limits();
    Namespaces();
    User();
    // Counts processes of the user, so the user comes first.
    Limit("rlimit NPROC", RLIMIT_NPROC, options_.max_threads);
    Privileges();
    Note(EnterLandlock());
    Note(EnterSystemCallFilter());
    if (options_.require_all_measures && !report_.missing_measures.empty()) {
      return absl::FailedPreconditionError("a protective measure is missing: " +
                                           absl::StrJoin(report_.missing_measures, "; "));
    }
    return report_;
  }

 private:
  void Note(const std::string& missing) {
    if (!missing.empty()) report_.missing_measures.push_back(missing);
  }

  void Limit(const char* name, __rlimit_resource resource, int64_t value) {
    const rlimit limit = {static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
    if (setrlimit(resource, &limit) != 0) Note(Because(name));
  }

  void Limits() {
    if (options_.memory_bytes > 0) {
      const int64_t now = AddressSpace();
      if (now == 0) Note("rlimit AS: /proc does not say how much memory there is already");
      if (now > 0) Limit("rlimit AS", RLIMIT_AS, now + options_.memory_bytes);
    }
    if (options_.cpu_seconds > 0) {
      rusage used = {};
      getrusage(RUSAGE_SELF, &used);
      const int64_t soft = used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1 + options_.cpu_seconds;
      // SIGXCPU at the soft limit, which says why; SIGKILL after it for those that ignore it.
      const rlimit limit = {static_cast<rlim_t>(soft), static_cast<rlim_t>(soft + 2)};
      if (setrlimit(RLIMIT_CPU, &limit) != 0) Note(Because("rlimit CPU"));
    }
    Limit("rlimit FSIZE", RLIMIT_FSIZE, 0);
    Limit("rlimit NOFILE", RLIMIT_NOFILE, options_.max_descriptors);
    Limit("rlimit CORE", RLIMIT_CORE, 0);
    Limit("rlimit MEMLOCK", RLIMIT_MEMLOCK, 0);
    Limit("rlimit MSGQUEUE", RLIMIT_MSGQUEUE, 0);
  }

  void Namespaces() {
    struct Space {
      int flag;
      const char* name;
    };
    constexpr Space kSpaces[] = {{CLONE_NEWNET, "network"},
                                 {CLONE_NEWNS, "mounts"},
                                 {CLONE_NEWIPC, "IPC"},
                                 {CLONE_NEWUTS, "host name"},
                                 {CLONE_NEWCGROUP, "control groups"}};
    int all = 0;
    for (const Space& space : kSpaces) all |= space.flag;
    if (unshare(all) == 0) return;
    // Without root: a user namespace gives the right to make the others, and nothing outside of it.
    if (geteuid() != 0 && unshare(CLONE_NEWUSER | all) == 0) {
      in_user_namespace_ = true;
      return;
    }
    if (geteuid() != 0 && unshare(CLONE_NEWUSER) == 0) in_user_namespace_ = true;
    for (const Space& space : kSpaces) {
      if (unshare(space.flag) != 0) Note(Because(std::string("namespace of ") + space.name));
    }
  }

  void User() {
    if (geteuid() == 0 && !in_user_namespace_) {
      if (options_.user == 0) {
        Note("user: none was named");
      } else if (setgroups(0, nullptr) != 0 || setresgid(options_.user, options_.user, options_.user) != 0 ||
                 setresuid(options_.user, options_.user, options_.user) != 0) {
        Note(Because("user"));
      }
    } else if (!in_user_namespace_) {
      Note("user: an ordinary user cannot become another, and there is no user namespace");
    }
    // A process that has changed its user has lost them already; one in a user namespace still has those of the namespace.
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none = {};
    if (syscall(SYS_capset, &header, none.data()) != 0) Note(Because("capabilities"));
  }

  void Privileges() {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) Note(Because("no_new_privs"));
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) Note(Because("not dumpable"));
    // After the change of user, which takes it back.
    if (options_.parent != 0) {
      if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) Note(Because("end with the parent"));
      // It may have ended before.
      if (getppid() != options_.parent) _exit(1);
    }
  }

  const SandboxOptions& options_;
  SandboxReport report_;
  bool in_user_namespace_ = false;
};

}  // namespace

absl::Status KeepOnly(std::vector<int> descriptors) {
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) return absl::FailedPreconditionError(Because("/dev/null cannot be opened"));
  for (int standard = 0; standard <= 2; ++standard) {
    if (dup2(nothing, standard) < 0) return absl::FailedPreconditionError(Because("dup2"));
  }
  std::sort(descriptors.begin(), descriptors.end());
  unsigned int first = 3;
  const auto close_up_to = [&first](unsigned int end) {
    return end < first || syscall(SYS_close_range, first, end, 0U) == 0;
  };
  for (const int descriptor : descriptors) {
    if (descriptor < 3) continue;
    if (!close_up_to(static_cast<unsigned int>(descriptor) - 1))
      return absl::FailedPreconditionError(Because("close_range"));
    first = static_cast<unsigned int>(descriptor) + 1;
  }
  if (!close_up_to(~0U)) return absl::FailedPreconditionError(Because("close_range"));
  return absl::OkStatus();
}

absl::StatusOr<SandboxReport> EnterSandbox(const SandboxOptions& options) { return Entry(options).Enter(); }

}  // namespace planner::libtorch
