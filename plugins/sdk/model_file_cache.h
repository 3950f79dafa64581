#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "core/base/sha256.h"

namespace planner::plugin {

/// A model file that a host has sent; removed with the object.
class CachedFile {
 public:
  explicit CachedFile(std::string path) : path_(std::move(path)) {}
  ~CachedFile();
  CachedFile(const CachedFile&) = delete;
  CachedFile& operator=(const CachedFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

/// The last few model files that hosts have sent, by their content, in a private temporary folder. Thread-safe.
class ModelFileCache {
 public:
  /// Files that are kept when nobody reads them.
  static constexpr size_t kKept = 4;
  static constexpr int64_t kMaxBytes = int64_t{20} << 30;

  ModelFileCache() = default;
  /// Removes the folder.
  ~ModelFileCache();
  ModelFileCache(const ModelFileCache&) = delete;
  ModelFileCache& operator=(const ModelFileCache&) = delete;

  /// Null: it has to be sent. The file stays as long as the pointer.
  std::shared_ptr<const CachedFile> Find(const std::string& sha256);

  /// A file on its way in.
  class Writer {
   public:
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer();
    /// RESOURCE_EXHAUSTED: the disk is full; INVALID_ARGUMENT: more bytes than announced.
    absl::Status Append(const std::string& bytes);
    /// INVALID_ARGUMENT: size or digest are not as announced. Else the file can be found.
    absl::Status Finish();

   private:
    friend class ModelFileCache;
    Writer(ModelFileCache& cache, std::string sha256, int64_t size, std::string path, int file)
        : cache_(cache), sha256_(std::move(sha256)), left_(size), path_(std::move(path)), file_(file) {}
    ModelFileCache& cache_;
    const std::string sha256_;
    int64_t left_;
    const std::string path_;
    int file_;
    bool kept_ = false;
    base::Sha256 digest_;
  };

  /// INVALID_ARGUMENT: no digest, or a size that no file has or that is beyond kMaxBytes.
  absl::StatusOr<std::unique_ptr<Writer>> Begin(const std::string& sha256, int64_t size_bytes);

 private:
  struct Entry {
    std::string sha256;
    std::shared_ptr<const CachedFile> file;
  };
  void Keep(const std::string& sha256, const std::string& path);

  base::Mutex mutex_;
  std::string folder_ ABSL_GUARDED_BY(mutex_);
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // The one used last first.
};

}  // namespace planner::plugin
