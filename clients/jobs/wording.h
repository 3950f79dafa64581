#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "clients/jobs/time_limit.h"

namespace planner::jobs {

/// How the users of a scheduler know what a decision speaks of. What stands here fits every scheduler; a front says what fits its own.
struct Wording {
  std::string job = "job";                       ///< In the descriptions of plans: "slurm job".
  std::string place = "partition";               ///< Whose rules hold.
  std::string word_prefix;                       ///< Before the name of a word: "planner.io/".
  std::string gpu_type = "GPU type";             ///< Where a job names the type of its GPUs.
  std::string ask_for_gpu_type = "name one";     ///< What a job without one is to do.
  std::string time_limit = "time limit";         ///< "… set to …"
  std::string time_option = "a time limit of ";  ///< "… would be enough", with the limit in between.
  std::string (*time_text)(int64_t minutes) = TimeLimitText;
};

/// The text of an error with the words of a job in place of the flags of `plannerctl estimate` whose names they are: "--tokens: must be above 0"
/// is "planner.io/tokens: must be above 0". "--gpu" and "--cluster", which are no words, are what they come from.
std::string InWords(std::string_view text, const Wording& wording);

}  // namespace planner::jobs
