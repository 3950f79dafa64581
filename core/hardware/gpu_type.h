#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace planner::hardware {

/// A kind of accelerator: the figures that planning needs. Rates are the vendor's dense peaks.
struct GpuType {
  std::string name;                          ///< "A100-SXM-80GB".
  std::vector<std::string> aliases;          ///< Other spellings; matched without regard to case.
  std::string vendor;                        ///< "NVIDIA".
  std::string architecture;                  ///< "Ampere": utilization defaults are kept per architecture.
  int64_t memory_bytes = 0;                  ///< What the driver reports.
  double memory_bandwidth = 0;               ///< Bytes per second.
  std::map<std::string, double> peak_flops;  ///< FLOP/s by precision, "bf16" -> 312e12; only what the hardware has.
  std::string link;                          ///< "NVLink3+NVSwitch".
  double link_bandwidth = 0;                 ///< Bytes per second of a card, one direction, within scale_up_domain.
  double network_bandwidth = 0;              ///< Bytes per second of a card, one direction, between nodes.
  double pcie_bandwidth = 0;                 ///< Bytes per second, one direction; 0: none.
  int gpus_per_node = 8;
  int scale_up_domain = 8;  ///< Cards that the fast link joins.
  double power_watts = 0;   ///< 0: unknown.
  int release_year = 0;
  bool verified = false;  ///< Figures were checked against a source.
  std::string notes;
};

}  // namespace planner::hardware
