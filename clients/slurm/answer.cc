#include "clients/slurm/answer.h"

#include <string>
#include <string_view>
#include <utility>

#include "clients/slurm/tres.h"

namespace planner::slurm {
namespace {

std::string_view WordOf(jobs::Action action) {
  switch (action) {
    case jobs::Action::kLeave:
      return "leave";
    case jobs::Action::kAccept:
      return "accept";
    case jobs::Action::kRefuse:
      return "refuse";
  }
  return "";
}

}  // namespace

Fields FieldsOf(const jobs::Decision& decision) {
  Fields fields = {{"action", std::string(WordOf(decision.action))}};
  const auto add = [&](const char* name, std::string value) {
    if (!value.empty()) fields.emplace_back(name, std::move(value));
  };
  add("plan", decision.plan);
  if (decision.time_limit_minutes.has_value()) add("time_limit", std::to_string(*decision.time_limit_minutes));
  if (decision.gpus.has_value()) {
    add("tres_field", std::string(FieldOf(decision.gpus->scope)));
    add("tres_value", TextOf(*decision.gpus));
  }
  if (decision.nodes.has_value()) add("nodes", std::to_string(*decision.nodes));
  constexpr size_t kMostBytes = 1000;  // Of a line on a terminal; and all of it must fit a message.
  for (size_t i = 0; i < decision.messages.size() && i < 8; ++i)
    add("message", decision.messages[i].substr(0, kMostBytes));
  add("reason", decision.reason.substr(0, kMostBytes));
  if (decision.has_failed) add("failed", "1");
  return fields;
}

Fields FallbackOf(const jobs::Policy& policy) {
  const auto word = [](const jobs::PartitionPolicy& partition) {
    return std::string(partition.mode == jobs::Mode::kOff || partition.on_failure == jobs::OnFailure::kOpen ? "open"
                                                                                                            : "closed");
  };
  Fields fields = {{"on_failure", word(policy.other)}};
  for (const auto& [name, partition] : policy.partitions) fields.emplace_back("on_failure." + name, word(partition));
  return fields;
}

}  // namespace planner::slurm
