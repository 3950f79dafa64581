#include "clients/plannerctl/estimate_page.h"

#include <sstream>
#include <utility>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/estimate_view.h"
#include "clients/plannerctl/html.h"
#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

/// The memory of the best candidate as a bar of its parts, to scale.
std::string MemoryBar(const v1::MemoryPerGpu& memory) {
  if (memory.capacity_bytes() <= 0) return "";
  const std::pair<const char*, int64_t> parts[] = {{"parameters", memory.parameter_bytes()},
                                                   {"gradients", memory.gradient_bytes()},
                                                   {"optimizer", memory.optimizer_bytes()},
                                                   {"activations", memory.activation_bytes()},
                                                   {"overhead", memory.overhead_bytes()}};
  static constexpr const char* kColours[] = {"#2f6db5", "#57a0d3", "#7a5ea8", "#d98c3f", "#8a94a0"};
  std::string bar, legend;
  const auto* colour = kColours;
  for (const auto& [name, bytes] : parts) {
    const double percent = 100 * static_cast<double>(bytes) / static_cast<double>(memory.capacity_bytes());
    bar += fmt::format("<div style=\"width:{:.2f}%;background:{}\" title=\"{}\"></div>", percent, *colour, name);
    legend += fmt::format("<li><span style=\"color:{}\">&#9632;</span> {} {}</li>", *colour, name,
                          EscapeHtml(FormatGib(bytes)));
    ++colour;
  }
  return fmt::format("<h2>Memory of the fullest GPU ({} of {})</h2><div class=\"bar\">{}</div><ul>{}</ul>",
                     FormatGib(memory.total_bytes()), FormatGib(memory.capacity_bytes()), bar, legend);
}

std::string Rows(const v1::EstimateResponse& estimate) {
  std::string rows;
  for (const v1::Recommendation& one : estimate.recommendations()) {
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        EscapeHtml(Cards(one)), EscapeHtml(LayoutText(one.layout())),
                        DurationText(ToDuration(one.step_duration())), DurationText(ToDuration(one.total_duration())),
                        FormatCount(one.gpu_hours()),
                        one.currency().empty() ? "-" : EscapeHtml(FormatMoney(one.cost(), one.currency())),
                        FormatPercent(one.model_flops_utilization()), SourceOf(one));
  }
  return rows;
}

template <typename Sentences>
std::string List(std::string_view title, const Sentences& sentences) {
  if (sentences.empty()) return "";
  std::string list = fmt::format("<h2>{}</h2><ul>", title);
  for (const std::string& sentence : sentences) {
    list += fmt::format("<li>{}</li>", EscapeHtml(sentence));
  }
  return list + "</ul>\n";
}

}  // namespace

std::string EstimatePage(const v1::EstimateResponse& estimate) {
  // The three lines that the terminal shows first, too.
  v1::EstimateResponse headline = estimate;
  headline.clear_infeasible_reasons();
  std::ostringstream text;
  PrintEstimate(headline, /*explain=*/false, {}, text);
  const std::string all = text.str();
  std::string lines;
  std::istringstream first(all.substr(0, all.find("\n\n")));
  for (std::string line; std::getline(first, line);) lines += EscapeHtml(line) + "<br>";
  std::string page = fmt::format("<p>{}</p>\n", lines);
  if (!estimate.recommendations().empty()) {
    const v1::Recommendation& best = estimate.recommendations(0);
    page += fmt::format(
        "<h2>Candidates</h2>\n<table><tr><th>Cards</th><th>Layout</th><th>Step</th><th>Total</th>"
        "<th>GPU hours</th><th>Cost</th><th>MFU</th><th>Source</th></tr>\n{}</table>\n",
        Rows(estimate));
    page += MemoryBar(best.memory_per_gpu());
    page += List("How the numbers came about", best.explanation());
  }
  page += List("Not possible", estimate.infeasible_reasons());
  page += List("Warnings", estimate.warnings());
  return HtmlPage(estimate.model(), "estimate", page);
}

}  // namespace planner::plannerctl
