#include "plugins/libtorch/archive/archive_check.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "plugins/libtorch/archive/archive_error.h"
#include "plugins/libtorch/archive/code_check.h"
#include "plugins/libtorch/archive/file_bytes.h"
#include "plugins/libtorch/archive/file_kind.h"
#include "plugins/libtorch/archive/pickle_check.h"
#include "plugins/libtorch/archive/zip_directory.h"

namespace planner::libtorch {
namespace {

/// torch's kMaxSupportedFileFormatVersion, from 1.13 to 2.9.
constexpr int kNewestVersion = 10;

class Archive {
 public:
  Archive(int fd, const ArchiveLimits& limits) : fd_(fd), limits_(limits) {}

  absl::Status Check() {
    RETURN_IF_ERROR(Open());
    RETURN_IF_ERROR(CheckLayout());
    RETURN_IF_ERROR(CheckVersion());
    if (limits_.verify_crc) {
      for (const ZipMember& member : members_) {
        if (!member.deflated) RETURN_IF_ERROR(CheckStoredMember(fd_, member));
      }
    }
    RETURN_IF_ERROR(CheckCodeMembers());
    RETURN_IF_ERROR(CheckPickleMember("constants"));
    return CheckPickleMember("data");
  }

 private:
  absl::Status Open() {
    struct stat state = {};
    if (fstat(fd_, &state) != 0) return absl::InternalError(absl::StrCat("fstat: ", std::strerror(errno)));
    if (!S_ISREG(state.st_mode)) return NotTorchScript(absl::StrCat("the model file is ", DescribeMode(state.st_mode)));
    if (state.st_size > limits_.max_file_bytes) {
      return TooLarge(absl::StrCat("the file is too large: bytes=", state.st_size, " limit=", limits_.max_file_bytes));
    }
    ASSIGN_OR_RETURN(const std::string head, ReadAt(fd_, 0, std::min<int64_t>(state.st_size, 512)));
    if (!absl::StartsWith(head, "PK\x03\x04") && !absl::StartsWith(head, "PK\x05\x06")) {
      return NotTorchScript(absl::StrCat("the model file is ", DescribeBytes(head)));
    }
    ASSIGN_OR_RETURN(members_, ReadZipDirectory(fd_, state.st_size, limits_));
    return absl::OkStatus();
  }

  const ZipMember* Find(const std::string& name) const {
    const auto found = by_name_.find(root_ + name);
    return found == by_name_.end() ? nullptr : found->second;
  }

  absl::Status CheckLayout() {
    // As torch does it: the folder of the first member is the archive's name.
    if (!members_.empty()) root_ = members_.front().name.substr(0, members_.front().name.find('/') + 1);
    for (const ZipMember& member : members_) by_name_.emplace(member.name, &member);
    if (Find("data.pkl") == nullptr || Find("constants.pkl") == nullptr) {
      return NotTorchScript(absl::StrCat("the model file is ", DescribeMembers(members_, root_)));
    }
    int64_t code_bytes = 0;
    int64_t debug_bytes = 0;
    for (const ZipMember& member : members_) {
      if (root_.empty() || !absl::StartsWith(member.name, root_)) {
        return Hostile(absl::StrCat("member \"", member.name, "\" is outside of the folder \"", root_, "\" of all others"));
      }
      const bool code = InCode(member, ".py");
      const bool debug = InCode(member, ".debug_pkl");
      if (member.deflated && !code && !debug) {
        return Hostile(absl::StrCat("member \"", member.name, "\" is compressed: torch.jit.save compresses code only"));
      }
      // Its code is all that deflate is used for, and that never shrinks a thousandfold.
      (code ? code_bytes : debug_bytes) += code || debug ? member.size_bytes : 0;
      if (code_bytes > limits_.max_code_bytes || debug_bytes > limits_.max_debug_bytes) {
        return TooLarge(absl::StrCat("the model's code is too large at member \"", member.name, "\": limits=",
                                     limits_.max_code_bytes, ",", limits_.max_debug_bytes));
      }
    }
    if (code_bytes == 0) return NotTorchScript("the model file has no code: there is nothing to count");
    return absl::OkStatus();
  }

  bool InCode(const ZipMember& member, const char* suffix) const {
    return absl::StartsWith(absl::string_view(member.name).substr(root_.size()), "code/") && absl::EndsWith(member.name, suffix);
  }

  absl::Status CheckVersion() {
    const ZipMember* member = Find("version");
    if (member == nullptr) member = Find(".data/version");
    if (member == nullptr) return Broken("the file has no member \"version\"");
    if (member->size_bytes > 32) return Broken("the member \"version\" is no number");
    ASSIGN_OR_RETURN(const std::string text, ReadMember(fd_, *member));
    int version = 0;
    if (!absl::SimpleAtoi(text, &version)) return Broken("the member \"version\" is no number");
    // 1 and 2 are of unreleased formats; torch still reads them.
    if (version < 1 || version > kNewestVersion) {
      return Unsupported(absl::StrCat("the file is of TorchScript version ", version, "; 1 to ", kNewestVersion, " can be read"));
    }
    if (const ZipMember* order = Find("byteorder"); order != nullptr) {
      if (order->size_bytes > 32) return Broken("the member \"byteorder\" is too long");
      ASSIGN_OR_RETURN(const std::string value, ReadMember(fd_, *order));
      if (value != "little") {
        return Unsupported(absl::StrCat("the file is of byte order \"", absl::CHexEscape(value), "\"; little can be read"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckCodeMembers() {
    for (const ZipMember& member : members_) {
      const bool code = InCode(member, ".py");
      if (!code && !InCode(member, ".debug_pkl")) continue;
      // zlib's best is 1032 to 1. Before memory is taken for it.
      if (member.deflated && member.size_bytes / 1100 > member.stored_bytes) {
        return Hostile(absl::StrCat("member \"", member.name, "\" says that it inflates more than deflate can"));
      }
      ASSIGN_OR_RETURN(const std::string content, ReadMember(fd_, member));
      if (code) {
        RETURN_IF_ERROR(CheckCode(member.name, content, limits_));
      } else {
        const auto none = [](std::string_view) { return std::optional<int64_t>(); };
        RETURN_IF_ERROR(CheckPickle(member.name, content, none, limits_));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckPickleMember(const std::string& name) {
    const ZipMember& member = *Find(name + ".pkl");
    if (member.size_bytes > limits_.max_pickle_bytes) {
      return TooLarge(absl::StrCat("member \"", member.name, "\" is too large: bytes=", member.size_bytes,
                                   " limit=", limits_.max_pickle_bytes));
    }
    ASSIGN_OR_RETURN(const std::string content, ReadMember(fd_, member));
    const auto storage_bytes = [this, &name](std::string_view key) -> std::optional<int64_t> {
      const ZipMember* storage = Find(absl::StrCat(name, "/", std::string(key)));
      if (storage == nullptr) return std::nullopt;
      return storage->size_bytes;
    };
    return CheckPickle(member.name, content, storage_bytes, limits_);
  }

  const int fd_;
  const ArchiveLimits& limits_;
  std::vector<ZipMember> members_;
  std::unordered_map<std::string, const ZipMember*> by_name_;
  std::string root_;
};

}  // namespace

absl::Status CheckArchive(int fd, const ArchiveLimits& limits) { return Archive(fd, limits).Check(); }

}  // namespace planner::libtorch
