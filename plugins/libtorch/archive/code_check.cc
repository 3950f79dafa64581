#include "plugins/libtorch/archive/code_check.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "plugins/libtorch/archive/archive_error.h"

namespace planner::libtorch {
namespace {

constexpr std::array<std::string_view, 8> kOperatorWords = {"not", "and", "or", "if", "else", "in", "is", "lambda"};
constexpr std::array<std::string_view, 5> kFileOperators = {"from_file", "save", "load", "read_file", "write_file"};
constexpr std::array<std::string_view, 6> kForkOperators = {"fork",     "awaitable", "rpc_async",
                                                            "rpc_sync", "rpc_remote", "_fork"};

template <size_t N>
bool Contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool StartsName(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool ContinuesName(char c) { return StartsName(c) || (c >= '0' && c <= '9'); }

class CodeReader {
 public:
  CodeReader(std::string_view name, std::string_view text, const ArchiveLimits& limits)
      : name_(name), text_(text), limits_(limits) {}

  absl::Status Run() {
    RETURN_IF_ERROR(CheckLines());
    while (at_ < text_.size()) RETURN_IF_ERROR(Token());
    return absl::OkStatus();
  }

 private:
  std::string Where() const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(std::min(at_, text_.size())), '\n');
    return absl::StrCat("member \"", absl::CHexEscape(name_), "\", line ", line);
  }
  absl::Status TooDeep(std::string_view what, int limit) const {
    return Hostile(absl::StrCat(Where(), ": ", std::string(what), ": limit=", limit));
  }
  absl::Status Refused(std::string_view what) const {
    return Unsupported(absl::StrCat(Where(), ": a model that is counted may not use ", std::string(what)), "MODEL_OPERATOR_REFUSED");
  }

  absl::Status CheckLines() {
    if (text_.find('\0') != text_.npos) {
      return Hostile(absl::StrCat("member \"", name_, "\" has a NUL in its text"));
    }
    for (size_t start = 0; start < text_.size();) {
      const size_t end = std::min(text_.find('\n', start), text_.size());
      at_ = start;
      if (std::cmp_greater(end - start, limits_.max_code_line_bytes)) {
        return Hostile(absl::StrCat(Where(), " is too long: bytes=", end - start, " limit=", limits_.max_code_line_bytes));
      }
      start = end + 1;
    }
    at_ = 0;
    return absl::OkStatus();
  }

  /// One more operator of the innermost expression.
  absl::Status Operator() {
    ++operators_.back();
    if (++total_ > limits_.max_expression_operators) {
      return TooDeep("an expression has too many operators", limits_.max_expression_operators);
    }
    return absl::OkStatus();
  }
  /// What follows is a new expression beside the last one.
  void NextExpression() {
    total_ -= operators_.back();
    operators_.back() = 0;
  }

