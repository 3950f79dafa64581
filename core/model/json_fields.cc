#include "core/model/json_fields.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "core/base/error.h"

namespace planner::model {
namespace {

const nlohmann::json& EmptyObject() {
  static const nlohmann::json* const object = new nlohmann::json(nlohmann::json::object());
  return *object;
}

/// The value as an error shows it: short, whatever it is.
std::string Shown(const nlohmann::json& value) {
  constexpr size_t kLongest = 60;
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "…";
  return text;
}

/// Brackets open at once, at most, outside of strings.
int DepthOf(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view text, std::string_view field) {
  if (text.size() > kMaxJsonBytes) {
    return base::InvalidField(
        field, "is too large: bytes=" + std::to_string(text.size()) + " limit=" + std::to_string(kMaxJsonBytes));
  }
  if (const int depth = DepthOf(text); depth > kMaxJsonDepth) {
    return base::InvalidField(
        field, "is nested too deeply: depth=" + std::to_string(depth) + " limit=" + std::to_string(kMaxJsonDepth));
  }
  // The parser takes a NUL for the end of the text.
  if (text.find('\0') != std::string_view::npos) return base::InvalidField(field, "has a NUL byte");
  nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return base::InvalidField(field, "is not valid JSON (truncated?): bytes=" + std::to_string(text.size()));
  }
  if (!json.is_object()) {
    return base::InvalidField(field, "must be a JSON object: value=" + Shown(json));
  }
  return json;
}

std::vector<std::string> RepeatedKeys(std::string_view text, size_t most) {
  struct Frame {
    std::set<std::string> keys;
    std::string key;  // The one whose value is being read; empty in lists.
  };
  std::vector<Frame> frames;
  std::vector<std::string> repeated;
  const auto note = [&](int /*depth*/, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      frames.emplace_back();
    } else if (event == Event::object_end || event == Event::array_end) {
      frames.pop_back();
    } else if (event == Event::key) {
      Frame& frame = frames.back();
      frame.key = parsed.get<std::string>();
      if (!frame.keys.insert(frame.key).second && repeated.size() < most) {
        std::string path;
        for (const Frame& outer : frames) {
          if (!outer.key.empty()) path += (path.empty() ? "" : ".") + outer.key;
        }
        if (std::find(repeated.begin(), repeated.end(), path) == repeated.end()) repeated.push_back(std::move(path));
      }
    }
    return true;
  };
  const nlohmann::json parsed = nlohmann::json::parse(text, note, /*allow_exceptions=*/false);
  return parsed.is_discarded() ? std::vector<std::string>() : repeated;
}

Fields::Fields(const nlohmann::json& object, std::string path) : object_(&object), path_(std::move(path)) {}

const nlohmann::json* Fields::Find(Names names, const char** found) const {
  for (const char* name : names) {
    const auto it = object_->find(name);
    if (it == object_->end() || it->is_null()) continue;
    if (found != nullptr) *found = name;
    return &*it;
  }
  return nullptr;
}

void Fields::Fail(std::string_view name, std::string_view message) {
  if (!status_.ok()) return;
  const std::string field = path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  status_ = base::InvalidField(field, message);
}

void Fields::Check(const absl::Status& status) {
  if (status_.ok()) status_ = status;
}

void Fields::FailMissing(Names names) {
  std::string message = "is missing";
  for (auto it = names.begin() + 1; it < names.end(); ++it) {
    message += it == names.begin() + 1 ? " (also known as " : ", ";
    message += *it;
  }
  if (names.size() > 1) message += ")";
  Fail(*names.begin(), message);
}

std::optional<int64_t> Fields::Whole(Names names, int64_t least, int64_t most) {
  const char* name = "";
  const nlohmann::json* value = Find(names, &name);
  if (value == nullptr) return std::nullopt;
  const std::string range = std::to_string(least) + " to " + std::to_string(most) + ": value=" + Shown(*value);
  if (!value->is_number()) {
    Fail(name, "must be a whole number, " + range);
    return least;
  }
  // As a double first: exact up to 2^53, which is far above every limit.
  const double number = value->get<double>();
  if (!std::isfinite(number) || number != std::floor(number) || number < static_cast<double>(least) ||
      number > static_cast<double>(most)) {
    Fail(name, "must be a whole number, " + range);
    return std::max<int64_t>(least, 1);
  }
  return static_cast<int64_t>(number);
}

int64_t Fields::Size(Names names) {
  const std::optional<int64_t> value = Whole(names, 1, kMaxSize);
  if (!value.has_value()) FailMissing(names);
  return value.value_or(1);
}

