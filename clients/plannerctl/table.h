#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace planner::plannerctl {

/// How a table is drawn.
struct TableStyle {
  bool headers = true;  ///< `--no-headers` turns them off.
  bool bold = false;    ///< Bold headers by terminal escapes, for terminals only.
};

/// Text in columns, each as wide as its widest cell, two spaces between: a header in capitals, no
/// lines. Cells may hold any bytes of users: they are made printable.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Missing cells are empty; surplus ones are dropped.
  void AddRow(std::vector<std::string> cells);

  void Print(std::ostream& out, const TableStyle& style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Columns that UTF-8 text takes on a terminal: 2 for wide East Asian characters and emoji, 0 for
/// combining marks, 1 for all others and for every malformed byte.
size_t DisplayWidth(std::string_view text);

/// `text` without control characters (each becomes "?"), so that no name of a model or cluster can
/// send escapes to a terminal or break a line.
std::string Printable(std::string_view text);

}  // namespace planner::plannerctl
