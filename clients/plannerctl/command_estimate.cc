#include <CLI/CLI.hpp>
#include <memory>

#include "clients/plannerctl/command.h"
#include "clients/plannerctl/estimate_flags.h"
#include "clients/plannerctl/estimate_page.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/flag_names.h"
#include "clients/plannerctl/inference_view.h"
#include "clients/plannerctl/model_file.h"
#include "clients/plannerctl/page_output.h"
#include "core/base/status_macros.h"
#include "planner/v1/estimation_service.grpc.pb.h"

namespace planner::plannerctl {
namespace {

struct Flags {
  EstimateFlags job;
  bool explain = false;
  std::string html;
};

absl::StatusOr<ExitCode> Estimate(const Flags& flags, Session& session) {
  ASSIGN_OR_RETURN(v1::EstimateRequest request, BuildEstimateRequest(flags.job, session.in()));
  request.set_with_pareto_front(flags.explain);
  session.StartAgain(absl::ZeroDuration());  // Taking the digest of a large file is no waiting for the planner.
  auto answer =
      CallAboutModel(&v1::EstimationService::Stub::Estimate, request, request.model(), flags.job.model, session);
  if (!answer.ok()) return NameFlags(answer.status());
  for (const std::string& warning : answer->warnings()) session.Warn(NameFlags(warning));
  const bool is_served = request.has_inference();
  if (is_served && !flags.html.empty()) session.Warn("--html is ignored: there is no page of a model that is served");
  RETURN_IF_ERROR(PrintWithPage(
      *answer,
      [&](std::ostream& out) {
        if (is_served) {
          PrintInference(*answer, flags.explain, session.style(), out);
        } else {
          PrintEstimate(*answer, flags.explain, session.style(), out);
        }
      },
      is_served ? "" : flags.html, [&] { return EstimatePage(*answer); }, session));
  if (!answer->recommendations().empty() || !answer->inference().empty()) return ExitCode::kOk;
  for (const std::string& reason : answer->infeasible_reasons()) {
    session.Error("infeasible: " + reason);
  }
  return ExitCode::kInfeasible;
}

}  // namespace

void AddEstimateCommand(CLI::App& root, Action& chosen) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& command =
      *root.add_subcommand("estimate", "How many cards, of which type, in which layout, for how long, at what cost");
  AddEstimateFlags(command, flags->job);
  AddInferenceFlags(command, flags->job);
  command.add_flag("--explain", flags->explain, "Say how the numbers came about");
  command.add_option("--html", flags->html, "Write the answer as a page, too; - is standard output, without the table")->type_name("FILE");
  command.footer(
      "Examples:\n"
      "  plannerctl estimate --model llama-65b --tokens 1.4T --gpu a100 --gpus 2048\n"
      "  plannerctl estimate --model ./config.json --tokens 300B --deadline 30d\n"
      "  plannerctl estimate --model net.pt --input 1x3x224x224 --samples 1.28M --epochs 90 --gpu a100\n"
      "  plannerctl estimate --model llama-3-8b --mode inference --batch 16 --gpu a100,h100\n"
      "  plannerctl estimate --model resnet50 --samples 1.28M --epochs 90 --gpu a100 --gpus 8");
  command.callback([flags, &chosen] { chosen = [flags](Session& session) { return Estimate(*flags, session); }; });
}

}  // namespace planner::plannerctl
