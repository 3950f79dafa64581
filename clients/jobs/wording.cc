#include "clients/jobs/wording.h"

#include <algorithm>

namespace planner::jobs {
namespace {

bool BeginsName(std::string_view text, size_t at) { return at == 0 || text[at - 1] == ' ' || text[at - 1] == '('; }

}  // namespace

std::string InWords(std::string_view text, const Wording& wording) {
  constexpr std::string_view kDashes = "--";
  std::string named;
  size_t at = 0;
  while (at < text.size()) {
    const size_t dashes = std::min(text.find(kDashes, at), text.size());
    named += text.substr(at, dashes - at);
    if (dashes == text.size()) break;
    at = dashes + kDashes.size();
    if (!BeginsName(text, dashes)) {
      named += kDashes;
      continue;
    }
    const size_t end = std::min(text.find_first_of(":[ ?,;)", at), text.size());
    const std::string_view name = text.substr(at, end - at);
    at = end;
    if (name == "gpu") {
      named += wording.gpu_type;
      // Of a list that the user has not written.
      if (text.substr(at).starts_with('[')) at = std::min(text.find(']', at), text.size() - 1) + 1;
    } else if (name == "cluster") {
      named += "the policy's cluster";
    } else {
      named += wording.word_prefix;
      named += name;
      constexpr std::string_view kField = ": model.preset";
      if (name == "model" && text.substr(at).starts_with(kField)) at += kField.size();
    }
  }
  return named;
}

}  // namespace planner::jobs
