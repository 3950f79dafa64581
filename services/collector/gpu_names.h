#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/collector/prometheus_answer.h"

namespace planner::collector {

/// Which GPU a series is of.
struct Gpu {
  std::string node;
  int number = 0;
};

/// Finds nodes and GPUs by the labels of series. Remembers how it has numbered identities, so that a GPU stays the same one from answer to
/// answer. Not safe for concurrent use.
class GpuNames {
 public:
  /// How many GPUs a node of just this name has; absent: there is no such node.
  using Nodes = std::function<std::optional<int>(const std::string& name)>;

  /// Series have the values of `node_label_count` labels of nodes, then those of GPUs.
  explicit GpuNames(size_t node_label_count) : node_label_count_(node_label_count) {}

  /// Of each series its GPU; absent: its labels name no node that there is, or no GPU of it.
  ///
  /// A node is what the first label says that names one, as it is ("gpu001"), without a port ("gpu001:9400", "[::1]:9400"), or without port and
  /// domain ("gpu001.example.org:9400"). A GPU is what its first label that is there says: a number below the node's GPUs, or an identity (a
  /// UUID), of which those of a node are numbered from 0 in their order, new ones after those that are known. Where there are more than the node
  /// has GPUs, the ones that are gone make room.
  std::vector<std::optional<Gpu>> Find(const std::vector<Series>& series, const Nodes& nodes);

 private:
  std::optional<std::string> NodeOf(const Series& series, const Nodes& nodes) const;
  std::string_view GpuOf(const Series& series) const;
  /// Gives numbers to the identities of an answer.
  void Number(const std::string& node, const std::set<std::string>& seen, size_t gpus);

  const size_t node_label_count_;
  std::map<std::string, std::vector<std::string>> identities_;  ///< By node, in the order of their numbers.
};

}  // namespace planner::collector
