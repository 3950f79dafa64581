#include "clients/slurm/host_names.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <tuple>

#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::slurm {
namespace {

constexpr size_t kMostNames = 100'000;
constexpr size_t kMostBytes = size_t{1} << 20;
constexpr size_t kLongestName = 256;

absl::Status NotAList(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("is no host list: {}", why));
}

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

absl::StatusOr<int64_t> Number(std::string_view digits) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || digits.size() > 9 || error != std::errc() || end != digits.data() + digits.size() ||
      value < 0) {
    return NotAList("a number is none");
  }
  return value;
}

/// "01-03,7" as "01", "02", "03", "7".
absl::StatusOr<std::vector<std::string>> Range(std::string_view text) {
  std::vector<std::string> numbers;
  while (true) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    const size_t dash = part.find('-');
    const std::string_view first = part.substr(0, dash);
    const std::string_view last = dash == std::string_view::npos ? first : part.substr(dash + 1);
    ASSIGN_OR_RETURN(const int64_t from, Number(first));
    ASSIGN_OR_RETURN(const int64_t to, Number(last));
    if (to < from) return NotAList("a range goes backwards");
    if (static_cast<size_t>(to - from) >= kMostNames - numbers.size()) return NotAList("has more than 100,000 names");
    for (int64_t i = from; i <= to; ++i) numbers.push_back(fmt::format("{:0{}}", i, first.size()));
    if (comma == text.size()) return numbers;
    text.remove_prefix(comma + 1);
  }
}

/// The names of one part between commas: every bracket multiplies them.
absl::Status AddPart(std::string_view part, std::vector<std::string>& names) {
  std::vector<std::string> made = {""};
  while (!part.empty()) {
    const size_t open = std::min(part.find('['), part.size());
    const std::string_view text = part.substr(0, open);
    if (!std::all_of(text.begin(), text.end(), IsNameByte)) return NotAList("a name has a byte that no name has");
    std::vector<std::string> numbers = {""};
    part.remove_prefix(open);
    if (!part.empty()) {
      const size_t close = part.find(']');
      if (close == std::string_view::npos) return NotAList("a bracket is not closed");
      ASSIGN_OR_RETURN(numbers, Range(part.substr(1, close - 1)));
      part.remove_prefix(close + 1);
    }
    if (made.size() * numbers.size() + names.size() > kMostNames) return NotAList("has more than 100,000 names");
    std::vector<std::string> longer;
    for (const std::string& name : made) {
      for (const std::string& number : numbers) longer.push_back(name + std::string(text) + number);
    }
    made = std::move(longer);
    if (made.front().size() > kLongestName) return NotAList("a name is longer than 256 bytes");
  }
  if (made.front().empty()) return NotAList("a name is empty");
  names.insert(names.end(), made.begin(), made.end());
  return absl::OkStatus();
}

/// A name as what stands before its last number, and that number.
struct Split {
  std::string stem;
  size_t width = 0;  ///< Digits of the number; 0: the name ends with none.
  int64_t number = 0;

  friend bool operator<(const Split& a, const Split& b) {
    return std::tie(a.stem, a.width, a.number) < std::tie(b.stem, b.width, b.number);
  }
};

Split SplitOf(const std::string& name) {
  size_t begin = name.size();
  while (begin > 0 && name[begin - 1] >= '0' && name[begin - 1] <= '9' && name.size() - begin < 9) --begin;
  const absl::StatusOr<int64_t> number = Number(std::string_view(name).substr(begin));
  if (!number.ok()) return {.stem = name};
  return {.stem = name.substr(0, begin), .width = name.size() - begin, .number = *number};
}

}  // namespace

absl::StatusOr<std::vector<std::string>> HostNames(std::string_view list) {
  std::vector<std::string> names;
  if (list.size() > kMostBytes) return NotAList("is longer than 1 MiB");
  if (list.empty()) return names;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= list.size(); ++i) {
    const char c = i < list.size() ? list[i] : ',';
    if (c == '[') ++depth;
    if (c == ']') --depth;
    if (depth < 0 || depth > 1) return NotAList("its brackets do not match");
    if (c != ',' || (depth > 0 && i < list.size())) continue;
    RETURN_IF_ERROR(AddPart(list.substr(begin, i - begin), names));
    begin = i + 1;
  }
  return names;
}

std::string HostListOf(std::vector<std::string> names) {
  std::vector<Split> splits;
  for (const std::string& name : names) splits.push_back(SplitOf(name));
  std::sort(splits.begin(), splits.end());
  std::string list;
  for (size_t i = 0; i < splits.size();) {
    const Split& first = splits[i];
    list += (list.empty() ? "" : ",") + first.stem;
    if (first.width == 0) {
      ++i;
      continue;
    }
    std::string ranges;
    size_t count = 0;
    while (i < splits.size() && splits[i].stem == first.stem && splits[i].width == first.width) {
      const int64_t from = splits[i].number;
      int64_t to = from;
      for (++i, ++count; i < splits.size() && splits[i].stem == first.stem && splits[i].width == first.width &&
                         splits[i].number == to + 1;
           ++i, ++count) {
        ++to;
      }
      ranges += fmt::format("{}{:0{}}", ranges.empty() ? "" : ",", from, first.width);
      if (to > from) ranges += fmt::format("-{:0{}}", to, first.width);
    }
    list += count == 1 ? ranges : "[" + ranges + "]";
  }
  return list;
}

}  // namespace planner::slurm
