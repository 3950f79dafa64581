#pragma once

#include <atomic>

#include "fmt/format.h"
#include "services/server/id_source.h"

namespace planner::server {

/// 00000001, 00000002, …
class FakeIdSource : public IdSource {
 public:
  std::string Next() override { return fmt::format("{:08x}", ++last_); }

 private:
  std::atomic<int> last_ = 0;
};

}  // namespace planner::server