int64_t Fields::Size(Names names, int64_t fallback) { return Whole(names, 1, kMaxSize).value_or(fallback); }

int64_t Fields::Layers(Names names) {
  const std::optional<int64_t> value = Whole(names, 1, kMaxLayers);
  if (!value.has_value()) FailMissing(names);
  return value.value_or(1);
}

int64_t Fields::Layers(Names names, int64_t fallback) { return Whole(names, 1, kMaxLayers).value_or(fallback); }

int64_t Fields::Count(Names names, int64_t fallback) { return Whole(names, 0, kMaxSize).value_or(fallback); }

bool Fields::Flag(Names names, bool fallback) {
  const char* name = "";
  const nlohmann::json* value = Find(names, &name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) {
    Fail(name, "must be true or false: value=" + Shown(*value));
    return fallback;
  }
  return value->get<bool>();
}

double Fields::Number(Names names, double fallback) {
  const char* name = "";
  const nlohmann::json* value = Find(names, &name);
  if (value == nullptr) return fallback;
  const double number = value->is_number() ? value->get<double>() : -1;
  if (!std::isfinite(number) || number < 0 || number > static_cast<double>(kMaxSize)) {
    Fail(name, "must be a number, 0 to " + std::to_string(kMaxSize) + ": value=" + Shown(*value));
    return fallback;
  }
  return number;
}

std::string Fields::Text(Names names, std::string fallback) {
  const char* name = "";
  const nlohmann::json* value = Find(names, &name);
  if (value == nullptr) return fallback;
  if (!value->is_string()) {
    Fail(name, "must be a string: value=" + Shown(*value));
    return fallback;
  }
  return value->get<std::string>();
}

std::string Fields::NameOf(Names names) const {
  const char* name = *names.begin();
  Find(names, &name);
  return name;
}

bool Fields::TextIs(const char* name, std::string_view text) const {
  const nlohmann::json* value = Find({name});
  return value != nullptr && value->is_string() && value->get_ref<const std::string&>() == text;
}

bool Fields::IsList(const char* name) const {
  const nlohmann::json* value = Find({name});
  return value != nullptr && value->is_array();
}

std::vector<std::string> Fields::Texts(Names names, int64_t length) {
  const char* name = "";
  const nlohmann::json* value = Find(names, &name);
  if (value == nullptr) return {};
  if (!value->is_array()) {
    Fail(name, "must be a list of strings: value=" + Shown(*value));
    return {};
  }
  std::vector<std::string> texts;
  for (const nlohmann::json& entry : *value) {
    if (!entry.is_string()) {
      Fail(std::string(name) + "[" + std::to_string(texts.size()) + "]", "must be a string: value=" + Shown(entry));
      return {};
    }
    texts.push_back(entry.get<std::string>());
  }
  if (static_cast<int64_t>(texts.size()) != length) {
    Fail(name,
         "must have one entry a layer: entries=" + std::to_string(texts.size()) + " layers=" + std::to_string(length));
    return {};
  }
  return texts;
}

std::vector<int64_t> Fields::Counts(Names names) {
  const char* name = "";
  const nlohmann::json* value = Find(names, &name);
  if (value == nullptr) return {};
  if (!value->is_array()) {
    Fail(name, "must be a list of whole numbers: value=" + Shown(*value));
    return {};
  }
  std::vector<int64_t> counts;
  for (const nlohmann::json& entry : *value) {
    const double number = entry.is_number() ? entry.get<double>() : -1;
    if (!(number >= 0) || number > static_cast<double>(kMaxSize) || number != std::floor(number)) {
      Fail(std::string(name) + "[" + std::to_string(counts.size()) + "]",
           "must be a whole number, 0 or more: value=" + Shown(entry));
      return {};
    }
    counts.push_back(static_cast<int64_t>(number));
  }
  return counts;
}

Fields Fields::Object(const char* name) {
  const nlohmann::json* value = Find({name});
  const std::string path = path_.empty() ? name : path_ + "." + name;
  if (value == nullptr) return Fields(EmptyObject(), path);
  if (!value->is_object()) {
    Fail(name, "must be an object: value=" + Shown(*value));
    return Fields(EmptyObject(), path);
  }
  return Fields(*value, path);
}

int64_t Fields::EntriesOf(const char* name) const {
  const nlohmann::json* value = Find({name});
  return value != nullptr && value->is_object() ? static_cast<int64_t>(value->size()) : 0;
}

}  // namespace planner::model
