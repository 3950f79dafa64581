#include "services/model_files/model_file_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::model_files {
namespace {

constexpr std::string_view kTemporaryPrefix = ".upload-";
/// How often a look-up also clears away what has expired.
constexpr absl::Duration kSweepInterval = absl::Hours(1);

absl::Status Exhausted(std::string_view reason, const std::string& message) {
  return base::WithReason(absl::ResourceExhaustedError(message), reason);
}

bool IsFull(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

/// An error of the file system. Full disks are the operator's and the caller's matter, all others ours.
absl::Status FileError(std::string_view what, int error) {
  const std::string message = fmt::format("model file: {}: {}", what, std::strerror(error));
  return IsFull(error) ? Exhausted("DISK_FULL", message) : absl::InternalError(message);
}

absl::Status NotUploaded(std::string_view sha256) {
  return base::NotFound("model.uploaded_file", fmt::format("no such file is stored: upload it: sha256={}", sha256),
                        "MODEL_NOT_UPLOADED");
}

absl::Status CheckDigest(std::string_view field, std::string_view sha256) {
  if (base::Sha256::IsDigest(sha256)) return absl::OkStatus();
  return base::InvalidField(field, "must be 64 lower case hexadecimal digits");
}

std::string PathIn(const std::string& folder, std::string_view name) { return fmt::format("{}/{}", folder, name); }

/// A lock on the folder, so that room is made and taken in one step, whichever thread or process asks.
absl::StatusOr<FileDescriptor> LockFolder(const std::string& folder) {
  FileDescriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.open()) return FileError("the folder cannot be opened", errno);
  int locked = 0;
  do {
    locked = flock(fd.get(), LOCK_EX);
  } while (locked != 0 && errno == EINTR);
  if (locked != 0) return FileError("the folder cannot be locked", errno);
  return fd;
}

struct Entry {
  std::string name;
  int64_t size_bytes = 0;
  absl::Time used;
  bool temporary = false;
};

/// The store's own files; all else in the folder is let alone.
std::vector<Entry> EntriesOf(const std::string& folder) {
  std::vector<Entry> entries;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder.c_str()), &closedir);
  if (directory == nullptr) return entries;
  while (const dirent* one = readdir(directory.get())) {
    const std::string name = one->d_name;
    const bool temporary = name.starts_with(kTemporaryPrefix);
    if (!temporary && !base::Sha256::IsDigest(name)) continue;
    struct stat info = {};
    if (fstatat(dirfd(directory.get()), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) continue;
    entries.push_back({name, info.st_size, absl::TimeFromTimespec(info.st_atim), temporary});
  }
  return entries;
}

/// Removes a file that nobody uses or writes; whether it is gone.
bool RemoveUnused(const std::string& path) {
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.open()) return errno == ENOENT;
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return false;
  return unlink(path.c_str()) == 0 || errno == ENOENT;
}

/// An open and locked file is what a pin is.
std::shared_ptr<const void> PinOf(FileDescriptor fd) { return std::make_shared<const FileDescriptor>(std::move(fd)); }

