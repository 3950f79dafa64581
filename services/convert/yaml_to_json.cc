#include "services/convert/yaml_to_json.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"

namespace planner::convert {
namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// "[-+]?(digits)" in JSON's spelling, without plus and leading zeros; empty for other text.
std::string IntegerText(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (!IsDigits(text)) return "";
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  return absl::StrCat(negative ? "-" : "", std::string(text));
}

/// "[-+]?(digits[.digits] | .digits)[(e|E)[-+]digits]" in JSON's spelling; empty for other text.
std::string FloatText(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::string exponent;
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    exponent = IntegerText(text.substr(e + 1));
    if (exponent.empty()) return "";
    text = text.substr(0, e);
  }
  const size_t dot = text.find('.');
  std::string_view whole = text.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? std::string_view() : text.substr(dot + 1);
  if ((whole.empty() && fraction.empty()) || (!whole.empty() && !IsDigits(whole)) ||
      (!fraction.empty() && !IsDigits(fraction))) {
    return "";
  }
  const std::string integer = whole.empty() ? "0" : IntegerText(whole);
  return absl::StrCat(negative ? "-" : "", integer, ".", fraction.empty() ? "0" : std::string(fraction),
                      exponent.empty() ? "" : absl::StrCat("e", exponent));
}

/// A plain scalar by YAML's core schema. Infinity and NaN, which JSON lacks, as the texts that proto3's mapping gives them.
std::string PlainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return "null";
  if (text == "true" || text == "True" || text == "TRUE") return "true";
  if (text == "false" || text == "False" || text == "FALSE") return "false";
  if (text == ".inf" || text == "+.inf" || text == ".Inf" || text == ".INF") return "\"Infinity\"";
  if (text == "-.inf" || text == "-.Inf" || text == "-.INF") return "\"-Infinity\"";
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return "\"NaN\"";
  if (std::string integer = IntegerText(text); !integer.empty()) return integer;
  if (std::string number = FloatText(text); !number.empty()) return number;
  return Quoted(text);
}

/// Writes the events of one document as JSON. After a first error it only keeps it.
class JsonWriter : public YAML::EventHandler {
 public:
  explicit JsonWriter(const YamlLimits& limits) : limits_(limits) {}

  absl::Status status() const { return status_; }
  std::string TakeJson() { return std::move(json_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { Scalar(mark, "", /*plain=*/true, anchor); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?" || tag.empty();
    if (!plain && tag != "!" && tag != "tag:yaml.org,2002:str")
      return Fail(mark, "has a tag that is not known: " + tag);
    Scalar(mark, value, plain, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!status_.ok()) return;
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) return Fail(mark, "has an alias within its own anchor");
    if (!BeginValue(mark)) return;
    Append(mark, found->second);
    EndValue();
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, '[', /*map=*/false, anchor);
  }
  void OnSequenceEnd() override { Close(']'); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, '{', /*map=*/true, anchor);
  }
  void OnMapEnd() override { Close('}'); }

 private:
  struct Frame {
    bool map = false;
    bool key_next = true;
    bool empty = true;
    std::set<std::string> keys;
    YAML::anchor_t anchor = 0;
    size_t start = 0;  ///< Where its text begins in json_.
  };

  void Fail(const YAML::Mark& mark, std::string_view text) {
    if (!status_.ok()) return;
    status_ = base::InvalidField(
        "", absl::StrCat("YAML line ", mark.line + 1, ", column ", mark.column + 1, ": ", std::string(text)));
  }

  void Append(const YAML::Mark& mark, std::string_view text) {
    if (json_.size() + text.size() > limits_.max_bytes)
      return Fail(mark, "comes to too much text, aliases written out");
    json_ += text;
  }

  bool AtKey() const { return !frames_.empty() && frames_.back().map && frames_.back().key_next; }

  /// Before a value that is no key: the comma of a list. False, with an error, where a key is needed.
  bool BeginValue(const YAML::Mark& mark) {
    if (!status_.ok()) return false;
    if (AtKey()) {
      Fail(mark, "has a key that is no scalar");
      return false;
    }
    if (!frames_.empty() && !frames_.back().map) {
      if (!frames_.back().empty) json_ += ',';
      frames_.back().empty = false;
    }
    return true;
  }

  void EndValue() {
    if (!frames_.empty()) frames_.back().key_next = true;
  }

  void Scalar(const YAML::Mark& mark, const std::string& value, bool plain, YAML::anchor_t anchor) {
    if (!status_.ok()) return;
    if (AtKey()) {
      Frame& frame = frames_.back();
      if (plain && value == "<<") return Fail(mark, "has a merge key, which is not supported");
      if (!frame.keys.insert(value).second) return Fail(mark, "has a key twice: " + value);
      Append(mark, absl::StrCat(frame.empty ? "" : ",", Quoted(value), ":"));
      frame.empty = false;
      frame.key_next = false;
      return;
    }
    if (!BeginValue(mark)) return;
    const std::string text = plain ? PlainScalar(value) : Quoted(value);
    if (anchor != 0) anchored_[anchor] = text;
    Append(mark, text);
    EndValue();
  }

  void Open(const YAML::Mark& mark, char bracket, bool map, YAML::anchor_t anchor) {
    if (!BeginValue(mark)) return;
    if (frames_.size() >= static_cast<size_t>(limits_.max_depth)) return Fail(mark, "is nested too deeply");
    Frame frame;
    frame.map = map;
    frame.anchor = anchor;
    frame.start = json_.size();
    frames_.push_back(std::move(frame));
    Append(mark, std::string_view(&bracket, 1));
  }

  void Close(char bracket) {
    if (!status_.ok()) return;
    json_ += bracket;
    const Frame& frame = frames_.back();
    if (frame.anchor != 0) anchored_[frame.anchor] = json_.substr(frame.start);
    frames_.pop_back();
    EndValue();
  }

  const YamlLimits limits_;
  absl::Status status_;
  std::string json_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, std::string> anchored_;
};

}  // namespace

absl::StatusOr<std::string> YamlToJson(std::string_view yaml, const YamlLimits& limits) {
  if (yaml.size() > limits.max_bytes) {
    return base::InvalidField("", absl::StrCat("is too large: bytes=", yaml.size(), " maximum=", limits.max_bytes));
  }
  JsonWriter writer(limits);
  try {
    std::istringstream stream{std::string(yaml)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(writer)) return base::InvalidField("", "the YAML text has no document");
    if (!writer.status().ok()) return writer.status();
    JsonWriter rest(limits);
    if (parser.HandleNextDocument(rest)) return base::InvalidField("", "the YAML text has more than one document");
  } catch (const YAML::Exception& error) {
    if (!writer.status().ok()) return writer.status();
    return base::InvalidField(
        "", absl::StrCat("YAML line ", error.mark.line + 1, ", column ", error.mark.column + 1, ": ", error.msg));
  }
  if (!writer.status().ok()) return writer.status();
  return writer.TakeJson();
}

}  // namespace planner::convert
