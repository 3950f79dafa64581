#include "services/convert/hardware.h"

namespace planner::convert {

v1::GpuType GpuTypeToProto(const hardware::GpuType& type) {
  v1::GpuType proto;
  proto.set_name(type.name);
  proto.mutable_aliases()->Assign(type.aliases.begin(), type.aliases.end());
  proto.set_vendor(type.vendor);
  proto.set_architecture(type.architecture);
  proto.set_memory_bytes(type.memory_bytes);
  proto.set_memory_bandwidth_bytes_per_second(type.memory_bandwidth);
  for (const auto& [precision, flops] : type.peak_flops) {
    v1::PeakRate& peak = *proto.add_peaks();
    peak.set_precision(precision);
    peak.set_flops_per_second(flops);
  }
  proto.set_link(type.link);
  proto.set_link_bandwidth_bytes_per_second(type.link_bandwidth);
  proto.set_network_bandwidth_bytes_per_second(type.network_bandwidth);
  proto.set_pcie_bandwidth_bytes_per_second(type.pcie_bandwidth);
  proto.set_gpus_per_node(type.gpus_per_node);
  proto.set_scale_up_domain(type.scale_up_domain);
  proto.set_power_watts(type.power_watts);
  proto.set_release_year(type.release_year);
  proto.set_verified(type.verified);
  proto.set_notes(type.notes);
  return proto;
}

hardware::GpuType GpuTypeFromProto(const v1::GpuType& proto) {
  constexpr int kUsualNode = 8;
  hardware::GpuType type;
  type.name = proto.name();
  type.aliases.assign(proto.aliases().begin(), proto.aliases().end());
  type.vendor = proto.vendor();
  type.architecture = proto.architecture();
  type.memory_bytes = proto.memory_bytes();
  type.memory_bandwidth = proto.memory_bandwidth_bytes_per_second();
  for (const v1::PeakRate& peak : proto.peaks()) type.peak_flops[peak.precision()] = peak.flops_per_second();
  type.link = proto.link();
  type.link_bandwidth = proto.link_bandwidth_bytes_per_second();
  type.network_bandwidth = proto.network_bandwidth_bytes_per_second();
  type.pcie_bandwidth = proto.pcie_bandwidth_bytes_per_second();
  type.gpus_per_node = proto.gpus_per_node() == 0 ? kUsualNode : proto.gpus_per_node();
  type.scale_up_domain = proto.scale_up_domain() == 0 ? type.gpus_per_node : proto.scale_up_domain();
  type.power_watts = proto.power_watts();
  type.release_year = proto.release_year();
  type.verified = proto.verified();
  type.notes = proto.notes();
  return type;
}

v1::PrecisionInfo PrecisionToProto(const hardware::Precision& precision) {
  v1::PrecisionInfo proto;
  proto.set_name(std::string(precision.name));
  proto.set_description(std::string(precision.description));
  proto.set_weight_bytes_per_element(precision.element_bytes);
  proto.set_weights_gib_per_billion(hardware::GibPerBillion(precision.element_bytes));
  proto.set_inference_gib_per_billion(hardware::GibPerBillion(precision.element_bytes * hardware::kInferenceFactor));
  for (const hardware::Optimizer& optimizer : hardware::Optimizers()) {
    const auto recipe = hardware::TrainingRecipe(precision, optimizer);
    if (!recipe.ok()) break;  // Nobody trains in it, whatever the optimizer.
    v1::OptimizerMemory& memory = *proto.add_training();
    memory.set_optimizer(std::string(optimizer.name));
    memory.set_weight_bytes(recipe->weight_bytes);
    memory.set_gradient_bytes(recipe->gradient_bytes);
    memory.set_optimizer_bytes(recipe->optimizer_bytes);
    memory.set_gib_per_billion(hardware::GibPerBillion(recipe->total()));
  }
  return proto;
}

}  // namespace planner::convert
