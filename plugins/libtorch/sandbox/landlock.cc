#include "plugins/libtorch/sandbox/landlock.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace planner::libtorch {
namespace {

// From the kernel's uapi/linux/landlock.h as of ABI 7. Declared here, as Debian 12's header ends with ABI 2.
struct RulesetAttributes {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

constexpr long kCreateRuleset = 444;
constexpr long kRestrictSelf = 446;
constexpr uint32_t kCreateRulesetVersion = 1;
constexpr uint64_t kTcpBindAndConnect = 0b11;
constexpr uint64_t kAbstractSocketsAndSignals = 0b11;

/// All rights on paths that ABI `abi` knows.
uint64_t PathRights(long abi) {
  if (abi >= 5) return (1U << 16) - 1;  // ioctl of devices
  if (abi >= 3) return (1U << 15) - 1;  // truncate
  if (abi >= 2) return (1U << 14) - 1;  // refer
  return (1U << 13) - 1;
}

std::string Missing(const char* what) { return std::string("landlock: ") + what + " (" + std::strerror(errno) + ")"; }

}  // namespace

std::string EnterLandlock() {
  const long abi = syscall(kCreateRuleset, nullptr, size_t{0}, kCreateRulesetVersion);
  if (abi < 1) return Missing("not in this kernel");
  RulesetAttributes attributes = {};
  attributes.handled_access_fs = PathRights(abi);
  // The kernel reads as much of the structure as it is told; older ones know less of it.
  size_t size = sizeof(attributes.handled_access_fs);
  if (abi >= 4) {
    attributes.handled_access_net = kTcpBindAndConnect;
    size = 2 * sizeof(uint64_t);
  }
  if (abi >= 6) {
    attributes.scoped = kAbstractSocketsAndSignals;
    size = sizeof(attributes);
  }
  const long ruleset = syscall(kCreateRuleset, &attributes, size, 0U);
  if (ruleset < 0) return Missing("no ruleset");
  const long result = syscall(kRestrictSelf, ruleset, 0U);
  const int error = errno;
  close(static_cast<int>(ruleset));
  errno = error;
  if (result != 0) return Missing("not entered");
  if (abi < 4) return "landlock: this kernel's guards paths only, not TCP and signals (seccomp does)";
  if (abi < 6) return "landlock: this kernel's does not guard signals (seccomp does)";
  return "";
}

}  // namespace planner::libtorch
