#include "plugins/sdk/model_file_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "fmt/format.h"

namespace planner::plugin {
namespace {

absl::Status DiskError(const char* what) {
  return absl::ResourceExhaustedError(fmt::format("the model file cannot be stored: {}: {}", what, std::strerror(errno)));
}

}  // namespace

CachedFile::~CachedFile() { unlink(path_.c_str()); }

ModelFileCache::~ModelFileCache() {
  base::MutexLock lock(mutex_);
  entries_.clear();
  if (!folder_.empty()) rmdir(folder_.c_str());
}

std::shared_ptr<const CachedFile> ModelFileCache::Find(const std::string& sha256) {
  base::MutexLock lock(mutex_);
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.sha256 == sha256; });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return found->file;
}

absl::StatusOr<std::unique_ptr<ModelFileCache::Writer>> ModelFileCache::Begin(const std::string& sha256,
                                                                             int64_t size_bytes) {
  if (!base::Sha256::IsDigest(sha256)) return absl::InvalidArgumentError("file.sha256: is no digest");
  if (size_bytes < 1 || size_bytes > kMaxBytes) {
    return absl::InvalidArgumentError(fmt::format("file.size_bytes: must be from 1 to {}: size={}", kMaxBytes, size_bytes));
  }
  base::MutexLock lock(mutex_);
  if (folder_.empty()) {
    std::error_code error;
    const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
    std::string pattern = ((error ? "/tmp" : parent) / "planner-models-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) return DiskError("folder");
    folder_ = pattern;
  }
  std::string path = folder_ + "/XXXXXX";
  const int file = mkostemp(path.data(), O_CLOEXEC);
  if (file < 0) return DiskError("file");
  return std::unique_ptr<Writer>(new Writer(*this, sha256, size_bytes, std::move(path), file));
}

void ModelFileCache::Keep(const std::string& sha256, const std::string& path) {
  auto file = std::make_shared<const CachedFile>(path);
  std::list<Entry> dropped;  // Removed from the disk without the lock.
  base::MutexLock lock(mutex_);
  entries_.push_front({sha256, std::move(file)});
  while (entries_.size() > kKept) dropped.splice(dropped.begin(), entries_, std::prev(entries_.end()));
}

absl::Status ModelFileCache::Writer::Append(const std::string& bytes) {
  left_ -= static_cast<int64_t>(bytes.size());
  if (left_ < 0) return absl::InvalidArgumentError("data: is more than file.size_bytes");
  digest_.Update(bytes);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = write(file_, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno != EINTR) return DiskError("write");
    if (count > 0) done += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::Status ModelFileCache::Writer::Finish() {
  if (left_ != 0) return absl::InvalidArgumentError(fmt::format("data: {} bytes are missing", left_));
  if (digest_.Finish() != sha256_) return absl::InvalidArgumentError("file.sha256: is not that of the data");
  kept_ = true;
  cache_.Keep(sha256_, path_);
  return absl::OkStatus();
}

ModelFileCache::Writer::~Writer() {
  close(file_);
  if (!kept_) unlink(path_.c_str());
}

}  // namespace planner::plugin
