#include "clients/plannerctl/job_request.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <utility>

#include "clients/plannerctl/estimate_flags.h"
#include "clients/plannerctl/flag_names.h"
#include "clients/plannerctl/model_argument.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

constexpr std::array<std::pair<std::string_view, std::string EstimateFlags::*>, 27> kWords = {{
    {"assume-architecture", &EstimateFlags::assume_architecture},
    {"tokens", &EstimateFlags::tokens},
    {"samples", &EstimateFlags::samples},
    {"epochs", &EstimateFlags::epochs},
    {"seq-len", &EstimateFlags::seq_len},
    {"global-batch", &EstimateFlags::global_batch},
    {"precision", &EstimateFlags::precision},
    {"optimizer", &EstimateFlags::optimizer},
    {"recompute", &EstimateFlags::recompute},
    {"finetune", &EstimateFlags::finetune},
    {"lora-rank", &EstimateFlags::lora_rank},
    {"framework", &EstimateFlags::framework},
    {"attention", &EstimateFlags::attention},
    {"deadline", &EstimateFlags::deadline},
    {"budget", &EstimateFlags::budget},
    {"tp", &EstimateFlags::tensor_parallel},
    {"pp", &EstimateFlags::pipeline_parallel},
    {"vpp", &EstimateFlags::virtual_pipeline},
    {"dp", &EstimateFlags::data_parallel},
    {"cp", &EstimateFlags::context_parallel},
    {"ep", &EstimateFlags::expert_parallel},
    {"sequence-parallel", &EstimateFlags::sequence_parallel},
    {"micro-batch", &EstimateFlags::micro_batch},
    {"zero", &EstimateFlags::zero_stage},
    {"shard-group", &EstimateFlags::shard_group},
    {"utilization", &EstimateFlags::utilization},
    {"mfu", &EstimateFlags::mfu},
}};

/// Words that are about the planning and not about the training.
constexpr std::array<std::string_view, 4> kOthers = {"model", "fixed", "resume", "plan"};

bool IsIn(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto [end, unused] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end();
}

absl::StatusOr<v1::Model> ModelOf(const std::string& text, const std::vector<std::string>& folders) {
  v1::Model model;
  if (!text.starts_with('/')) {
    model.set_preset(text);
    return model;
  }
  std::error_code error;
  std::filesystem::path path = std::filesystem::canonical(text, error);
  if (!error && std::filesystem::is_directory(path, error))
    path = std::filesystem::canonical(path / "config.json", error);
  const bool is_allowed = !error && std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
    std::error_code failed;
    const std::filesystem::path real = std::filesystem::canonical(folder, failed);
    return !failed && IsIn(path, real);
  });
  // The same words whether it is there or not: a stranger learns nothing of the files of this machine.
  if (!is_allowed) return base::InvalidField("--model", "is no description in a folder that this site allows");
  const std::string ending = path.extension();
  if (ending != ".json" && ending != ".yaml" && ending != ".yml" && ending != ".textproto") {
    return base::InvalidField(
        "--model", "is no .json, .yaml or .textproto; make a plan with plannerctl, and name that: plan=plans/…");
  }
  std::istringstream nothing;
  auto read = ReadModelArgument(path.string(), nothing);
  if (!read.ok()) return base::InvalidField("--model", "cannot be read as the description of a model");
  return read;
}

}  // namespace

std::vector<std::string> AllWords() {
  std::vector<std::string> words(kOthers.begin(), kOthers.end());
  for (const auto& [name, field] : kWords) words.emplace_back(name);
  return words;
}

absl::StatusOr<v1::EstimateRequest> RequestOfWords(const jobs::JobWords& words,
                                                   const std::vector<std::string>& model_folders) {
  EstimateFlags flags;
  for (const auto& [name, value] : words) {
    const auto found = std::find_if(kWords.begin(), kWords.end(), [&](const auto& word) { return word.first == name; });
    if (found != kWords.end()) {
      flags.*(found->second) = value;
    } else if (std::find(kOthers.begin(), kOthers.end(), name) == kOthers.end()) {
      const std::string likely = base::LikelyName(name, AllWords());
      return base::InvalidField("--" + name, likely.empty() ? "is no word of a job"
                                                            : fmt::format("is no word of a job; did you mean --{}?", likely));
    }
  }
  std::istringstream nothing;
  auto request = BuildEstimateRequest(flags, nothing);
  if (!request.ok()) return request.status();
  const auto model = words.find("model");
  if (model == words.end()) return base::InvalidField("--model", "is missing");
  ASSIGN_OR_RETURN(v1::Model described, ModelOf(model->second, model_folders));
  described.set_assume_architecture(flags.assume_architecture);
  *request->mutable_model() = std::move(described);
  return request;
}

}  // namespace planner::plannerctl
