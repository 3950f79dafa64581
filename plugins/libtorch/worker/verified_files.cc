#include "plugins/libtorch/worker/verified_files.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace planner::libtorch {

absl::StatusOr<std::string> FileDigest(int fd) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    return absl::InternalError("SHA-256 is not available");
  }
  std::vector<char> chunk(256 << 10);
  for (off_t offset = 0;;) {
    const ssize_t count = pread(fd, chunk.data(), chunk.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::InternalError(absl::StrCat("the model file cannot be read: ", std::strerror(errno)));
    if (count == 0) break;
    EVP_DigestUpdate(context.get(), chunk.data(), static_cast<size_t>(count));
    offset += count;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

VerifiedFiles::Key VerifiedFiles::KeyOf(const struct stat& file) {
  return {static_cast<int64_t>(file.st_dev), static_cast<int64_t>(file.st_ino), file.st_size, file.st_mtim.tv_sec,
          file.st_mtim.tv_nsec};
}

std::optional<std::string> VerifiedFiles::Digest(const struct stat& file) const {
  const base::MutexLock lock(mutex_);
  const auto found = digests_.find(KeyOf(file));
  if (found == digests_.end()) return std::nullopt;
  return found->second;
}

void VerifiedFiles::Remember(const struct stat& file, const std::string& digest) {
  const base::MutexLock lock(mutex_);
  // Whichever goes: a file that is forgotten is only read once more.
  if (digests_.size() >= capacity_) digests_.erase(digests_.begin());
  digests_[KeyOf(file)] = digest;
}

}  // namespace planner::libtorch
