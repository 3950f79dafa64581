#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "absl/time/time.h"
#include "core/calibration/calibration.h"
#include "core/perf/layout.h"

namespace planner::planning {

/// What measured runs say of the layouts of one job on one pool. Remembers it, so that a search of thousands of layouts asks once for each
/// kind of them: not safe for concurrent use.
class Corrections {
 public:
  /// Of nothing learned: every time stays what it is, at no cost.
  Corrections() = default;
  /// `learned` is borrowed. `like` is the kind of any of the job's layouts.
  Corrections(const calibration::Calibration& learned, absl::Time now, calibration::Kind like);

  /// What a layout's predicted time is to be corrected by.
  const calibration::Correction& Of(const perf::Layout& layout);
  bool corrects() const { return learned_ != nullptr; }
  /// No layout of any number of cards has a smaller factor: what the bounds of a search are multiplied by. 1: nothing learned.
  double least_factor() const { return least_factor_; }

 private:
  /// What calibration tells layouts of a job apart by; zeros where it does not.
  struct Key {
    perf::Recompute recompute;
    bool sharded;
    int64_t tensor = 0, pipeline = 0, micro_batch = 0, gpus = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };

  const calibration::Calibration* learned_ = nullptr;  ///< Null: nothing is learned.
  absl::Time now_;
  calibration::Kind like_;
  double least_factor_ = 1;
  std::array<std::array<bool, 2>, 3> tells_layouts_apart_ =
      {};  ///< By recomputation, and whether everything is sharded.
  std::unordered_map<Key, calibration::Correction, Hash> known_;
};

}  // namespace planner::planning
