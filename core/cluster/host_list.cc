#include "core/cluster/host_list.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace planner::cluster {
namespace {

constexpr int64_t kMostNames = 1'000'000;
constexpr size_t kMostParts = 10'000;
constexpr size_t kMostNameBytes = 63;
constexpr size_t kMostDigits = 9;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameCharacter(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

absl::Status Wrong(std::string_view what, std::string_view text) {
  constexpr size_t kShown = 80;
  return absl::InvalidArgumentError(absl::StrCat("is no host list like \"gpu[001-512],a1\": ", std::string(what),
                                                 ": \"", std::string(text.substr(0, kShown)), "\""));
}

/// "gpu017" with three digits.
std::string NameOf(const std::string& prefix, int width, int64_t number) {
  std::string digits = absl::StrCat(number);
  if (digits.size() < static_cast<size_t>(width)) digits.insert(0, static_cast<size_t>(width) - digits.size(), '0');
  return prefix + digits;
}

struct Number {
  int width = 0;
  int64_t value = 0;
};

absl::StatusOr<Number> NumberOf(std::string_view digits) {
  if (digits.empty() || digits.size() > kMostDigits || !std::all_of(digits.begin(), digits.end(), IsDigit)) {
    return Wrong("a number of at most 9 digits is missing", digits);
  }
  Number number{static_cast<int>(digits.size()), 0};
  for (const char c : digits) number.value = number.value * 10 + (c - '0');
  return number;
}

/// The text up to the first comma outside of brackets, which is taken off.
std::string_view TakePart(std::string_view& text) {
  int depth = 0;
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '[') ++depth;
    if (text[at] == ']') --depth;
    if (text[at] == ',' && depth == 0) break;
  }
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

}  // namespace

int64_t CountOf(const std::vector<NodeRange>& ranges) {
  return std::accumulate(ranges.begin(), ranges.end(), int64_t{0},
                         [](int64_t sum, const NodeRange& range) { return sum + range.size(); });
}

std::vector<NodeRange> ToRanges(const std::vector<int32_t>& rising) {
  std::vector<NodeRange> ranges;
  for (const int32_t index : rising) {
    if (!ranges.empty() && ranges.back().last + 1 == index) {
      ranges.back().last = index;
    } else {
      ranges.push_back({index, index});
    }
  }
  return ranges;
}

absl::StatusOr<std::vector<HostList::Part>> HostList::PartsOf(std::string_view text) {
  std::vector<Part> parts;
  if (text.empty()) return Wrong("it is empty", text);
  int64_t names = 0;
  const auto add = [&](Part part) -> absl::Status {
    if (part.prefix.size() + static_cast<size_t>(part.width) > kMostNameBytes)
      return Wrong("a name has more than 63 bytes", part.prefix);
    names += part.size();
    parts.push_back(std::move(part));
    if (names > kMostNames) return Wrong("it has more than 1,000,000 names", text);
    if (parts.size() > kMostParts) return Wrong("it has more than 10,000 parts", text);
    return absl::OkStatus();
  };
  const bool ends_in_comma = text.back() == ',';
  while (!text.empty()) {
    const std::string_view part = TakePart(text);
    const size_t bracket = part.find('[');
    const std::string_view prefix = part.substr(0, bracket);
    if (part.empty() || !std::all_of(prefix.begin(), prefix.end(), IsNameCharacter)) {
      return Wrong("names have letters, digits, \"-\", \"_\" and \".\"", part);
    }
    if (bracket == std::string_view::npos) {
      // Numbers at the end are numbers, so that "gpu7" is one of "gpu[1-9]".
      size_t digits = 0;
      while (digits < prefix.size() && digits < kMostDigits && IsDigit(prefix[prefix.size() - 1 - digits])) ++digits;
      Part one{std::string(prefix.substr(0, prefix.size() - digits))};
      if (digits > 0) {
        ASSIGN_OR_RETURN(const Number number, NumberOf(prefix.substr(prefix.size() - digits)));
        one.width = number.width;
        one.low = one.high = number.value;
      }
      RETURN_IF_ERROR(add(std::move(one)));
      continue;
    }
    if (part.back() != ']') return Wrong("\"]\" must end a part", part);
    std::string_view inside = part.substr(bracket + 1, part.size() - bracket - 2);
    if (inside.empty()) return Wrong("nothing is in brackets", part);
    while (!inside.empty()) {
      const std::string_view range = inside.substr(0, inside.find(','));
      inside.remove_prefix(std::min(range.size() + 1, inside.size()));
      const size_t dash = range.find('-');
      ASSIGN_OR_RETURN(const Number low, NumberOf(range.substr(0, dash)));
      Number high = low;
      if (dash != std::string_view::npos) {
        ASSIGN_OR_RETURN(high, NumberOf(range.substr(dash + 1)));
      }
      if (high.value < low.value) return Wrong("a range ends before it begins", range);
      RETURN_IF_ERROR(add({std::string(prefix), low.width, low.value, high.value}));
    }
  }
  if (ends_in_comma) return Wrong("it ends in a comma", ",");
  return parts;
}

