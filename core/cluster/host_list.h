#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::cluster {

/// Nodes first to last, counted from 0.
struct NodeRange {
  int32_t first = 0;
  int32_t last = 0;

  int64_t size() const { return int64_t{last} - first + 1; }
  friend bool operator==(const NodeRange&, const NodeRange&) = default;
};

/// Nodes of all ranges.
int64_t CountOf(const std::vector<NodeRange>& ranges);

/// Ranges of rising indices: {1, 2, 3, 7} -> 1-3, 7. The indices must rise.
std::vector<NodeRange> ToRanges(const std::vector<int32_t>& rising);

/// The names of a pool's nodes in their order, as Slurm writes them: "gpu[001-512]", "a1,a2,b[3,7-9]". A few bytes for each
/// bracket, not for each node.
class HostList {
 public:
  /// INVALID_ARGUMENT for what is no host list, a name that is there twice, more than a million names or 10,000 parts.
  static absl::StatusOr<HostList> Parse(std::string_view text);
  /// "NAME-0" to "NAME-(count - 1)".
  static HostList Numbered(std::string_view name, int64_t count);

  int64_t size() const { return size_; }
  /// 0 <= index < size().
  std::string Name(int64_t index) const;
  /// The indices of the names of `text`, by rising index. INVALID_ARGUMENT for a name that is not here, or is named twice.
  absl::StatusOr<std::vector<NodeRange>> Find(std::string_view text) const;
  struct Known {
    std::vector<NodeRange> nodes;
    int64_t unknown = 0;  ///< Names that are not here.
  };
  /// The same, for a list that may name what is not here any more. What is no list names nothing.
  Known FindKnown(std::string_view text) const;
  /// "gpu[001-004,017]".
  std::string Text(const std::vector<NodeRange>& ranges) const;

 private:
  /// "gpu", 3 digits, 1 to 512: "gpu001" to "gpu512". Without digits: the one name "gpu".
  struct Part {
    std::string prefix;
    int width = 0;  ///< Digits at least; 0: no number.
    int64_t low = 0;
    int64_t high = 0;
    int64_t first_index = 0;
    int64_t size() const { return high - low + 1; }
  };
  static absl::StatusOr<std::vector<Part>> PartsOf(std::string_view text);
  /// The index of the name with that number; -1 if there is none.
  int64_t IndexOf(std::string_view prefix, int width, int64_t number) const;

  std::vector<Part> parts_;
  int64_t size_ = 0;
};

}  // namespace planner::cluster
