#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/model/limits.h"

namespace planner::model {

/// Limits of what a description may say, so that untrusted text costs bounded time and memory.
inline constexpr size_t kMaxJsonBytes = 4 << 20;
inline constexpr int kMaxJsonDepth = 64;
inline constexpr int64_t kMaxSize = 1'000'000'000'000;  ///< Of any width, vocabulary or length.

/// Parses one JSON object. INVALID_ARGUMENT at `field` for text that is larger than kMaxJsonBytes,
/// nested deeper than kMaxJsonDepth, truncated or otherwise malformed, or no object.
absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view text, std::string_view field);

/// Keys that an object of `text`, which must be valid JSON, has more than once, as paths: "text_config.hidden_size". The
/// parser takes the last value, as Python's does. At most `most` are named.
std::vector<std::string> RepeatedKeys(std::string_view text, size_t most = 10);

/// Reads the fields of a JSON object by name and remembers the first thing that was wrong, so that
/// a reader of twenty fields checks once, at its end:
///
///     Fields fields(json, "config");
///     const int64_t hidden = fields.Size({"hidden_size", "n_embd"});
///     RETURN_IF_ERROR(fields.status());
///
/// A field that is null counts as absent. Several names are spellings of one field: the first that
/// is present wins. After an error every getter returns its fallback (1 for sizes), which is always
/// safe to compute with. Not thread-safe. Borrows the object.
class Fields {
 public:
  using Names = std::initializer_list<const char*>;

  /// `path` is put before the names in errors ("text_config"); it may be empty.
  Fields(const nlohmann::json& object, std::string path);

  /// Whether one of the spellings is present and not null.
  bool Has(Names names) const { return Find(names) != nullptr; }

  /// A required whole number in 1 ... kMaxSize. 2048.0 is one too.
  int64_t Size(Names names);
  /// The same, `fallback` where it is absent.
  int64_t Size(Names names, int64_t fallback);
  /// One of the two: required if `fallback` is 0.
  int64_t SizeOr(Names names, int64_t fallback) { return fallback > 0 ? Size(names, fallback) : Size(names); }
  /// A number of layers: required, 1 ... kMaxLayers.
  int64_t Layers(Names names);
  int64_t Layers(Names names, int64_t fallback);
  /// A whole number in 0 ... kMaxSize.
  int64_t Count(Names names, int64_t fallback);
  bool Flag(Names names, bool fallback);
  /// A finite number that is not negative.
  double Number(Names names, double fallback);
  std::string Text(Names names, std::string fallback = "");
  /// The spelling that is present, the first one if none is: where to report what is wrong with a value.
  std::string NameOf(Names names) const;
  /// Whether a field is the given string, for those that are a number or a word ("auto").
  bool TextIs(const char* name, std::string_view text) const;
  /// A list of strings, empty where absent. One entry for each of `length` layers, or an error.
  std::vector<std::string> Texts(Names names, int64_t length);
  /// A list of whole numbers that are not negative, empty where absent.
  std::vector<int64_t> Counts(Names names);
  /// A nested object. Absent: an empty one. Its errors are its own: pass them on with Check().
  Fields Object(const char* name);
  bool IsList(const char* name) const;
  /// Entries of a nested object, 0 where it is absent.
  int64_t EntriesOf(const char* name) const;

  /// Remembers an error at `name`.
  void Fail(std::string_view name, std::string_view message);
  /// Remembers a status of something that was read with the help of these fields.
  void Check(const absl::Status& status);
  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

 private:
  const nlohmann::json* Find(Names names, const char** found = nullptr) const;
  void FailMissing(Names names);
  std::optional<int64_t> Whole(Names names, int64_t least, int64_t most);

  const nlohmann::json* object_;
  std::string path_;
  absl::Status status_;
};

}  // namespace planner::model
