#include "core/perf/step_constants.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/base/embedded_file.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace planner::base {
std::span<const EmbeddedFile> EmbeddedFiles_core_perf();
}

namespace planner::perf {
namespace {

using Json = nlohmann::json;

constexpr std::array kFamilyFields = {
    ConstantField<FamilyConstants>{"matmul_32bit", &FamilyConstants::matmul_32bit, 0.15, 0.05, 1},
    ConstantField<FamilyConstants>{"matmul_16bit", &FamilyConstants::matmul_16bit, 0.15, 0.05, 1},
    ConstantField<FamilyConstants>{"matmul_8bit", &FamilyConstants::matmul_8bit, 0.2, 0.05, 1},
    ConstantField<FamilyConstants>{"matmul_4bit", &FamilyConstants::matmul_4bit, 0.2, 0.02, 1},
    ConstantField<FamilyConstants>{"grouped_matmul", &FamilyConstants::grouped_matmul, 0.25, 0.05, 1},
    ConstantField<FamilyConstants>{"attention", &FamilyConstants::attention, 0.2, 0.02, 1},
    ConstantField<FamilyConstants>{"memory", &FamilyConstants::memory, 0.1, 0.1, 1},
    ConstantField<FamilyConstants>{"link", &FamilyConstants::link, 0.1, 0.02, 1},
    ConstantField<FamilyConstants>{"network", &FamilyConstants::network, 0.06, 0.02, 1},
    ConstantField<FamilyConstants>{"compute_units", &FamilyConstants::compute_units, 0, 1, 100000},
    ConstantField<FamilyConstants>{"watts_per_teraflop", &FamilyConstants::watts_per_teraflop, 0, 0, 100},
};

constexpr std::array kFrameworkFields = {
    ConstantField<FrameworkConstants>{"layer_launch_us", &FrameworkConstants::layer_launch_us, 0.3, 1, 1e5},
    ConstantField<FrameworkConstants>{"kernel_share", &FrameworkConstants::kernel_share, 0.3, 0.01, 1},
    ConstantField<FrameworkConstants>{"micro_batch_ms", &FrameworkConstants::micro_batch_ms, 0.7, 0.01, 1e3},
    ConstantField<FrameworkConstants>{"step_ms", &FrameworkConstants::step_ms, 1.2, 0.01, 100},
    ConstantField<FrameworkConstants>{"elementwise", &FrameworkConstants::elementwise, 0.3, 0.2, 10},
    ConstantField<FrameworkConstants>{"loss_passes", &FrameworkConstants::loss_passes, 0.3, 1, 30},
    ConstantField<FrameworkConstants>{"sync_us", &FrameworkConstants::sync_us, 0.5, 0.1, 300},
    ConstantField<FrameworkConstants>{"tensor_exposed", &FrameworkConstants::tensor_exposed, 0.3, 0.05, 1},
    ConstantField<FrameworkConstants>{"exposed", &FrameworkConstants::exposed, 0.5, 0.01, 1},
    ConstantField<FrameworkConstants>{"sum_network", &FrameworkConstants::sum_network, 0.5, 0.05, 1},
    ConstantField<FrameworkConstants>{"send", &FrameworkConstants::send, 0.7, 0.01, 4},
    ConstantField<FrameworkConstants>{"shard_bandwidth", &FrameworkConstants::shard_bandwidth, 0.3, 0.02, 1},
    ConstantField<FrameworkConstants>{"attention", &FrameworkConstants::attention, 0.2, 0.2, 3},
    ConstantField<FrameworkConstants>{"narrow_heads", &FrameworkConstants::narrow_heads, 0.3, 0.3, 3},
    ConstantField<FrameworkConstants>{"recomputed", &FrameworkConstants::recomputed, 0.05, 0.3, 1.2},
    ConstantField<FrameworkConstants>{"scatters_sends", &FrameworkConstants::scatters_sends, 0, 0, 1},
    ConstantField<FrameworkConstants>{"selects_operators", &FrameworkConstants::selects_operators, 0, 0, 1},
};

constexpr std::array kSharedFields = {
    ConstantField<SharedConstants>{"wave", &SharedConstants::wave, 0.5, 0.01, 1},
    ConstantField<SharedConstants>{"depth", &SharedConstants::depth, 0.5, 1, 2000},
    ConstantField<SharedConstants>{"edge", &SharedConstants::edge, 0.7, 1, 2000},
    ConstantField<SharedConstants>{"misalignment", &SharedConstants::misalignment, 0.5, 0.001, 0.5},
    ConstantField<SharedConstants>{"backward_matmul", &SharedConstants::backward_matmul, 0.01, 0.8, 1.5},
    ConstantField<SharedConstants>{"backward_attention", &SharedConstants::backward_attention, 0.15, 1.5, 6},
    ConstantField<SharedConstants>{"backward_bytes", &SharedConstants::backward_bytes, 0.2, 0.8, 4},
    ConstantField<SharedConstants>{"document_tokens", &SharedConstants::document_tokens, 0.5, 50, 10000},
    ConstantField<SharedConstants>{"score_bytes", &SharedConstants::score_bytes, 0.3, 2, 100},
    ConstantField<SharedConstants>{"selective_flash", &SharedConstants::selective_flash, 0.5, 0.01, 1},
    ConstantField<SharedConstants>{"cast", &SharedConstants::cast, 0.5, 0.01, 10},
    ConstantField<SharedConstants>{"backward_launch", &SharedConstants::backward_launch, 0.3, 0.3, 3},
    ConstantField<SharedConstants>{"parallel_launch", &SharedConstants::parallel_launch, 0.5, 0.01, 3},
    ConstantField<SharedConstants>{"expert_launch", &SharedConstants::expert_launch, 0.3, 1, 10},
    ConstantField<SharedConstants>{"imbalance", &SharedConstants::imbalance, 0.1, 1, 2},
    ConstantField<SharedConstants>{"link_latency_us", &SharedConstants::link_latency_us, 0.5, 0.1, 200},
    ConstantField<SharedConstants>{"network_latency_us", &SharedConstants::network_latency_us, 0.5, 0.1, 1000},
    ConstantField<SharedConstants>{"congestion", &SharedConstants::congestion, 0.15, 0.001, 1},
    ConstantField<SharedConstants>{"context_exposed", &SharedConstants::context_exposed, 0.5, 0.01, 1},
    ConstantField<SharedConstants>{"expert_exposed", &SharedConstants::expert_exposed, 0.4, 0.05, 1},
    ConstantField<SharedConstants>{"shared_port", &SharedConstants::shared_port, 0.1, 0.1, 1},
    ConstantField<SharedConstants>{"optimizer_passes", &SharedConstants::optimizer_passes, 0.3, 0.3, 5},
    ConstantField<SharedConstants>{"power", &SharedConstants::power, 0.15, 0.05, 1},
    ConstantField<SharedConstants>{"adapter_launch", &SharedConstants::adapter_launch, 0.4, 0.05, 5},
    ConstantField<SharedConstants>{"dequantize", &SharedConstants::dequantize, 1.0, 0.2, 50},
};

template <typename Struct>
absl::Status ReadFields(const Json& json, std::span<const ConstantField<Struct>> fields, const std::string& path,
                        Struct& out) {
  if (!json.is_object()) return base::InvalidField(path, "is missing or no object");
  for (const ConstantField<Struct>& field : fields) {
    const std::string name(field.name);
    const std::string at = fmt::format("{}.{}", path, name);
    if (!json.contains(name) || !json.at(name).is_number()) return base::InvalidField(at, "is missing or no number");
    const double value = json.at(name).get<double>();
    if (!(value >= field.low && value <= field.high)) {
      return base::InvalidField(at, fmt::format("must be from {} to {}: value={}", field.low, field.high, value));
    }
    out.*field.member = value;
  }
  if (json.size() != fields.size()) return base::InvalidField(path, "has an unknown member");
  return absl::OkStatus();
}

}  // namespace

std::span<const ConstantField<FamilyConstants>> FamilyFields() { return kFamilyFields; }
std::span<const ConstantField<FrameworkConstants>> FrameworkFields() { return kFrameworkFields; }
std::span<const ConstantField<SharedConstants>> SharedFields() { return kSharedFields; }

const FamilyConstants& StepTimeConstants::Family(std::string_view architecture) const {
  const auto name = family_of_architecture.find(architecture);
  return families.find(name != family_of_architecture.end() ? name->second : "Hopper")->second;
}

std::string_view SizeClass(double parameters) {
  if (parameters < 3e9) return "small";
  return parameters < 50e9 ? "medium" : "large";
}

double StepTimeConstants::HalfWidth(std::string_view framework, std::string_view architecture,
                                    double parameters) const {
  const auto name = family_of_architecture.find(architecture);
  const std::string_view family = name != family_of_architecture.end() ? std::string_view(name->second) : "Hopper";
  const std::string_view size = SizeClass(parameters);
  const IntervalWidth* best = nullptr;
  size_t best_rank = 0;
  for (const IntervalWidth& width : intervals) {
    const bool matches = (width.framework == "*" || width.framework == framework) &&
                         (width.family == "*" || width.family == family) && (width.size == "*" || width.size == size);
    const size_t rank =
        1 + (width.framework != "*" ? 4 : 0) + (width.family != "*" ? 2 : 0) + (width.size != "*" ? 1 : 0);
    if (matches && rank > best_rank) {
      best = &width;
      best_rank = rank;
    }
  }
  constexpr double kUnknown = 0.3;
  return best != nullptr ? best->half_width : kUnknown;
}

const FrameworkConstants& StepTimeConstants::Framework(std::string_view name) const {
  const auto found = frameworks.find(name);
  return found != frameworks.end() ? found->second : frameworks.find("")->second;
}

absl::StatusOr<StepTimeConstants> ReadStepTimeConstants(std::string_view text, std::string_view part) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false, /*ignore_comments=*/false);
  const std::string name(part);
  if (!json.is_object() || !json.contains(name)) return base::InvalidField(name, "is missing");
  const Json& values = json.at(name);
  for (const char* member : {"families", "frameworks", "shared"}) {
    if (!values.contains(member) || !values.at(member).is_object()) {
      return base::InvalidField(fmt::format("{}.{}", name, member), "is missing or no object");
    }
  }
  StepTimeConstants constants;
  for (const auto& [family, member] : values.at("families").items()) {
    RETURN_IF_ERROR(
        ReadFields(member, FamilyFields(), fmt::format("{}.families.{}", name, family), constants.families[family]));
  }
  for (const auto& [framework, member] : values.at("frameworks").items()) {
    RETURN_IF_ERROR(ReadFields(member, FrameworkFields(), fmt::format("{}.frameworks.{}", name, framework),
                               constants.frameworks[framework]));
  }
  RETURN_IF_ERROR(ReadFields(values.at("shared"), SharedFields(), name + ".shared", constants.shared));
  if (json.contains("intervals")) {
    for (const Json& row : json.at("intervals")) {
      constexpr double kMost = 3;
      IntervalWidth width{row.value("framework", ""), row.value("family", ""), row.value("size", ""),
                          row.value("half_width", 0.0)};
      if (!(width.half_width > 0 && width.half_width < kMost)) {
        return base::InvalidField("intervals", fmt::format("half_width must be above 0 and below {}", kMost));
      }
      constants.intervals.push_back(std::move(width));
    }
  }
  if (!json.contains("architectures")) return base::InvalidField("architectures", "is missing");
  for (const auto& [architecture, family] : json.at("architectures").items()) {
    const std::string known = family.is_string() ? family.get<std::string>() : "";
    if (!constants.families.contains(known)) {
      return base::InvalidField("architectures." + architecture, "is no family");
    }
    constants.family_of_architecture[architecture] = known;
  }
  for (const std::string_view needed : {std::string_view(), kTypicalFramework}) {
    if (!constants.frameworks.contains(needed))
      return base::InvalidField(name + ".frameworks", fmt::format("has no \"{}\"", needed));
  }
  if (!constants.families.contains("Hopper")) return base::InvalidField(name + ".families", "has no \"Hopper\"");
  return constants;
}

std::string_view StepTimeConstantsFile() { return base::EmbeddedFiles_core_perf().front().content; }

const StepTimeConstants& BuiltInStepTimeConstants() {
  static const StepTimeConstants* const kConstants = [] {
    auto constants = ReadStepTimeConstants(StepTimeConstantsFile(), "values");
    if (!constants.ok()) {
      // A unit test reads the file: only a broken build gets here.
      std::fprintf(stderr, "step_constants.json: %s\n", std::string(constants.status().message()).c_str());
      std::abort();
    }
    return new StepTimeConstants(*std::move(constants));
  }();
  return *kConstants;
}

}  // namespace planner::perf
