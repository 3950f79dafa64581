#include "clients/plannerctl/utilization_file.h"

#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "clients/plannerctl/durations.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

constexpr size_t kMaxLineBytes = size_t{64} << 10;

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  text = text.substr(first, text.find_last_not_of(kSpace) - first + 1);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

std::vector<std::string_view> CellsOf(std::string_view line) {
  std::vector<std::string_view> cells;
  for (const absl::string_view cell : absl::StrSplit(absl::string_view(line.data(), line.size()), ',')) {
    cells.push_back(Trimmed({cell.data(), cell.size()}));
  }
  return cells;
}

absl::StatusOr<absl::Time> TimeOf(std::string_view text) {
  double seconds = 0;
  const absl::string_view number(text.data(), text.size());
  if (absl::SimpleAtod(number, &seconds)) {
    constexpr double kEndOf9999 = 253402300799;
    if (seconds >= 0 && seconds <= kEndOf9999) return absl::FromUnixMicros(std::llround(seconds * 1e6));
    return absl::InvalidArgumentError(fmt::format("is no time: value=\"{}\"", text));
  }
  // With parts of a second, too.
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, number, &time, &error)) return time;
  return ParseTime(text);
}

/// A number as it is written, NaN as well: what it may be is the server's to say.
absl::StatusOr<double> NumberOf(std::string_view text) {
  double value = 0;
  if (absl::SimpleAtod(absl::string_view(text.data(), text.size()), &value)) return value;
  return absl::InvalidArgumentError(fmt::format("is no number: value=\"{}\"", text));
}

template <typename Integer>
absl::StatusOr<Integer> IntegerOf(std::string_view text) {
  Integer value = 0;
  if (absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &value)) return value;
  return absl::InvalidArgumentError(fmt::format("is no whole number: value=\"{}\"", text));
}

using Set = absl::Status (*)(std::string_view text, v1::UtilizationSample& sample);

#define PLANNER_SET(parse, field)                                            \
  [](std::string_view text, v1::UtilizationSample& sample) -> absl::Status { \
    ASSIGN_OR_RETURN(const auto value, parse(text));                         \
    sample.set_##field(value);                                               \
    return absl::OkStatus();                                                 \
  }

const std::vector<std::pair<std::string_view, Set>>& Columns() {
  static const std::vector<std::pair<std::string_view, Set>> columns = {
      {"node",
       [](std::string_view text, v1::UtilizationSample& sample) -> absl::Status {
         sample.set_node(std::string(text));
         return absl::OkStatus();
       }},
      {"gpu", PLANNER_SET(IntegerOf<int32_t>, gpu)},
      {"time",
       [](std::string_view text, v1::UtilizationSample& sample) -> absl::Status {
         ASSIGN_OR_RETURN(const absl::Time time, TimeOf(text));
         SetTime(time, *sample.mutable_time());
         return absl::OkStatus();
       }},
      {"busy_ratio", PLANNER_SET(NumberOf, busy_ratio)},
      {"tensor_active_ratio", PLANNER_SET(NumberOf, tensor_active_ratio)},
      {"memory_active_ratio", PLANNER_SET(NumberOf, memory_active_ratio)},
      {"memory_used_bytes", PLANNER_SET(IntegerOf<int64_t>, memory_used_bytes)},
      {"power_watts", PLANNER_SET(NumberOf, power_watts)},
  };
  return columns;
}

#undef PLANNER_SET

absl::Status AtColumn(std::string_view column, const absl::Status& status) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", column, std::string(status.message())));
}

using Taker = std::function<bool(const std::vector<v1::UtilizationSample>&)>;

/// Hands over what there is; whether to go on.
bool Hand(std::vector<v1::UtilizationSample>& samples, const Taker& take) {
  const bool goes_on = samples.empty() || take(samples);
  samples.clear();
  return goes_on;
}

}  // namespace

absl::Status SampleReader::ReadHeader(std::string_view line) {
  for (const std::string_view cell : CellsOf(line)) {
    std::string known;
    bool is_known = false;
    for (const auto& [name, set] : Columns()) {
      is_known = is_known || name == cell;
      known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
    }
    if (!is_known) return absl::InvalidArgumentError(fmt::format("\"{}\" is no column; there are {}", cell, known));
    columns_.emplace_back(cell);
  }
  return absl::OkStatus();
}

absl::Status SampleReader::ReadRow(std::string_view line, v1::UtilizationSample& sample) const {
  const std::vector<std::string_view> cells = CellsOf(line);
  if (cells.size() != columns_.size()) {
    return absl::InvalidArgumentError(fmt::format("{} cells, the header has {}", cells.size(), columns_.size()));
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].empty()) continue;
    for (const auto& [name, set] : Columns()) {
      if (name != columns_[i]) continue;
      if (const absl::Status status = set(cells[i], sample); !status.ok()) return AtColumn(name, status);
    }
  }
  return absl::OkStatus();
}

absl::Status SampleReader::Read(std::string_view line, std::vector<v1::UtilizationSample>& samples) {
  if (!std::exchange(has_begun_, true) && !line.starts_with('{')) return ReadHeader(line);
  v1::UtilizationSample sample;
  if (!columns_.empty()) {
    RETURN_IF_ERROR(ReadRow(line, sample));
  } else {
    const auto status = google::protobuf::util::JsonStringToMessage(std::string(line), &sample);
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          std::string(status.message().data(), static_cast<size_t>(status.message().size())));
    }
  }
  samples.push_back(std::move(sample));
  return absl::OkStatus();
}

absl::Status ReadSamples(std::istream& in, size_t most,
                         const std::function<bool(const std::vector<v1::UtilizationSample>&)>& take) {
  SampleReader reader;
  std::vector<v1::UtilizationSample> samples;
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    const std::string_view text = Trimmed(line);
    absl::Status status;
    if (line.size() > kMaxLineBytes) {
      status = absl::InvalidArgumentError(fmt::format("is longer than {} bytes", kMaxLineBytes));
    } else if (!text.empty()) {
      status = reader.Read(text, samples);
    }
    if (!status.ok()) {
      Hand(samples, take);
      return absl::InvalidArgumentError(fmt::format("line {}: {}", number, std::string(status.message())));
    }
    if ((samples.size() >= most || in.rdbuf()->in_avail() <= 0) && !Hand(samples, take)) return absl::OkStatus();
  }
  Hand(samples, take);
  return absl::OkStatus();
}

}  // namespace planner::plannerctl