void SetUsed(int fd, absl::Time now) {
  // Not the time of the last change, by which counters know a file that they have read whole.
  const timespec times[] = {absl::ToTimespec(now), {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
  futimens(fd, times);  // A file that cannot be marked expires early: no reason to fail.
}

}  // namespace

ModelFileStore::ModelFileStore(std::string folder, StoreOptions options, const base::Clock& clock)
    : folder_(std::move(folder)), options_(options), clock_(clock) {}

ModelFileStore::~ModelFileStore() {
  base::MutexLock lock(mutex_);
  std::error_code ignored;
  if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
}

std::string ModelFileStore::ExistingFolder() {
  if (folder_.empty()) {
    base::MutexLock lock(mutex_);
    return temporary_;
  }
  struct stat info = {};
  return stat(folder_.c_str(), &info) == 0 && S_ISDIR(info.st_mode) ? folder_ : "";
}

absl::StatusOr<std::string> ModelFileStore::Folder() {
  if (folder_.empty()) {
    base::MutexLock lock(mutex_);
    if (!temporary_.empty()) return temporary_;
    std::error_code error;
    const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
    std::string pattern = ((error ? std::filesystem::path("/tmp") : parent) / "planner-models-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) return FileError("no temporary folder can be made", errno);
    temporary_ = pattern;
    return temporary_;
  }
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(folder_).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (mkdir(folder_.c_str(), S_IRWXU) != 0 && errno != EEXIST) return FileError("the folder cannot be made", errno);
  return folder_;
}

absl::StatusOr<StoredFile> ModelFileStore::Use(const std::string& folder, std::string_view sha256) {
  const std::string path = PathIn(folder, sha256);
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info = {};
  // Whoever removes it holds its lock for that moment; then it is as good as gone.
  if (!fd.open() || flock(fd.get(), LOCK_SH | LOCK_NB) != 0 || fstat(fd.get(), &info) != 0 || info.st_nlink == 0) {
    return NotUploaded(sha256);
  }
  const absl::Time now = clock_.Now();
  if (absl::TimeFromTimespec(info.st_atim) + options_.keep <= now) return NotUploaded(sha256);
  SetUsed(fd.get(), now);
  return StoredFile{{std::string(sha256), info.st_size, path}, now + options_.keep, PinOf(std::move(fd))};
}

absl::StatusOr<StoredFile> ModelFileStore::Find(std::string_view sha256) {
  RETURN_IF_ERROR(CheckDigest("model.uploaded_file.sha256", sha256));
  bool sweep = false;
  {
    base::MutexLock lock(mutex_);
    sweep = last_sweep_ + kSweepInterval <= clock_.Now();
  }
  if (sweep) RemoveExpired();
  const std::string folder = ExistingFolder();
  if (folder.empty()) return NotUploaded(sha256);
  return Use(folder, sha256);
}

void ModelFileStore::RemoveExpired() {
  {
    base::MutexLock lock(mutex_);
    last_sweep_ = clock_.Now();
  }
  const std::string folder = ExistingFolder();
  if (folder.empty()) return;
  const absl::StatusOr<FileDescriptor> lock = LockFolder(folder);
  if (lock.ok()) MakeRoom(folder, 0).IgnoreError();
}

absl::Status ModelFileStore::MakeRoom(const std::string& folder, int64_t needed) {
  const absl::Time now = clock_.Now();
  std::vector<Entry> entries = EntriesOf(folder);
  std::erase_if(entries, [&](const Entry& entry) {
    return (entry.temporary || entry.used + options_.keep <= now) && RemoveUnused(PathIn(folder, entry.name));
  });
  int64_t used = 0;
  for (const Entry& entry : entries) used += entry.size_bytes;
  if (needed == 0) return absl::OkStatus();
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (used + needed <= options_.quota_bytes) break;
    if (!entry.temporary && RemoveUnused(PathIn(folder, entry.name))) used -= entry.size_bytes;
  }
  if (used + needed <= options_.quota_bytes) return absl::OkStatus();
  return Exhausted("MODEL_FILE_QUOTA",
                   fmt::format("the store of model files has no room: what it has is in use: size_bytes={} used_bytes={} "
                               "quota_bytes={}",
                               needed, used, options_.quota_bytes));
}

absl::StatusOr<std::unique_ptr<Upload>> ModelFileStore::Begin(int64_t size_bytes, std::string_view sha256) {
  RETURN_IF_ERROR(CheckDigest("announcement.sha256", sha256));
  if (size_bytes < 1) {
    return base::InvalidField("announcement.size_bytes", fmt::format("must be above 0: size_bytes={}", size_bytes));
  }
  const int64_t most = std::min(options_.max_file_bytes, options_.quota_bytes);
  if (size_bytes > most) {
    return Exhausted("MODEL_FILE_TOO_LARGE",
                     fmt::format("announcement.size_bytes: must be at most {}: size_bytes={}", most, size_bytes));
  }
  std::unique_ptr<Upload> upload(new Upload(*this, size_bytes, std::string(sha256)));
  if (++uploads_ > options_.max_uploads) {
    return Exhausted("TOO_MANY_UPLOADS", fmt::format("too many uploads at once: max_uploads={}", options_.max_uploads));
  }
  ASSIGN_OR_RETURN(upload->folder_, Folder());
  ASSIGN_OR_RETURN(const FileDescriptor lock, LockFolder(upload->folder_));
  RETURN_IF_ERROR(MakeRoom(upload->folder_, size_bytes));
  std::string path = PathIn(upload->folder_, std::string(kTemporaryPrefix) + "XXXXXX");
  upload->file_ = FileDescriptor(mkostemp(path.data(), O_CLOEXEC));  // 0600.
  if (!upload->file_.open()) return FileError("cannot be made", errno);
  upload->temporary_path_ = path;
  if (flock(upload->file_.get(), LOCK_EX | LOCK_NB) != 0) return FileError("cannot be locked", errno);
  SetUsed(upload->file_.get(), clock_.Now());
  // The size counts towards the quota from now on, also for other processes; a full disk is found now, not after an hour.
  if (fallocate(upload->file_.get(), 0, 0, size_bytes) != 0) {
    if (IsFull(errno)) return FileError("there is no room on the disk", errno);
    if (ftruncate(upload->file_.get(), size_bytes) != 0) return FileError("cannot be made as large", errno);
  }
  return upload;
}

Upload::~Upload() {
  if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
  --store_.uploads_;
}

absl::Status Upload::Append(std::string_view bytes) {
  if (static_cast<int64_t>(bytes.size()) > size_bytes_ - written_bytes_) {
    return base::InvalidField("data", fmt::format("is more than was announced: size_bytes={}", size_bytes_), "SIZE_MISMATCH");
  }
  digest_.Update(bytes);
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file_.get(), bytes.data(), bytes.size(), written_bytes_);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return FileError("cannot be written", written == 0 ? ENOSPC : errno);
    written_bytes_ += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredFile> Upload::Commit() {
  if (written_bytes_ != size_bytes_) {
    return base::InvalidField(
        "announcement.size_bytes",
        fmt::format("the data ends early: size_bytes={} received_bytes={}", size_bytes_, written_bytes_), "SIZE_MISMATCH");
  }
  if (const std::string digest = digest_.Finish(); digest != sha256_) {
    return base::InvalidField("announcement.sha256",
                              fmt::format("is not the content's: sha256={} received={}", sha256_, digest),
                              "DIGEST_MISMATCH");
  }
  if (fsync(file_.get()) != 0) return FileError("cannot be made durable", errno);
  ASSIGN_OR_RETURN(const FileDescriptor lock, LockFolder(folder_));
  // The lock goes with the open file to its new name, so nobody can remove it before it is in use.
  if (flock(file_.get(), LOCK_SH | LOCK_NB) != 0) return FileError("cannot be locked", errno);
  const std::string path = PathIn(folder_, sha256_);
  SetUsed(file_.get(), store_.clock_.Now());
  if (rename(temporary_path_.c_str(), path.c_str()) != 0) return FileError("cannot be put under its name", errno);
  temporary_path_.clear();
  if (fsync(lock.get()) != 0) return FileError("its name cannot be made durable", errno);
  return StoredFile{{sha256_, size_bytes_, path}, store_.clock_.Now() + store_.options_.keep, PinOf(std::move(file_))};
}

}  // namespace planner::model_files
