#include "clients/plannerctl/table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace planner::plannerctl {
namespace {

/// The code point that `text` begins with and its length in bytes; a malformed byte is U+FFFD.
std::pair<uint32_t, size_t> Decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {0xFFFD, 1};
  uint32_t point = first & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0xFFFD, 1};
    point = point << 6 | (byte(i) & 0x3FU);
  }
  return {point, length};
}

struct PointRange {
  uint32_t first;
  uint32_t last;
};

template <size_t kSize>
bool IsIn(const std::array<PointRange, kSize>& ranges, uint32_t point) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [point](const PointRange& range) { return point >= range.first && point <= range.last; });
}

/// Blocks that Unicode's East Asian Width calls wide, and emoji.
constexpr std::array<PointRange, 9> kWide = {{{0x1100, 0x115F},
                                              {0x2E80, 0x303E},
                                              {0x3041, 0xA4CF},
                                              {0xAC00, 0xD7A3},
                                              {0xF900, 0xFAFF},
                                              {0xFE30, 0xFE6F},
                                              {0xFF00, 0xFF60},
                                              {0x1F300, 0x1FAFF},
                                              {0x20000, 0x3FFFD}}};

/// Combining marks, zero-width joiners, variation selectors.
constexpr std::array<PointRange, 5> kZero = {
    {{0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}}};

bool IsControl(uint32_t point) {
  // C0, DEL, C1, and the marks that turn the direction of text round.
  return point < 0x20 || (point >= 0x7F && point <= 0x9F) || (point >= 0x202A && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069);
}

}  // namespace

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const auto [point, length] = Decode(text);
    text.remove_prefix(length);
    width += IsIn(kZero, point) ? 0 : IsIn(kWide, point) ? 2 : 1;
  }
  return width;
}

std::string Printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [point, length] = Decode(text);
    const bool malformed = point == 0xFFFD && length == 1;
    if (malformed || IsControl(point)) {
      result += '?';
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return result;
}

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::Print(std::ostream& out, const TableStyle& style) const {
  std::vector<size_t> widths(columns_.size(), 0);
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (style.headers) widths[i] = DisplayWidth(columns_[i].title);
    for (const auto& row : rows_) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  const auto line = [&](const auto& cell) {
    std::string text;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string padding(widths[i] - DisplayWidth(cell(i)), ' ');
      if (i > 0) text += "  ";
      if (columns_[i].align == Align::kRight) text += padding;
      text += cell(i);
      if (columns_[i].align == Align::kLeft) text += padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  if (style.headers) {
    const std::string text = line([&](size_t i) -> const std::string& { return columns_[i].title; });
    out << (style.bold ? "\033[1m" : "") << text << (style.bold ? "\033[0m" : "") << '\n';
  }
  for (const auto& row : rows_) {
    out << line([&](size_t i) -> const std::string& { return row[i]; }) << '\n';
  }
}

}  // namespace planner::plannerctl