absl::StatusOr<HostList> HostList::Parse(std::string_view text) {
  HostList list;
  ASSIGN_OR_RETURN(list.parts_, PartsOf(text));
  for (Part& part : list.parts_) {
    part.first_index = list.size_;
    list.size_ += part.size();
  }
  // Overlaps: neighbours by prefix, width and number. (Numbers of different widths can be alike only where one has no zeros
  // in front, which makes it of the other's width.)
  std::vector<const Part*> sorted;
  for (const Part& part : list.parts_) sorted.push_back(&part);
  std::sort(sorted.begin(), sorted.end(), [](const Part* a, const Part* b) {
    return std::tie(a->prefix, a->width, a->low) < std::tie(b->prefix, b->width, b->low);
  });
  for (size_t i = 1; i < sorted.size(); ++i) {
    const Part& a = *sorted[i - 1];
    const Part& b = *sorted[i];
    if (a.prefix == b.prefix && a.width == b.width && b.low <= a.high) {
      return Wrong("a name is there twice", NameOf(b.prefix, b.width, b.low));
    }
  }
  return list;
}

HostList HostList::Numbered(std::string_view name, int64_t count) {
  HostList list;
  list.parts_.push_back({std::string(name) + "-", 1, 0, count - 1});
  list.size_ = count;
  return list;
}

std::string HostList::Name(int64_t index) const {
  const auto next = std::upper_bound(parts_.begin(), parts_.end(), index,
                                     [](int64_t i, const Part& part) { return i < part.first_index; });
  const Part& part = *std::prev(next);
  if (part.width == 0) return part.prefix;
  return NameOf(part.prefix, part.width, part.low + index - part.first_index);
}

int64_t HostList::IndexOf(std::string_view prefix, int width, int64_t number) const {
  for (const Part& part : parts_) {
    if (part.prefix != prefix || number < part.low || number > part.high) continue;
    // "gpu12" is of width 2 and one of "gpu[1-99]", of width 1.
    if ((width == 0) != (part.width == 0)) continue;
    const std::string digits = absl::StrCat(number);
    const size_t written = std::max(digits.size(), static_cast<size_t>(part.width));
    if (width == 0 || written == std::max(digits.size(), static_cast<size_t>(width)))
      return part.first_index + number - part.low;
  }
  return -1;
}

absl::StatusOr<std::vector<NodeRange>> HostList::Find(std::string_view text) const {
  ASSIGN_OR_RETURN(const std::vector<Part> parts, PartsOf(text));
  std::vector<int32_t> indices;
  for (const Part& part : parts) {
    for (int64_t number = part.low; number <= part.high; ++number) {
      const int64_t index = IndexOf(part.prefix, part.width, number);
      if (index < 0) {
        const std::string name = part.width == 0 ? part.prefix : NameOf(part.prefix, part.width, number);
        return absl::InvalidArgumentError(absl::StrCat("no node of the pool is named \"", name, "\""));
      }
      indices.push_back(static_cast<int32_t>(index));
    }
  }
  std::sort(indices.begin(), indices.end());
  if (const auto twice = std::adjacent_find(indices.begin(), indices.end()); twice != indices.end()) {
    return absl::InvalidArgumentError(absl::StrCat("names a node twice: \"", Name(*twice), "\""));
  }
  return ToRanges(indices);
}

HostList::Known HostList::FindKnown(std::string_view text) const {
  Known known;
  const absl::StatusOr<std::vector<Part>> parts = PartsOf(text);
  if (!parts.ok()) return known;
  std::vector<int32_t> indices;
  for (const Part& part : *parts) {
    for (int64_t number = part.low; number <= part.high; ++number) {
      const int64_t index = IndexOf(part.prefix, part.width, number);
      if (index < 0) {
        ++known.unknown;
      } else {
        indices.push_back(static_cast<int32_t>(index));
      }
    }
  }
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  known.nodes = ToRanges(indices);
  return known;
}

std::string HostList::Text(const std::vector<NodeRange>& ranges) const {
  std::string text;
  const Part* open = nullptr;  // The part whose brackets are open.
  const auto close = [&] {
    if (open != nullptr) text += ']';
    open = nullptr;
  };
  const auto digits = [](const Part& part, int64_t number) { return NameOf("", part.width, number); };
  for (const NodeRange& range : ranges) {
    for (int64_t index = range.first; index <= range.last;) {
      const auto next = std::upper_bound(parts_.begin(), parts_.end(), index,
                                         [](int64_t i, const Part& part) { return i < part.first_index; });
      const Part& part = *std::prev(next);
      const int64_t end = std::min<int64_t>(range.last, part.first_index + part.size() - 1);
      if (part.width == 0) {
        close();
        text += absl::StrCat(text.empty() ? "" : ",", part.prefix);
      } else {
        if (open != nullptr && open->prefix == part.prefix) {
          text += ',';
        } else {
          close();
          text += absl::StrCat(text.empty() ? "" : ",", part.prefix, "[");
        }
        open = &part;
        text += digits(part, part.low + index - part.first_index);
        if (end > index) text += "-" + digits(part, part.low + end - part.first_index);
      }
      index = end + 1;
    }
  }
  close();
  return text;
}

}  // namespace planner::cluster
