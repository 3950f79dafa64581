#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/sha256.h"
#include "core/model/description.h"
#include "services/model_files/file_descriptor.h"

namespace planner::model_files {

struct StoreOptions {
  int64_t max_file_bytes = int64_t{20} << 30;
  /// All files together, uploads in flight with their whole size; the ones unused for longest make room.
  int64_t quota_bytes = int64_t{100} << 30;
  absl::Duration keep = absl::Hours(24 * 7);  ///< How long an unused file is kept.
  int max_uploads = 8;                        ///< At once; the surplus is refused with RESOURCE_EXHAUSTED.
};

/// A file of the store. It stays where it is for as long as this, or a copy of `pin`, is alive.
struct StoredFile {
  model::ModelFile file;
  absl::Time expire_time;  ///< When it is removed, unless it is used again.
  std::shared_ptr<const void> pin;
};

class Upload;

/// Model files by the sha256 of their content. The folder itself is the index, so that several processes may share it: a file's
/// name is its digest, its access time when it was last used. Whoever uses a file or writes one holds a lock (flock) on it,
/// and what is locked is not removed, so a crash leaves nothing behind that the next upload would not clear away. No text of a
/// client becomes part of a path but a checked digest. Thread-safe.
class ModelFileStore {
 public:
  /// Touches no file. `folder` is made with the first upload, for its owner alone; empty: a temporary one, removed with the store.
  /// `clock` must outlive the store, which must outlive its uploads.
  ModelFileStore(std::string folder, StoreOptions options, const base::Clock& clock);
  ~ModelFileStore();
  ModelFileStore(const ModelFileStore&) = delete;
  ModelFileStore& operator=(const ModelFileStore&) = delete;

  /// The file of that content, used now. NOT_FOUND (MODEL_NOT_UPLOADED) where there is none (any more); INVALID_ARGUMENT for
  /// what is no digest.
  absl::StatusOr<StoredFile> Find(std::string_view sha256);

  /// Begins to write a file of that size and content; room is made for all of it now. INVALID_ARGUMENT for what is no size or
  /// digest; RESOURCE_EXHAUSTED beyond max_file_bytes (MODEL_FILE_TOO_LARGE), max_uploads (TOO_MANY_UPLOADS), the quota
  /// (MODEL_FILE_QUOTA: what is in use makes no room) or the disk (DISK_FULL).
  absl::StatusOr<std::unique_ptr<Upload>> Begin(int64_t size_bytes, std::string_view sha256);

  /// Removes what has expired, and what uploads of processes that are gone have left.
  void RemoveExpired();

  const StoreOptions& options() const { return options_; }

 private:
  friend class Upload;

  /// The folder, made if need be.
  absl::StatusOr<std::string> Folder();
  /// The folder if it is there; empty if nothing was ever stored.
  std::string ExistingFolder();
  /// Removes expired and abandoned files; then the ones unused for longest, until `needed` bytes fit the quota. The folder is
  /// locked.
  absl::Status MakeRoom(const std::string& folder, int64_t needed);
  absl::StatusOr<StoredFile> Use(const std::string& folder, std::string_view sha256);

  const std::string folder_;
  const StoreOptions options_;
  const base::Clock& clock_;
  std::atomic<int> uploads_ = 0;
  base::Mutex mutex_;
  std::string temporary_ ABSL_GUARDED_BY(mutex_);  ///< The folder, where the options name none.
  absl::Time last_sweep_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

/// One upload. What is not committed is gone with the object. Not thread-safe.
class Upload {
 public:
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  /// The next bytes. INVALID_ARGUMENT beyond the announced size; RESOURCE_EXHAUSTED (DISK_FULL).
  absl::Status Append(std::string_view bytes);
  /// Makes the file durable and puts it under its name. INVALID_ARGUMENT where size (SIZE_MISMATCH) or content
  /// (DIGEST_MISMATCH) are not as announced. Once.
  absl::StatusOr<StoredFile> Commit();

 private:
  friend class ModelFileStore;
  Upload(ModelFileStore& store, int64_t size_bytes, std::string sha256)
      : store_(store), size_bytes_(size_bytes), sha256_(std::move(sha256)) {}

  ModelFileStore& store_;
  const int64_t size_bytes_;
  const std::string sha256_;
  std::string folder_;
  std::string temporary_path_;  ///< Empty before there is one, and once it has its name.
  FileDescriptor file_;
  int64_t written_bytes_ = 0;
  base::Sha256 digest_;
};

}  // namespace planner::model_files
