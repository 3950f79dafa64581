#include "plugins/libtorch/sandbox/system_calls.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

namespace planner::libtorch {
namespace {

constexpr const char* kAllowed[] = {
    "read", "readv", "pread64", "preadv", "write", "writev", "lseek", "close", "fstat",
    "mmap", "munmap", "mremap", "mprotect", "madvise", "brk",
    "futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "membarrier",
    "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "getcpu",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    "clock_gettime", "clock_getres", "gettimeofday", "time",
    "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getppid",
    "getrandom", "getrusage", "sysinfo", "uname", "exit", "exit_group", "restart_syscall",
};

constexpr const char* kDeadly[] = {
    "execve", "execveat", "fork", "vfork",
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd",
    "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "move_mount", "fsopen", "fsmount", "open_tree",
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
    "keyctl", "add_key", "request_key", "open_by_handle_at", "name_to_handle_at", "fanotify_init", "personality",
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "capset",
    "iopl", "ioperm", "modify_ldt", "acct", "quotactl", "syslog", "vhangup", "settimeofday", "clock_settime", "adjtimex",
};

std::string Missing(const char* what, int error) {
  return std::string("seccomp: ") + what + " (" + std::strerror(error) + ")";
}

}  // namespace

std::string EnterSystemCallFilter() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
  if (filter == nullptr) return Missing("no filter", ENOMEM);
  // Calls of another processor mode, which have other numbers.
  int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  // Asked on every call: a tree of comparisons instead of a chain.
  if (result == 0) result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  const auto add = [&](uint32_t action, const char* name) {
    const int number = seccomp_syscall_resolve_name(name);
    // Names that this libseccomp or processor does not have stay forbidden by the default.
    if (result != 0 || number == __NR_SCMP_ERROR || number < 0) return;
    result = seccomp_rule_add_array(filter.get(), action, number, 0, nullptr);
  };
  const auto add_if = [&](uint32_t action, int number, const scmp_arg_cmp& condition) {
    if (result == 0) result = seccomp_rule_add_array(filter.get(), action, number, 1, &condition);
  };
  for (const char* name : kAllowed) add(SCMP_ACT_ALLOW, name);
  for (const char* name : kDeadly) add(SCMP_ACT_KILL_PROCESS, name);
  // Threads of this process, never another process. glibc asks clone3 first, whose flags a filter cannot see, and falls back to
  // clone where the kernel does not have it.
  constexpr scmp_datum_t kThread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
  add_if(SCMP_ACT_ALLOW, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, kThread, kThread));
  if (result == 0) result = seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, nullptr);
  // fstat of glibc is newfstatat of a descriptor and "".
  add_if(SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
  // abort: a signal to itself only.
  add_if(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid())));
  // Flags of a descriptor that is open; no duplicates to other numbers are needed.
  add_if(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL));
  if (result != 0) return Missing("rules refused", -result);
  result = seccomp_load(filter.get());
  if (result != 0) return Missing("not entered", -result);
  return "";
}

}  // namespace planner::libtorch
