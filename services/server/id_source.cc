#include "services/server/id_source.h"

#include <cstdint>
#include <random>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "fmt/format.h"

namespace planner::server {
namespace {

class RandomIdSource : public IdSource {
 public:
  std::string Next() override {
    base::MutexLock lock(mutex_);
    return fmt::format("{:08x}", static_cast<uint32_t>(device_()));
  }

 private:
  base::Mutex mutex_;
  std::random_device device_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

IdSource& IdSource::Random() {
  static RandomIdSource source;
  return source;
}

std::string TimedId(absl::Time now, IdSource& ids) {
  return fmt::format("{}-{}", absl::FormatTime("%Y%m%d-%H%M%S", now, absl::UTCTimeZone()), ids.Next());
}

}  // namespace planner::server
