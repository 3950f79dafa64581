#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/hardware/gpu_type.h"

namespace planner::hardware {

/// GPU types by name and alias: the built-in ones (core/hardware/gpu_types.json) and the site's
/// own. Immutable after construction, safe for concurrent use.
class GpuCatalog {
 public:
  /// The built-in types, and `own` ones, which replace those of the same name. INVALID_ARGUMENT: an
  /// own type without a name, memory or peaks, or an alias that another type already has.
  static absl::StatusOr<GpuCatalog> Create(std::vector<GpuType> own = {});

  /// By name or alias, without regard to case, also as Slurm GRES, NVIDIA's gpu.product label and
  /// DCGM's modelName write it. The pointer lives as long as the catalogue. NOT_FOUND lists the
  /// nearest names.
  absl::StatusOr<const GpuType*> Find(std::string_view name) const;

  /// In the order of the file, own types last.
  const std::vector<GpuType>& types() const { return types_; }

 private:
  std::vector<GpuType> types_;
  std::map<std::string, size_t> by_key_;  ///< Folded name or alias -> index.
};

}  // namespace planner::hardware