  absl::Status Token() {
    const char c = text_[at_];
    if (line_start_) return Indentation();
    if (c == '\n') {
      ++at_;
      if (operators_.size() == 1) {
        NextExpression();
        line_start_ = true;
      }
      return absl::OkStatus();
    }
    if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
      return absl::OkStatus();
    }
    if (c == '"' || c == '\'') return String();
    if (StartsName(c)) return Name();
    if (c >= '0' && c <= '9') {
      // Numbers as a whole, exponent and all: "1e-05" is no operator.
      while (at_ < text_.size() && (ContinuesName(text_[at_]) || text_[at_] == '.' ||
                                    ((text_[at_] == '-' || text_[at_] == '+') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E')))) {
        ++at_;
      }
      return absl::OkStatus();
    }
    ++at_;
    switch (c) {
      case ' ':
      case '\t':
      case '\r':
      case '\\':
        return absl::OkStatus();
      case '(':
      case '[':
      case '{':
        RETURN_IF_ERROR(Operator());
        operators_.push_back(0);
        if (std::cmp_greater(operators_.size() - 1, limits_.max_nesting)) {
          return TooDeep("brackets are nested too deeply", limits_.max_nesting);
        }
        return absl::OkStatus();
      case ')':
      case ']':
      case '}':
        if (operators_.size() == 1) return Hostile(absl::StrCat(Where(), ": a bracket is closed that was not opened"));
        NextExpression();
        operators_.pop_back();
        return absl::OkStatus();
      case ',':
      case ';':
      case ':':
        NextExpression();
        return absl::OkStatus();
      default:
        return Operator();
    }
  }

  absl::Status Indentation() {
    const size_t start = at_;
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    line_start_ = false;
    if (at_ == text_.size() || text_[at_] == '\n' || text_[at_] == '#') return absl::OkStatus();
    const size_t indent = at_ - start;
    while (!indents_.empty() && indents_.back() >= indent) indents_.pop_back();
    indents_.push_back(indent);
    if (std::cmp_greater(indents_.size(), limits_.max_nesting)) {
      return TooDeep("blocks are nested too deeply", limits_.max_nesting);
    }
    return absl::OkStatus();
  }

  absl::Status String() {
    const char quote = text_[at_];
    const bool triple = text_.substr(at_, 3) == std::string(3, quote);
    at_ += triple ? 3 : 1;
    while (at_ < text_.size()) {
      if (text_[at_] == '\\') {
        at_ += 2;
      } else if (triple ? text_.substr(at_, 3) == std::string(3, quote) : text_[at_] == quote) {
        at_ += triple ? 3 : 1;
        // Strings side by side are joined: each counts.
        return Operator();
      } else if (!triple && text_[at_] == '\n') {
        break;
      } else {
        ++at_;
      }
    }
    at_ = std::min(at_, text_.size());
    return Hostile(absl::StrCat(Where(), ": a string has no end"));
  }

  /// A dotted path, "torch.nn.functional.relu".
  absl::Status Name() {
    const size_t start = at_;
    size_t last = at_;
    while (at_ < text_.size() && ContinuesName(text_[at_])) {
      while (at_ < text_.size() && ContinuesName(text_[at_])) ++at_;
      if (at_ + 1 < text_.size() && text_[at_] == '.' && StartsName(text_[at_ + 1])) {
        RETURN_IF_ERROR(Operator());
        last = ++at_;
      }
    }
    const std::string_view path = text_.substr(start, at_ - start);
    const std::string_view word = text_.substr(last, at_ - last);
    const bool after_def = defines_;
    defines_ = path == "def";
    if (path == "elif" && ++elifs_ > limits_.max_nesting) {
      // Each is compiled inside the one before.
      return TooDeep("there are too many elif", limits_.max_nesting);
    }
    if (Contains(kOperatorWords, path)) return Operator();
    if (after_def && word == "__setstate__" && !limits_.allow_setstate) {
      return Refused("__setstate__, which runs while the file is loaded");
    }
    const bool of_torch = path.substr(0, 6) == "torch." || path.substr(0, 4) == "ops.";
    if (of_torch && Contains(kFileOperators, word) && !limits_.allow_file_operators) {
      return Refused(absl::StrCat(std::string(path), ", which opens files"));
    }
    if ((of_torch || path == word) && Contains(kForkOperators, word) && !limits_.allow_fork && !after_def && Calls()) {
      return Refused(absl::StrCat(std::string(path), ", which starts work beside its own"));
    }
    return absl::OkStatus();
  }

  bool Calls() const {
    const size_t next = text_.find_first_not_of(' ', at_);
    return next != text_.npos && text_[next] == '(';
  }

  const std::string name_;
  const std::string_view text_;
  const ArchiveLimits& limits_;
  size_t at_ = 0;
  bool line_start_ = true;
  bool defines_ = false;  ///< The last word was "def".
  int elifs_ = 0;
  int total_ = 0;
  std::vector<int> operators_ = {0};  ///< Of each open bracket; the statement first.
  std::vector<size_t> indents_;
};

}  // namespace

absl::Status CheckCode(std::string_view name, std::string_view text, const ArchiveLimits& limits) {
  return CodeReader(name, text, limits).Run();
}

}  // namespace planner::libtorch
