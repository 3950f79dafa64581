#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "clients/plannerctl/command.h"
#include "clients/plannerctl/count_view.h"
#include "clients/plannerctl/flag_names.h"
#include "clients/plannerctl/flag_value.h"
#include "clients/plannerctl/input_shape.h"
#include "clients/plannerctl/model_argument.h"
#include "clients/plannerctl/model_file.h"
#include "clients/plannerctl/numbers.h"
#include "core/base/status_macros.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

struct Flags {
  std::string model, assume_architecture, batch, seq_len, counter, depth, mode, precision;
  std::vector<std::string> inputs;
};

constexpr std::array<std::pair<std::string_view, v1::CountRequest::Mode>, 2> kModes = {
    {{"training", v1::CountRequest::TRAINING}, {"inference", v1::CountRequest::INFERENCE}}};

absl::StatusOr<v1::CountRequest> BuildRequest(const Flags& flags, std::istream& standard_input) {
  v1::CountRequest request;
  RETURN_IF_ERROR(FillFlag(
      "--model", flags.model, [&](const std::string& text) { return ReadModelArgument(text, standard_input); },
      [&](v1::Model model) { *request.mutable_model() = std::move(model); }));
  request.mutable_model()->set_assume_architecture(flags.assume_architecture);
  v1::BatchShape& shape = *request.mutable_batch_shape();
  RETURN_IF_ERROR(FillFlag("--batch", flags.batch, ParseInteger, [&](int64_t value) { shape.set_batch(value); }));
  RETURN_IF_ERROR(FillFlag("--seq-len", flags.seq_len, ParseInteger, [&](int64_t value) { shape.set_seq_len(value); }));
  for (const std::string& input : flags.inputs) {
    RETURN_IF_ERROR(FillFlag("--input", input, ParseInputShape,
                             [&](v1::TensorShape value) { *shape.add_inputs() = std::move(value); }));
  }
  RETURN_IF_ERROR(FillFlag("--depth", flags.depth, ParseInt32, [&](int32_t value) { request.set_depth(value); }));
  RETURN_IF_ERROR(FillFlag("--mode", flags.mode, OneOf(kModes), [&](auto value) { request.set_mode(value); }));
  request.set_counter(flags.counter);
  request.set_precision(flags.precision);
  return request;
}

absl::StatusOr<ExitCode> Count(const Flags& flags, Session& session) {
  ASSIGN_OR_RETURN(const v1::CountRequest request, BuildRequest(flags, session.in()));
  session.StartAgain(absl::ZeroDuration());  // Taking the digest of a large file is no waiting for the planner.
  auto answer = CallAboutModel(&v1::EstimationService::Stub::Count, request, request.model(), flags.model, session);
  if (!answer.ok()) return NameFlags(answer.status());
  for (const std::string& warning : answer->warnings()) session.Warn(NameFlags(warning));
  session.Print(*answer, [&](std::ostream& out) { PrintCount(*answer, session.style(), out); });
  return ExitCode::kOk;
}

}  // namespace

void AddCountCommand(CLI::App& root, Action& chosen) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& command =
      *root.add_subcommand("count", "FLOPs, MACs, parameters and activation memory of a model, by module and operator");
  AddFlag(command, "--model,-m", flags->model, "A preset's name, a config.json or its folder, a TorchScript file, or a layer graph",
          "MODEL")
      ->required();
  AddFlag(command, "--assume-architecture", flags->assume_architecture,
          "Read a config.json of an unknown model_type as this one", "TYPE");
  AddFlag(command, "--batch", flags->batch, "Samples of the batch [1]", "N");
  AddFlag(command, "--seq-len", flags->seq_len, "Positions per sample [the model's]", "N");
  AddFlag(command, "--input", flags->inputs, "Shape of an input: [NAME=]1x3x224x224[:dtype]; repeatable", "SHAPE")
      ->allow_extra_args(false);
  AddFlag(command, "--counter", flags->counter, "Which counter (counter list) [the best]", "NAME");
  AddFlag(command, "--depth", flags->depth, "Levels of the module tree [all]", "N");
  AddFlag(command, "--mode", flags->mode, "training or inference [training]", "MODE");
  AddFlag(command, "--precision", flags->precision, "Type of the activations [bf16]", "NAME");
  command.footer(
      "Examples:\n"
      "  plannerctl count --model resnet50 --batch 8 --depth 2\n"
      "  plannerctl count --model net.pt --input 1x3x224x224\n"
      "  plannerctl count --model bert.pt --input input_ids=8x128:int64 --mode inference\n"
      "  plannerctl count --model ./llama/config.json --seq-len 4096 --mode inference");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return Count(*flags, session); }; });
}

}  // namespace planner::plannerctl
