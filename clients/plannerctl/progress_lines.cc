#include "clients/plannerctl/progress_lines.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "clients/plannerctl/durations.h"
#include "clients/plannerctl/numbers.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

using Sample = v1::ProgressSample;

absl::Status At(std::string_view name, const absl::Status& status) {
  return absl::Status(status.code(), fmt::format("{}: {}", name, std::string(status.message())));
}

absl::Status SetStep(const std::string& text, Sample& sample) {
  ASSIGN_OR_RETURN(const int64_t step, ParseInteger(text));
  sample.set_step(step);
  return absl::OkStatus();
}

absl::Status SetTime(const std::string& text, Sample& sample) {
  if (const absl::StatusOr<double> seconds = ParseNumber(text); seconds.ok()) {
    // Beyond, no calendar has it; the server says so of what is merely wrong.
    constexpr double kMost = 1e12;
    if (std::abs(*seconds) > kMost) return absl::InvalidArgumentError("is no time: value=" + text);
    plannerctl::SetTime(absl::UnixEpoch() + absl::Seconds(*seconds), *sample.mutable_time());
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const absl::Time time, ParseTime(text));
  plannerctl::SetTime(time, *sample.mutable_time());
  return absl::OkStatus();
}

template <void (Sample::*set)(double), absl::StatusOr<double> (*parse)(std::string_view)>
absl::Status SetNumber(const std::string& text, Sample& sample) {
  ASSIGN_OR_RETURN(const double value, parse(text));
  (sample.*set)(value);
  return absl::OkStatus();
}

struct Field {
  std::string_view name;
  absl::Status (*set)(const std::string& text, Sample& sample);
};

constexpr auto kSetTokens = SetNumber<&Sample::set_token_count, ParseNumber>;
constexpr auto kSetRate = SetNumber<&Sample::set_tokens_per_second, ParseNumber>;
constexpr auto kSetLoss = SetNumber<&Sample::set_loss, ParseNumber>;
constexpr auto kSetUtilization = SetNumber<&Sample::set_gpu_utilization_ratio, ParseRatio>;

constexpr std::array<Field, 13> kFields = {{
    {"step", SetStep},
    {"time", SetTime},
    {"timestamp", SetTime},
    {"tokens", kSetTokens},
    {"token_count", kSetTokens},
    {"tokenCount", kSetTokens},
    {"tokens_per_second", kSetRate},
    {"tokensPerSecond", kSetRate},
    {"loss", kSetLoss},
    {"gpu_utilization", kSetUtilization},
    {"gpuUtilization", kSetUtilization},
    {"gpu_utilization_ratio", kSetUtilization},
    {"gpuUtilizationRatio", kSetUtilization},
}};

/// Sets what a name says; names that are not ours do nothing.
absl::Status Set(std::string_view name, const std::string& text, Sample& sample) {
  const auto found = std::find_if(kFields.begin(), kFields.end(), [&](const Field& field) { return field.name == name; });
  return found == kFields.end() ? absl::OkStatus() : At(name, found->set(text, sample));
}

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

std::vector<std::string> Cells(std::string_view line) {
  std::vector<std::string> cells;
  while (true) {
    const size_t comma = line.find(',');
    cells.push_back(Trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

absl::StatusOr<Sample> ReadObject(const std::string& line) {
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError("is no JSON object");
  Sample sample;
  for (const auto& [name, value] : object.items()) {
    if (value.is_null()) continue;
    if (value.is_string()) {
      RETURN_IF_ERROR(Set(name, value.get<std::string>(), sample));
    } else if (value.is_number()) {
      // Whole numbers may be written with a point.
      const bool is_whole = value.is_number_float() && value.get<double>() == std::floor(value.get<double>());
      RETURN_IF_ERROR(Set(name, is_whole ? fmt::format("{:.0f}", value.get<double>()) : value.dump(), sample));
    } else {
      RETURN_IF_ERROR(Set(name, value.dump(), sample));
    }
  }
  return sample;
}

}  // namespace

absl::Status ProgressLines::ReadNames(const std::string& line) {
  names_ = Cells(line);
  const auto is_progress = [](std::string_view name) { return name == "step" || name == "tokens" || name == "token_count" || name == "tokenCount"; };
  if (std::any_of(names_.begin(), names_.end(), is_progress)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "is neither a JSON object nor the names of columns, of which \"step\" or \"tokens\" must be one: step,time,tokens,tokens_per_second,loss,"
      "gpu_utilization");
}

absl::StatusOr<Sample> ProgressLines::ReadCells(const std::string& line) const {
  const std::vector<std::string> cells = Cells(line);
  if (cells.size() > names_.size()) {
    return absl::InvalidArgumentError(fmt::format("has {} cells, and there are {} columns", cells.size(), names_.size()));
  }
  Sample sample;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (!cells[i].empty()) RETURN_IF_ERROR(Set(names_[i], cells[i], sample));
  }
  return sample;
}

absl::StatusOr<std::optional<Sample>> ProgressLines::Read(std::string line) {
  line = Trimmed(line);
  if (line.empty()) return std::nullopt;
  if (format_ == Format::kUnknown && !line.starts_with('{')) {
    RETURN_IF_ERROR(ReadNames(line));
    format_ = Format::kCsv;
    return std::nullopt;
  }
  if (format_ == Format::kUnknown) format_ = Format::kJson;
  ASSIGN_OR_RETURN(Sample sample, format_ == Format::kJson ? ReadObject(line) : ReadCells(line));
  return std::optional<Sample>(std::move(sample));
}

absl::StatusOr<std::optional<std::string>> NextLine(std::istream& in) {
  using Traits = std::istream::traits_type;
  std::string line;
  while (true) {
    const auto next = in.get();
    if (Traits::eq_int_type(next, Traits::eof())) return line.empty() ? std::nullopt : std::optional<std::string>(std::move(line));
    const char c = Traits::to_char_type(next);
    if (c == '\n') return std::optional<std::string>(std::move(line));
    if (line.size() == kMaxReportLine) return absl::InvalidArgumentError(fmt::format("is longer than {} bytes", kMaxReportLine));
    line += c;
  }
}

bool HasMoreNow(std::istream& in) { return in.good() && in.rdbuf()->in_avail() > 0; }

}  // namespace planner::plannerctl
