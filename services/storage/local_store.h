#pragma once

#include <memory>
#include <string>

#include "core/base/clock.h"
#include "core/store/store.h"

namespace planner::storage {

/// Records of one machine: in planner.db of the folder, in memory if that is empty. Opens nothing yet. `clock` must outlive the store.
std::unique_ptr<store::Store> MakeLocalStore(const std::string& state_dir, const base::Clock& clock);

}  // namespace planner::storage
