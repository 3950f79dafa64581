#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/store/store.h"
#include "tests/storage/scratch_folder.h"

namespace planner::store {

/// A store that the rules are tested on.
struct Implementation {
  std::string name;
  std::function<std::unique_ptr<Store>(const ScratchFolder&, const base::Clock&)> make;
};
inline void PrintTo(const Implementation& implementation, std::ostream* out) { *out << implementation.name; }

/// Those of the program that the suite is linked into.
std::vector<Implementation> Implementations();

}  // namespace planner::store
