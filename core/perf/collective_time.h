#pragma once

#include <algorithm>
#include <cmath>

#include "core/perf/machine.h"

namespace planner::perf {

/// Cards that exchange with each other: `size` of them, `stride` apart in the numbering of cards, so that
/// domain / stride of them share the fast link.
struct Group {
  double size = 1;
  double stride = 1;

  double Local(const Machine& machine) const {
    return std::clamp(std::floor(machine.domain / stride), 1.0, std::max(1.0, size));
  }
  double Domains(const Machine& machine) const { return std::ceil(size / Local(machine)); }
};

/// Bytes per second at which a ring through the group passes data: the link's within a domain. Across domains the ring of
/// each group leaves a domain once, so it has the network ports of its cards there, less what congestion takes for each
/// doubling of the domains. 4 cards of each node in a group, 25 GB/s each: 100 GB/s.
inline double RingBandwidth(const Machine& machine, const SharedConstants& shared, const Group& group) {
  const double domains = group.Domains(machine);
  if (domains <= 1) return machine.link;
  return std::min(machine.link, machine.network * group.Local(machine) / (1 + shared.congestion * std::log2(domains)));
}

/// Start-up time of a collective: a link latency for each doubling within the domain, a network latency for each doubling
/// of the domains.
inline double CollectiveLatency(const Machine& machine, const Group& group) {
  const double local = group.Local(machine);
  const double domains = group.Domains(machine);
  return (local > 1 ? machine.link_latency * std::log2(local) : 0) +
         (domains > 1 ? machine.network_latency * std::log2(domains) : 0);
}

/// All-gather or reduce-scatter of `bytes` in all, by a ring: (g - 1)/g x bytes / bandwidth. An all-reduce is two of them:
/// 8 cards, 1 GB, 100 GB/s: 8.75 ms, 17.5 ms for the all-reduce.
inline double GatherSeconds(const Machine& machine, const SharedConstants& shared, const Group& group, double bytes) {
  if (group.size <= 1) return 0;
  return (group.size - 1) / group.size * bytes / RingBandwidth(machine, shared, group) +
         CollectiveLatency(machine, group);
}

/// All-to-all where every card sends `bytes` in all, evenly to the others: what stays in the domain over the link, the
/// rest over the card's network port, at the same time.
inline double AllToAllSeconds(const Machine& machine, const SharedConstants& shared, const Group& group, double bytes) {
  if (group.size <= 1) return 0;
  const double local = group.Local(machine);
  const double domains = group.Domains(machine);
  const double within = bytes * (local - 1) / group.size / machine.link;
  const double across = bytes * (group.size - local) / group.size /
                        (machine.network / (1 + shared.congestion * (domains > 1 ? std::log2(domains) : 0)));
  return std::max(within, across) + CollectiveLatency(machine, group);
}

}  // namespace planner::perf
